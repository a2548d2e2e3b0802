package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// A keeper is an application that answers success to a deletion and keeps the account.
type keeper struct {
	*application
	off bool // the account is switched off
}

func (k *keeper) Delete(_ context.Context, ref target.Ref) error {
	if k.off {
		k.accounts[ref.ID]["active"] = false
	}
	return nil
}

func (k *keeper) activity() (text string) {
	for _, account := range k.accounts {
		if account["active"] == false {
			text += account["userName"].(string)
		}
	}
	return text
}

// A deleted account that the application keeps is off in the end: the application does it, which is noted once, or
// because it is switched off after the deletion, which stays an error.
func TestDeletedAccountsThatAreKept(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{true, false} {
		t.Run(fmt.Sprint("off ", off), func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			app := &keeper{c.app(), off}
			c.apps["https://one"] = app
			c.change = func(s *reconcile.Sync) {
				s.Users.OnRemove.Do = plan.Delete
				s.Guard.Removals, s.Guard.RemovalsPerDay = guard.Limit{}, guard.Limit{}
			}
			for n := 1; n <= 6; n++ {
				c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
			}
			c.cycle()
			notes, failures := 0, ""
			for n := 1; n <= 2; n++ {
				c.source.disable(n)
				report, err := c.run(reconcile.Options{Apply: true})
				if err != nil {
					t.Fatal(err)
				}
				notes += strings.Count(strings.Join(report.Notes, "\n"), "keeps accounts that it was told to delete, switched off; this is not reported again")
				for _, e := range report.Errors {
					failures += e.Message + "\n"
				}
				if !strings.Contains(app.activity(), fmt.Sprintf("p%d@", n)) {
					t.Errorf("p%d can still sign in", n)
				}
			}
			if off && (notes != 1 || failures != "") {
				t.Errorf("%d notes, want 1; failures: %s", notes, failures)
			}
			const said = "answered that it deleted the account, and it is still there and active; the account was switched off instead, and the deletion is tried again"
			if !off && (notes != 1 || strings.Count(failures, said) != 2) { // the retry finds the first one off
				t.Errorf("%d notes, want 1; failures: %s", notes, failures)
			}
		})
	}
}
