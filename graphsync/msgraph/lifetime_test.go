package msgraph_test

import (
	"sync/atomic"
	"testing"
	"time"

	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
)

// The end of the client secret in use is read where the app is registered and the token may read
// it. Nowhere else is anything asked or guessed.
func TestCredentialEnds(t *testing.T) {
	t.Parallel()
	ends := time.Now().Add(72 * time.Hour).UTC().Truncate(time.Second)
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{Secret: "abc-one", SecretExpires: ends})
	w.server.AddSecret(w.app.ClientID, "xyz-two", ends.AddDate(1, 0, 0))
	customer := w.server.AddTenant(graphtest.TenantSpec{Name: "customer", Domain: "customer.example"})
	customer.Consent(w.app.ClientID)

	secret := atomic.Pointer[string]{}
	use := func(text string) { secret.Store(&text) }
	use("abc-one")
	open := func(edits ...func(*msgraph.Config)) *msgraph.Source {
		return w.open(t, append([]func(*msgraph.Config){func(c *msgraph.Config) {
			c.Credential.Secret = func() (string, error) { return *secret.Load(), nil }
		}}, edits...)...)
	}
	want := func(s *msgraph.Source, want time.Time) {
		t.Helper()
		if _, err := s.Permissions(t.Context()); err != nil { // a first token
			t.Fatal(err)
		}
		if got, err := s.CredentialEnds(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("ends %s, %v; want %s", got, err, want)
		}
	}
	s := open()
	want(s, ends)
	mark := s.CredentialMark(t.Context())
	use("xyz-two")
	s.Refresh(t.Context())
	want(s, ends.AddDate(1, 0, 0))
	if other := s.CredentialMark(t.Context()); mark == "" || other == mark || len(other) != 8 {
		t.Errorf("marks %q and %q", mark, other)
	}
	want(open(func(c *msgraph.Config) { c.Tenant = customer.ID() }), time.Time{})

	w.tenant.Grant(w.app.ClientID, "User.Read.All")
	narrow := open()
	want(narrow, time.Time{})
	if n := narrow.Traffic().Requests; n != 0 {
		t.Errorf("%d requests without the permission", n)
	}
}
