package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// The kernel says who is at the other end of a connection.
func TestCallerOf(t *testing.T) {
	t.Parallel()
	listener, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := (&serverListener{UnixListener: listener, most: 1}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if c := callerOf(conn); c.err != nil || int(c.uid) != os.Geteuid() {
		t.Errorf("this process is user %d, %v", c.uid, c.err)
	}
	if c := callerOf(client); c.err == nil {
		t.Errorf("a connection that is not the listener's is of user %d", c.uid)
	}
}

// The user of the service and root are let in; others are not, nor is a caller whom the kernel does not name.
func TestAdmitted(t *testing.T) {
	t.Parallel()
	reached := 0
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
	s := &server{service: Service{Log: slog.New(slog.DiscardHandler)}, user: 1000}
	ask := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.admit(next).ServeHTTP(w, r)
		return w
	}
	as := func(c caller) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/v1/service", nil)
		return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	}
	for _, c := range []caller{{uid: 0}, {uid: 1000}} {
		if w := ask(as(c)); w.Code != http.StatusOK {
			t.Errorf("user %d: %d", c.uid, w.Code)
		}
	}
	if reached != 2 {
		t.Errorf("%d requests were let in", reached)
	}
	for _, c := range []caller{{uid: 1001}, {uid: 65534}, {err: errors.New("unknown")}} {
		if w := ask(as(c)); w.Code != http.StatusForbidden {
			t.Errorf("caller %+v: %d", c, w.Code)
		}
	}
	if w := ask(httptest.NewRequest(http.MethodGet, "/v1/service", nil)); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "not known") {
		t.Errorf("no caller: %d %s", w.Code, w.Body)
	}
	if reached != 2 {
		t.Errorf("%d requests were let in", reached)
	}
}
