package wire_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entrasync/target"
	"entrasync/target/wire"
	"entrasync/target/wire/wiretest"
)

// breaking answers one method wrongly.
func breaking(t *testing.T, method string, f func(w http.ResponseWriter, m wiretest.Message, answer func() []byte)) *wiretest.Receiver {
	t.Helper()
	r := wiretest.NewReceiver(t, wiretest.Go(t), filepath.Join(t.TempDir(), "people"))
	r.Break(func(w http.ResponseWriter, m wiretest.Message, answer func() []byte) bool {
		if m.Method != method {
			return false
		}
		f(w, m, answer)
		return true
	})
	return r
}

// Each way in which a receiver answers wrongly to a creation is an error that says what happened, and whether the
// account may have been made.
func TestOddReceivers(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	status := func(code int) func(http.ResponseWriter, wiretest.Message, func() []byte) {
		return func(w http.ResponseWriter, _ wiretest.Message, _ func() []byte) {
			http.Error(w, "in its own words", code)
		}
	}
	body := func(text string) func(http.ResponseWriter, wiretest.Message, func() []byte) {
		return func(w http.ResponseWriter, m wiretest.Message, _ func() []byte) {
			_, _ = w.Write([]byte(strings.ReplaceAll(text, "ID", m.ID)))
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, wiretest.Message, func() []byte)
		code   target.Code
		unsure bool
		words  string
	}{
		"redirects to another host": {func(w http.ResponseWriter, _ wiretest.Message, _ func() []byte) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, target.NotSCIM, false, "redirect (307), which is not followed"},
		"redirects to itself": {func(w http.ResponseWriter, _ wiretest.Message, _ func() []byte) {
			w.Header().Set("Location", "/other")
			w.WriteHeader(http.StatusPermanentRedirect)
		}, target.NotSCIM, false, "redirect (308), which is not followed"},
		"breaks the connection": {func(http.ResponseWriter, wiretest.Message, func() []byte) { panic(http.ErrAbortHandler) }, target.Unavailable, true, "the connection broke"},
		"answers too much": {func(w http.ResponseWriter, _ wiretest.Message, _ func() []byte) {
			_, _ = w.Write(make([]byte, 9<<20))
		}, target.Unavailable, true, "larger than 8388608 bytes"},
		"answers a web page":            {body("<html>welcome</html>"), target.Unavailable, true, "not JSON-RPC 2.0 (status 200: <html>welcome"},
		"answers nothing":               {body(""), target.Unavailable, true, "not JSON-RPC 2.0"},
		"answers in its own form":       {body(`{"ok":true}`), target.Unavailable, true, "not JSON-RPC 2.0"},
		"answers another message":       {body(`{"jsonrpc":"2.0","id":"msg_other","result":{"resource":{"id":"7"}}}`), target.Unavailable, true, `to another message, "msg_other"`},
		"answers without an id":         {body(`{"jsonrpc":"2.0","id":"ID","result":{}}`), target.Unavailable, true, "does not say the id"},
		"answers with another account":  {body(`{"jsonrpc":"2.0","id":"ID","result":{"resource":{"id":"7","attributes":{"userName":"boss@example.com"}}}}`), target.Conflict, false, "another identity"},
		"answers with an error and 200": {body(`{"jsonrpc":"2.0","id":"ID","error":{"code":1,"message":"the seats are taken","data":{"code":"target_forbidden"}}}`), target.Forbidden, false, "the seats are taken"},
		"does not accept the signature": {status(401), target.Unauthorized, false, "does not accept the signature"},
		"is not there":                  {status(404), target.NotSCIM, false, "no receiver at this address (404)"},
		"has it already":                {status(409), target.Conflict, false, "in its own words"},
		"refuses it":                    {status(422), target.Rejected, false, "in its own words"},
		"fails":                         {status(500), target.Unavailable, true, "it failed (500)"},
		"is overloaded":                 {status(503), target.Unavailable, false, "it failed (503)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := breaking(t, "create", c.answer)
			a := webhook(t, r, wiretest.Secret("first"))
			_, err := a.Create(t.Context(), target.User, named(t, "ada@example.com"))
			fails(t, err, c.code, c.unsure, c.words)
			sent := 0
			for _, m := range r.Messages() {
				if m.Method == "create" {
					sent++
				}
			}
			if sent != 1 {
				t.Errorf("the creation was sent %d times", sent)
			}
		})
	}
	t.Cleanup(func() {
		if n := elsewhere.Load(); n != 0 {
			t.Errorf("%d requests went to another host", n)
		}
	})
}

