package safety

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/state/postgres"
	"entrasync/state/postgres/pgtest"
)

// What the cycles promise with the state in PostgreSQL.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.Run(t)
	// Fewer histories than with files: each step waits for the server's disk.
	t.Run("histories", func(t *testing.T) { t.Parallel(); histories(t, server) })
	t.Run("a lost tenant", func(t *testing.T) { t.Parallel(); loseTenant(t, server) })
}

// loseTenant has a cycle wait before it repeats a request, and another worker take the tenant meanwhile.
func loseTenant(t *testing.T, server *pgtest.Server) {
	w := newWorld(t, settings{
		all: true, guests: true, concurrency: 1, pageSize: 5, membersPage: 5, onRemove: desired.OnRemove{Do: plan.Deactivate}, dsn: server.Database(t),
		term: postgres.Term{Lease: 2 * time.Second, Margin: 200 * time.Millisecond},
	})
	w.tenant.AddUser(graphtest.Props{"userPrincipalName": "ada@contoso.example", "displayName": "Ada"})
	asked := 0
	w.wire.fault(callFault{
		name: "busy", match: func(r *http.Request) bool { return r.Method == http.MethodPost }, times: -1,
		answer: func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			if asked++; asked == 1 {
				if err := server.TakeOver(w.set.dsn, w.tenant.ID().String()); err != nil {
					t.Error(err)
				}
			}
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"6"}}, Body: http.NoBody, Request: r}, nil
		},
	})
	_, err := w.run(reconcile.Options{Apply: true})
	var lost *state.LostError
	if asked != 1 || !errors.As(err, &lost) {
		t.Errorf("%d requests to create an account, the cycle ended with: %v", asked, err)
	}
}

func histories(t *testing.T, server *pgtest.Server) {
	told := 0
	rapid.Check(t, func(rt *rapid.T) {
		if told++; told > 6 && !t.Failed() {
			return
		}
		dsn, err := server.Make()
		if err != nil {
			t.Fatal(err)
		}
		relate(t, rt, dsn)
	})
}
