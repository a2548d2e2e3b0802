package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
)

// Unread says, in a sentence for each list, which required properties no round has read yet: what a plan from the
// snapshot alone cannot show.
func Unread(tenant *state.Tenant, required Requirements) (notes []string, err error) {
	err = tenant.View(func(tx *state.Tx) error {
		for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
			read := strings.Split(tx.Cursors().Get(stream).Select, ",")
			unread := slices.DeleteFunc(slices.Clone(required.of(stream)), func(name string) bool { return containsFold(read, name) })
			if len(unread) > 0 {
				notes = append(notes, fmt.Sprintf("the snapshot of %s has not read %s yet: plan without --no-refresh to see what comes of it", stream, strings.Join(unread, ", ")))
			}
		}
		return nil
	})
	return notes, err
}

// containsFold reports whether a list has a name in any case.
func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, name) })
}
