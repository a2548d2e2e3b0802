package check

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"entrasync/graphsync"
)

// A tenant that counts the groups that are read one by one.
type countedGroups struct {
	graphsync.Source // not called
	reads            atomic.Int64
}

func (c *countedGroups) Object(_ context.Context, _ graphsync.Kind, id graphsync.ID, _ []string) (*graphsync.Change, error) {
	c.reads.Add(1)
	if id[15] == 7 {
		return nil, errors.New("refused")
	}
	return &graphsync.Change{Kind: graphsync.Group, ID: id}, nil
}

// Groups are read once each, up to a limit. Those that were not read are told apart.
func TestReadGroups(t *testing.T) {
	t.Parallel()
	var ids []graphsync.ID
	for n := range hiddenLimit + 5 {
		id := graphsync.ID{1, byte(n >> 8), byte(n)}
		if n == 3 {
			id[15] = 7
		}
		ids = append(ids, id, id)
	}
	source := &countedGroups{}
	groups := readGroups(t.Context(), source, ids, nil)
	if source.reads.Load() != hiddenLimit || len(groups) != hiddenLimit+5 {
		t.Errorf("%d reads, want %d; %d groups", source.reads.Load(), hiddenLimit, len(groups))
	}
	missing := 0
	for _, group := range groups {
		if group == nil {
			missing++
		}
	}
	if missing != 6 { // above the limit, and one that was refused
		t.Errorf("%d groups were not read, want 6", missing)
	}
}
