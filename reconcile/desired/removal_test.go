package desired

import (
	"testing"
	"time"

	"entrasync/reconcile/plan"
)

func TestRemoval(t *testing.T) {
	t.Parallel()
	common, unassigned, deleted := OnRemove{Do: plan.Deactivate}, OnRemove{}, OnRemove{Do: plan.Deactivate, After: time.Hour}
	for name, test := range map[string]struct {
		rules Rules
		want  map[LeaveReason]OnRemove
		later bool
	}{
		"one policy": {Rules{OnRemove: common}, map[LeaveReason]OnRemove{"": common, Inactive: common, OutOfScope: common, Deleted: common}, false},
		"two more": {Rules{OnRemove: common, OnUnassign: &unassigned, OnDelete: &deleted},
			map[LeaveReason]OnRemove{"": common, Inactive: common, OutOfScope: unassigned, Deleted: deleted}, true},
		"all later, but for two reasons": {Rules{OnRemove: deleted, OnUnassign: &unassigned, OnDelete: &common},
			map[LeaveReason]OnRemove{"": deleted, Inactive: deleted, OutOfScope: unassigned, Deleted: common}, true},
	} {
		for reason, want := range test.want {
			if got := test.rules.Removal(reason); got != want {
				t.Errorf("%s: %q: %+v, want %+v", name, reason, got, want)
			}
		}
		if got := test.rules.DeletesLater(); got != test.later {
			t.Errorf("%s: DeletesLater is %v", name, got)
		}
	}
}
