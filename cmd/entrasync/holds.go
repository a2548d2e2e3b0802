package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// shownHold is one entry of `holds --json`.
type shownHold struct {
	Hold       string    `json:"hold"`
	Sync       string    `json:"sync"`
	Tenant     string    `json:"tenant"`
	TenantName string    `json:"tenant_name"`
	Guard      string    `json:"guard"`
	Cause      string    `json:"cause"`
	Count      int       `json:"count"`
	Since      time.Time `json:"since"` // of a rejected hold, when it was rejected
	Sample     []string  `json:"sample"`
	// Removes names the first people who would lose a membership, RemovesCount is how many do.
	Removes      []string `json:"removes,omitempty"`
	RemovesCount int      `json:"removes_count,omitempty"`

	Rejected *shownRejection `json:"rejected,omitempty"`

	Actions []reconcile.HeldAction `json:"actions,omitempty"` // of a hold that was asked for

	sync *compile.Sync
}

// shownRejection is who rejected a hold, when and why.
type shownRejection struct {
	plan.Decision
	Expires *time.Time `json:"expires"` // null: not before its source changes
}

// holdID is the form of a hold's id.
var holdID = regexp.MustCompile(`^h-[0-9]+$`)

func (a *app) holdsCommand() *cobra.Command {
	var sel selection
	rejected := false
	cmd := &cobra.Command{
		Use:   "holds [SYNC | HOLD]...",
		Short: "List what a guard held, by cause",
		Long: `Lists what waits for an approval, by cause. With a HOLD, such as h-12, lists every action in it with
the values that would change and the people who would join or leave a group. With --rejected lists
what was rejected and is still due, with who rejected it, when and why; entrasync approve HOLD takes
a rejection back.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			defer w.Close()
			var ids []string
			sel.syncs, ids = partHolds(args, compile.Names(w.Syncs))
			syncs, err := selected(w, sel)
			if err != nil {
				return err
			}
			var unread unreadStates
			holds := []shownHold{}
			for _, sync := range syncs {
				found, err := shownHolds(w, []*compile.Sync{sync}, ids, rejected)
				if unread.add(err) {
					a.sayUnread(sync, err)
				}
				holds = append(holds, found...)
			}
			if len(ids) > 0 && len(holds) == 0 && !unread.some {
				return advice.With(fmt.Errorf("there is no hold %s", strings.Join(ids, ", ")), "list them with: entrasync holds, entrasync holds --rejected")
			}
			return errors.Join(a.printHolds(holds, len(ids) > 0, rejected), unread.outcome())
		},
	}
	cmd.Flags().BoolVar(&rejected, "rejected", false, "list what was rejected and is still due")
	sel.tenantFlag(cmd)
	return cmd
}

// partHolds tells ids of holds from names of syncs.
func partHolds(args, syncs []string) (names, ids []string) {
	for _, arg := range args {
		if holdID.MatchString(arg) && !slices.Contains(syncs, arg) {
			ids = append(ids, arg)
		} else {
			names = append(names, arg)
		}
	}
	return names, ids
}

// shownHolds reads the holds of syncs: those that wait, those that were rejected, or those of
// some ids, whichever they are, with all their actions.
func shownHolds(w *worker.Worker, syncs []*compile.Sync, ids []string, rejected bool) ([]shownHold, error) {
	holds := []shownHold{}
	err := eachTenant(w, syncs, func(s *compile.Sync, tx *state.Tx) error {
		var found []shownHold
		if !rejected || len(ids) > 0 {
			for h := range tx.Holds(s.Name).All() {
				found = append(found, waitingHold(s, h))
			}
		}
		if rejected || len(ids) > 0 {
			refused, err := reconcile.RejectedHolds(tx, s.Name)
			if err != nil {
				return err
			}
			for _, h := range refused {
				found = append(found, rejectedHold(s, h))
			}
		}
		for _, h := range found {
			if len(ids) > 0 && !slices.Contains(ids, h.Hold) {
				continue
			}
			if err := h.readActions(tx, len(ids) > 0); err != nil {
				return err
			}
			holds = append(holds, h)
		}
		return nil
	})
	return holds, err
}

func waitingHold(s *compile.Sync, h state.Hold) shownHold {
	return shownHold{Hold: h.ID, Sync: s.Name, Tenant: s.Tenant.String(), TenantName: s.TenantName, Guard: h.Guard, Cause: h.Cause, Count: h.Count, Since: h.Since, Sample: h.Sample, sync: s}
}

func rejectedHold(s *compile.Sync, h reconcile.RejectedHold) shownHold {
	shown := shownHold{Hold: h.Hold, Sync: s.Name, Tenant: s.Tenant.String(), TenantName: s.TenantName, Guard: h.Guard, Cause: h.Cause, Count: h.Count, Since: h.At, Sample: h.Sample,
		Rejected: &shownRejection{Decision: h.Decision}, sync: s}
	if ends := h.Ends(s.Guard.Rejections); !ends.IsZero() {
		shown.Rejected.Expires = &ends
	}
	return shown
}

// readActions reads what a hold holds: all of it, or of removals from groups the first names.
func (h *shownHold) readActions(tx *state.Tx, all bool) error {
	for action, err := range reconcile.HeldActions(tx, h.Sync, h.Hold) {
		if err != nil {
			return err
		}
		for _, member := range action.Members {
			if member.Change != "remove" {
				break // those who leave come first
			}
			if h.RemovesCount++; len(h.Removes) < membersShown {
				h.Removes = append(h.Removes, member.Key)
			}
		}
		if all {
			h.Actions = append(h.Actions, action)
		}
	}
	return nil
}

// membersShown is how many people a list of holds names who would lose a membership.
const membersShown = 10

// eachTenant visits the state of each sync.
func eachTenant(w *worker.Worker, syncs []*compile.Sync, visit func(*compile.Sync, *state.Tx) error) error {
	for _, s := range syncs {
		tenant, err := w.Store.Tenant(s.Tenant)
		if err != nil {
			return err
		}
		err = tenant.View(func(tx *state.Tx) error { return visit(s, tx) })
		tenant.Close()
		if err != nil {
			return fmt.Errorf("read the holds of sync %s, tenant %s: %w", s.Name, s.TenantName, err)
		}
	}
	return nil
}

func (a *app) printHolds(holds []shownHold, whole, rejected bool) error {
	switch {
	case a.json:
		return a.printJSON(map[string]any{"format": "entrasync/holds/1", "holds": holds})
	case whole:
		for i := range holds {
			a.printHold(&holds[i])
		}
		return nil
	case len(holds) == 0 && rejected:
		fmt.Fprintln(a.out, "Nothing that is due was rejected.")
		return nil
	case len(holds) == 0:
		fmt.Fprintln(a.out, "Nothing is held.")
		return nil
	case rejected:
		return a.table("hold\tsync\ttenant\tguard\tcause\tcount\trejected\tby\tuntil\treason\tsuch as", func(row func(...any)) {
			for i := range holds {
				h := &holds[i]
				until := "its source changes"
				if h.Rejected.Expires != nil {
					until = localTime(*h.Rejected.Expires)
				}
				row(h.Hold, h.Sync, h.TenantName, h.Guard, h.Cause, h.Count, when(h.Since), or(h.Rejected.By, "-"), until, or(h.Rejected.Reason, "-"), h.names())
			}
		})
	}
	return a.table("hold\tsync\ttenant\tguard\tcause\tcount\tsince\tsuch as", func(row func(...any)) {
		for i := range holds {
			h := &holds[i]
			row(h.Hold, h.Sync, h.TenantName, h.Guard, h.Cause, h.Count, when(h.Since), h.names())
		}
	})
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return localTime(t)
}

func or(text, none string) string {
	if text == "" {
		return none
	}
	return text
}

// names are the first of a hold, and of removals from groups those of the people.
func (h *shownHold) names() string {
	text := strings.Join(h.Sample[:min(3, len(h.Sample))], ", ")
	if len(h.Sample) > 3 {
		text += ", …"
	}
	if h.RemovesCount > 0 {
		text += " (removes " + listed(h.Removes, h.RemovesCount) + ")"
	}
	return text
}

// listed joins the first of some names and says how many there are beyond.
func listed(names []string, n int) string {
	text := strings.Join(names, ", ")
	if more := n - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// printHold prints everything that one hold holds.
func (a *app) printHold(h *shownHold) {
	fmt.Fprintf(a.out, "%s of sync %s, tenant %s: %s, guard %s: %s\n", h.Hold, h.Sync, h.TenantName, words.Count(h.Count, "action", "actions"), h.Guard, printable(h.Cause))
	if r := h.Rejected; r != nil {
		fmt.Fprintf(a.out, "  rejected at %s by %s: %s\n", when(r.At), printable(or(r.By, "-")), printable(or(r.Reason, "no reason was given")))
	} else {
		fmt.Fprintf(a.out, "  held since %s\n", when(h.Since))
	}
	for i := range h.Actions {
		a.printAction(a.out, &h.Actions[i].Action)
		a.printMembers(h.Actions[i].Members, len(h.Actions[i].Remove), len(h.Actions[i].Add))
	}
}

// printMembers prints the people whose memberships an action changes: all, or the first of so many.
func (a *app) printMembers(members []plan.ChangedMember, leave, join int) {
	for _, list := range []struct {
		change, what string
		n            int
	}{{"remove", "would be removed", leave}, {"add", "would be added", join}} {
		var names []string
		for _, m := range members {
			if m.Change == list.change {
				names = append(names, printable(m.Key))
			}
		}
		if list.n > 0 && len(names) > 0 {
			fmt.Fprintf(a.out, "      %s: %s\n", list.what, listed(names, list.n))
		}
	}
}

// eachHold visits the holds of syncs that wait for a decision.
func eachHold(w *worker.Worker, syncs []*compile.Sync, visit func(s *compile.Sync, h state.Hold)) error {
	return eachTenant(w, syncs, func(s *compile.Sync, tx *state.Tx) error {
		for hold := range tx.Holds(s.Name).All() {
			visit(s, hold)
		}
		return nil
	})
}
