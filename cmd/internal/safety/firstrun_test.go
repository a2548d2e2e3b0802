package safety

import (
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// A first synchronization takes a group over with all its members, also when it is interrupted
// anywhere and resumes: who is in the group and not in the directory's leaves it with an approval.
func TestFirstRunRemovesNoMembers(t *testing.T) {
	t.Parallel()
	held := 0
	for at := 1; ; at++ {
		w := newWorld(t, settings{groups: true, guests: true, concurrency: 1})
		d := &cast{Tenant: w.tenant, ids: map[string]graphsync.ID{}}
		d.hire("ada", "bob")
		d.group("Sales", "ada")
		d.Assign(frontApp, d.ids["Sales"], "Editor")
		d.Assign(frontApp, d.ids["bob"], "Viewer")
		var members []any
		for _, name := range []string{"ada", "bob"} {
			members = append(members, map[string]any{"value": w.front.Seed(t, map[string]any{"userName": name + "@contoso.example", "active": true})})
		}
		w.front.SeedGroup(t, map[string]any{"displayName": "Sales", "members": members})

		w.wire.interrupt(interruption{at: at, crash: true, after: true})
		_, err := w.run(reconcile.Options{Apply: true})
		interrupted := err != nil
		if interrupted {
			report, err := w.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			held += report.Summary.Held
		}
		if n := len(w.front.Group(t, "Sales")["members"].([]any)); n != 2 {
			t.Errorf("interrupted at call %d: %d members are left, want both", at, n)
		}
		if !interrupted {
			break
		}
	}
	if held == 0 {
		t.Error("no interruption led to a removal: nothing was tested")
	}
}
