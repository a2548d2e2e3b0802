package report

import (
	"errors"
	"fmt"
	"io"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/inspect"
)

// Unread collects the tenants of a command whose state cannot be read: each is named on W, and the others are shown.
type Unread struct {
	W    io.Writer
	Some bool
}

// Add notes an error of reading a sync's state and reports whether there is one.
func (u *Unread) Add(err error) bool {
	u.Some = u.Some || err != nil
	return err != nil
}

// Report is [Unread.Add] for a list that leaves the sync out: it names the sync with the reason.
func (u *Unread) Report(s *compile.Sync, err error) bool {
	if u.Add(err) {
		fmt.Fprintf(u.W, "entrasync: sync %s, tenant %s: %s\n", s.Name, s.TenantName, console.Printable(inspect.StateErrorOf(err).Message))
	}
	return err != nil
}

// Outcome is how a command ends that has shown all that can be read; err is how showing it ended.
func (u *Unread) Outcome(err error) error {
	if u.Some {
		return errors.Join(err, exit.With(exit.Partial))
	}
	return err
}
