package worker

import (
	"context"
	"fmt"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/state"
)

const (
	expiryNotice = 30 * 24 * time.Hour // how long before its end a credential is warned about
	askAgain     = 24 * time.Hour      // how often Graph is asked when a client secret ends
)

// CredentialOf returns what is known of the credential that reads a tenant. Graph is asked once a day, and
// when the credential has changed. Where Graph does not answer for any tenant, the date in the
// configuration counts.
func (w *Worker) CredentialOf(ctx context.Context, s *compile.Sync, source graphsync.Source, now time.Time) state.Credential {
	dated, ok := source.(interface {
		CredentialMark(context.Context) string
		CredentialEnds(context.Context) (time.Time, error)
	})
	if !ok {
		return state.Credential{}
	}
	known := state.Credential{Mark: dated.CredentialMark(ctx)}
	var records []state.TenantRecord
	var err error
	if w.Store != nil { // a check of connections has none
		if records, err = w.Store.TenantRecords().All(); err != nil {
			w.Log.Error("read what is known of a credential", "tenant", s.TenantName, "error", err)
		}
	}
	var elsewhere time.Time // one app reads many tenants, and only its own tenant shows when its secret ends
	for _, record := range records {
		switch c := record.Credential; {
		case c.Mark != known.Mark:
		case record.ID != s.Tenant:
			elsewhere = later(elsewhere, c.Told)
		case now.Sub(c.Asked).Abs() < askAgain:
			known = c
		}
	}
	if known.Asked.IsZero() {
		known.Asked = now
		if known.Told, err = dated.CredentialEnds(ctx); err != nil {
			w.Log.Info("it is not known when the credential ends", "tenant", s.TenantName, "because", err)
		}
	}
	if known.Ends = known.Told; known.Ends.IsZero() {
		known.Ends = elsewhere
	}
	if app := w.Config.AppOf(s.Section); known.Ends.IsZero() && app != nil && app.ClientSecretExpires != "" {
		known.Ends, _ = time.Parse(time.DateOnly, app.ClientSecretExpires) // configs has checked it
	}
	known.Told, known.Ends = known.Told.UTC(), known.Ends.UTC()
	return known
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// EndWarning says that a credential ends soon; "" when it does not.
func EndWarning(ends, now time.Time) string {
	switch left := ends.Sub(now); {
	case ends.IsZero() || left > expiryNotice:
		return ""
	case left <= 0:
		return fmt.Sprintf("the credential that reads the directory was to end on %s, and still works: correct client_secret_expires in the configuration", ends.UTC().Format(time.DateOnly))
	}
	return fmt.Sprintf("the credential that reads the directory ends on %s; add a new client secret or certificate to the app registration and put it in place, it is picked up without a restart", ends.UTC().Format(time.DateOnly))
}