// A receiver that answers too late is one whose answer is lost.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := breaking(t, "create", func(http.ResponseWriter, wiretest.Message, func() []byte) { <-release })
	t.Cleanup(func() { close(release) })
	tr, err := target.NewTransport(target.TransportConfig{CAFile: r.CAFile, NoRedirects: true, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	a, err := wire.Webhook(wire.WebhookConfig{URL: r.URL, Secret: func() (string, error) { return wiretest.Secret("first"), nil }}, tr)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // until it has introduced itself in time
		if _, err = a.Find(t.Context(), target.User, path(t, "userName"), "ada@example.com"); err == nil {
			break
		}
	}
	_, err = a.Create(t.Context(), target.User, named(t, "ada@example.com"))
	fails(t, err, target.Unavailable, true, "no complete answer within 300ms")
}

// A change that is not a creation is sent again when its answer is lost, under the same id.
func TestRepeatsUnderOneID(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	r := wiretest.NewReceiver(t, wiretest.Go(t), filepath.Join(t.TempDir(), "people"))
	r.Break(func(_ http.ResponseWriter, m wiretest.Message, answer func() []byte) bool {
		if m.Method != "delete" || lost.Swap(true) {
			return false
		}
		answer()
		panic(http.ErrAbortHandler)
	})
	a := webhook(t, r, wiretest.Secret("first"))
	made, err := a.Create(t.Context(), target.User, named(t, "ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), made.Ref); err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, m := range r.Messages() {
		if m.Method == "delete" {
			ids[m.ID]++
		}
	}
	if len(ids) != 1 {
		t.Errorf("one deletion has the ids %v", ids)
	}
}

// The id of a message is that of the change: the sync, the person, what was done before and what is to be done.
func TestKeys(t *testing.T) {
	t.Parallel()
	r := wiretest.NewReceiver(t, wiretest.Go(t), filepath.Join(t.TempDir(), "people"))
	base := target.Operation{Tenant: "t", Sync: "people", Source: "1", After: "5"}
	send := func(o *target.Operation, name string) string {
		t.Helper()
		ctx := t.Context()
		if o != nil {
			ctx = target.WithOperation(ctx, func() target.Operation { return *o })
		}
		a := webhook(t, r, wiretest.Secret("first")) // another process
		_, _ = a.Update(ctx, boss, named(t, name))
		all := r.Messages()
		return all[len(all)-1].ID
	}
	first := send(&base, "a")
	if again := send(&base, "a"); again != first {
		t.Errorf("the same change has the ids %s and %s", first, again)
	}
	for _, o := range []target.Operation{
		{Tenant: "u", Sync: "people", Source: "1", After: "5"}, {Tenant: "t", Sync: "other", Source: "1", After: "5"},
		{Tenant: "t", Sync: "people", Source: "2", After: "5"}, {Tenant: "t", Sync: "people", Source: "1", After: "6"},
	} {
		if id := send(&o, "a"); id == first {
			t.Errorf("%+v has the id of %+v", o, base)
		}
	}
	one, other := send(nil, "a"), send(nil, "a") // of no operation
	if send(&base, "b") == first || one == other {
		t.Error("different changes have one id")
	}
}

// Secrets that cannot sign anything are named, and never printed.
func TestSigningSecrets(t *testing.T) {
	t.Parallel()
	r := wiretest.NewReceiver(t, wiretest.Go(t), filepath.Join(t.TempDir(), "people"))
	for secret, words := range map[string]string{
		"":                         "is empty",
		"whsec_not-base64-at-all!": "is not base64",
		"whsec_c2hvcnQ=":           "has 5 bytes; it must have 24 to 64",
		wiretest.Secret("a") + "\n" + wiretest.Secret("b") + "\n" + wiretest.Secret("c"): "more than two lines",
		wiretest.Secret("another"): "does not accept the signature",
	} {
		_, err := webhook(t, r, secret).Get(t.Context(), boss)
		fails(t, err, target.Unauthorized, false, words)
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
	if _, err := webhook(t, r, wiretest.Secret("another")+"\n"+wiretest.Secret("first")).Find(t.Context(), target.User, path(t, "userName"), "ada"); err != nil {
		t.Errorf("during a rotation: %v", err)
	}
}
