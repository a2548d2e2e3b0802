package snapshot

import (
	"fmt"
	"slices"
	"sync"

	"entrasync/graphsync"
)

// noteLimit bounds the notes of one read.
const noteLimit = 1000

// A Result is what a read has taken in, and what an operator should know of it.
type Result struct {
	Pages   int64
	Objects int64 // users, groups and assignments that the pages held
	Users   int64 // of them, entries of the streams
	Groups  int64
	Bytes   int64
	Notes   []string // sentences, each once
}

// Progress is called with how far a list has come ("users", "groups", "assignments"), and with the pages of
// all lists. It may be called by several goroutines at once.
type Progress func(list string, objects int, pages int64)

// A tally counts what the readers of the lists take in. It is safe for concurrent use.
type tally struct {
	progress Progress // may be nil

	mu     sync.Mutex
	result Result
}

func (t *tally) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.result.Notes) < noteLimit && !slices.Contains(t.result.Notes, text) {
		t.result.Notes = append(t.result.Notes, text)
	}
}

// noteCount notes how many there are, in the singular or the plural.
func (t *tally) noteCount(n int, one, many string) {
	if n == 1 {
		t.note("1 %s", one)
		return
	}
	t.note("%d %s", n, many)
}

// page counts a page that was committed.
func (t *tally) page(stream graphsync.Stream, page *graphsync.Page) {
	t.count(1, len(page.Changes), page.Bytes)
	t.mu.Lock()
	switch stream {
	case graphsync.Users:
		t.result.Users += int64(len(page.Changes))
	case graphsync.Groups:
		t.result.Groups += int64(len(page.Changes))
	}
	t.mu.Unlock()
	for _, bad := range page.Skipped {
		t.note("an entry of %s was not understood: %s: %s", stream, bad.ID, bad.Reason)
	}
}

func (t *tally) count(pages, objects, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Pages += int64(pages)
	t.result.Objects += int64(objects)
	t.result.Bytes += int64(bytes)
}

// report says how far a list has come.
func (t *tally) report(list string, objects int) {
	if t.progress != nil {
		t.progress(list, objects, t.sum().Pages)
	}
}

func (t *tally) sum() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result
}
