package state_test

import (
	"errors"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// What is known of subscriptions is kept by tenant and stream; a change that fails leaves it as it was.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	store, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	all := store.Subscriptions()
	one, other := graphsync.ID{1}, graphsync.ID{1, 1}
	ends := time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	for _, of := range []struct {
		tenant graphsync.ID
		stream graphsync.Stream
	}{{one, graphsync.Users}, {one, graphsync.Groups}, {other, graphsync.Users}} {
		err := all.Change(of.tenant, of.stream, func(s *state.Subscription) error {
			s.ID, s.Expires, s.Secret = of.tenant.String()+string(of.stream), ends, []byte{1, 2}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	broken := errors.New("broken")
	if err := all.Change(one, graphsync.Users, func(s *state.Subscription) error { s.ID = ""; return broken }); !errors.Is(err, broken) {
		t.Errorf("a change that fails is %v", err)
	}
	if err := errors.Join(all.Delete(one, graphsync.Groups), all.Delete(one, graphsync.Groups)); err != nil {
		t.Error(err)
	}
	of, err := all.Of(one)
	if err != nil || len(of) != 1 || of[0].Tenant != one || of[0].Stream != graphsync.Users || of[0].ID == "" || !of[0].Expires.Equal(ends) || len(of[0].Secret) != 2 {
		t.Errorf("of the first tenant are known %+v, %v", of, err)
	}
	if every, err := all.All(); err != nil || len(every) != 2 {
		t.Errorf("known are %+v, %v", every, err)
	}
}
