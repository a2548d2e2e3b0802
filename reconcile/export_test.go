package reconcile

import "entrasync/graphsync"

// A RenameStep is what RenameOrder returns.
type RenameStep struct {
	Objects   []graphsync.ID
	Temporary bool
}

// RenameOrder is renameOrder.
func RenameOrder(needs map[graphsync.ID][]graphsync.ID) (out []RenameStep) {
	for _, step := range renameOrder(needs) {
		out = append(out, RenameStep{step.objects, step.temporary})
	}
	return out
}
