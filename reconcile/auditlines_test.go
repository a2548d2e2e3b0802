package reconcile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// auditActions are the actions that the audit log has, as op, key and result.
func auditActions(t *testing.T, c *customer) (lines []string) {
	t.Helper()
	c.stored().tx(func(tx *state.Tx) error {
		for line := range tx.Audit().Lines(state.AuditQuery{}) {
			var l struct {
				Event, Op, Key, Result, Actor, By string
				Changes                           []plan.Change
				SourceID                          graphsync.ID `json:"source_id"`
			}
			if err := json.Unmarshal(line.Text(), &l); err != nil {
				return err
			}
			if l.Event != "action" {
				continue
			}
			lines = append(lines, strings.Join([]string{l.Op, l.Key, l.Result, l.Actor, l.By}, " "))
			found := 0
			for range tx.Audit().Lines(state.AuditQuery{Object: l.SourceID}) {
				found++
			}
			if found == 0 {
				t.Errorf("no line is found by the object of line %d", line.Seq)
			}
		}
		return nil
	})
	return lines
}

// Every action that a cycle tried has its line in the audit log, also one that failed, with who started the cycle.
// A dry run leaves none.
func TestEveryActionIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.source.person(1, "ada@example.com", "Ada")
	c.source.person(2, "bob@example.com", "Bob")
	if _, err := c.run(reconcile.Options{}); err != nil {
		t.Fatal(err)
	}
	if lines := auditActions(t, c); len(lines) > 0 {
		t.Errorf("a dry run left %q", lines)
	}
	if _, err := c.run(reconcile.Options{Apply: true, Actor: state.Actor{Kind: state.ActorCommand, Name: "grace"}}); err != nil {
		t.Fatal(err)
	}
	c.source.person(1, "ada@example.com", "Ada L.")
	c.app().refuse = func(method, _ string) error {
		if method == "update" {
			return refusal(target.Rejected, 400)
		}
		return nil
	}
	if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(auditActions(t, c), "\n")
	const want = "create ada@example.com done command grace\ncreate bob@example.com done command grace\nupdate ada@example.com failed service "
	if got != want {
		t.Errorf("the audit log has\n%s\nwant\n%s", got, want)
	}
}
