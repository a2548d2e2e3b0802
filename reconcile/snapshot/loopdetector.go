package snapshot

import (
	"errors"
	"fmt"

	"entrasync/graphsync"
	"entrasync/graphsync/paging"
)

// deltaLimits end a round of delta pages that has no end. Graph may send a page again, and empty ones:
// never thousands. The largest directories have some hundred thousand pages.
var deltaLimits = paging.Limits{Pages: 2_000_000, Empty: 1000, Same: 50}

// errLoop means that a round does not come to its end where it leads to: the next cycle starts it
// again.
var errLoop = errors.New("the round has no end")

// A loopDetector notices that a round of delta pages never ends.
type loopDetector struct {
	stream graphsync.Stream
	pages  *paging.Detector
	ids    []byte // of the page at hand
}

func newLoopDetector(stream graphsync.Stream) *loopDetector {
	return &loopDetector{stream: stream, pages: paging.New(deltaLimits)}
}

// add takes the next page of the round.
func (l *loopDetector) add(page *graphsync.Page) error {
	l.ids = l.ids[:0]
	for i := range page.Changes {
		change := &page.Changes[i]
		l.ids = append(l.ids, change.ID[:]...)
		for _, member := range change.Members {
			l.ids = append(l.ids, member.ID[:]...)
		}
	}
	if err := l.pages.Page(len(page.Changes), l.ids, page.Next); err != nil {
		return fmt.Errorf("read %s: %w", l.stream, &graphsync.Error{Class: graphsync.BadResponse, Op: string(l.stream) + "/delta",
			Message: err.Error(), Hint: "the next cycle reads everything again", Err: errLoop})
	}
	return nil
}
