package reconcile

import (
	"errors"
	"fmt"
	"hash/maphash"

	"entrasync/graphsync"
)

const (
	// emptyPagesLimit ends a round that keeps sending empty pages: Graph may send some, never
	// thousands.
	emptyPagesLimit = 1000
	// samePagesLimit ends a round that leads in a circle. Graph may send a page again.
	samePagesLimit = 50
)

// errEndless means that a round does not come to its end where it leads to: it is begun anew by
// the next cycle.
var errEndless = errors.New("the round leads in a circle")

// A circle notices that a round of pages never ends.
type circle struct {
	stream graphsync.Stream
	empty  int
	seed   maphash.Seed
	seen   map[uint64]int // how often a page with these objects came
}

func newCircle(stream graphsync.Stream) *circle {
	return &circle{stream: stream, seed: maphash.MakeSeed(), seen: map[uint64]int{}}
}

// add takes the next page of the round.
func (c *circle) add(page *graphsync.Page) error {
	if len(page.Changes) == 0 {
		if c.empty++; c.empty > emptyPagesLimit {
			return c.endless(fmt.Sprintf("%d empty pages in a row, each pointing to another", c.empty))
		}
		return nil
	}
	c.empty = 0
	var h maphash.Hash
	h.SetSeed(c.seed)
	for i := range page.Changes {
		change := &page.Changes[i]
		h.Write(change.ID[:])
		for _, member := range change.Members {
			h.Write(member.ID[:])
		}
	}
	if c.seen[h.Sum64()]++; c.seen[h.Sum64()] > samePagesLimit {
		return c.endless(fmt.Sprintf("one page came %d times, each time pointing to another", c.seen[h.Sum64()]))
	}
	return nil
}

func (c *circle) endless(what string) error {
	return fmt.Errorf("read %s: %w", c.stream, &graphsync.Error{Class: graphsync.BadResponse, Op: string(c.stream) + "/delta",
		Message: what, Hint: "the next cycle reads everything again", Err: errEndless})
}
