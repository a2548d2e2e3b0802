// Package paging notices that a list of pages has no end: servers and proxies repeat a page, lead in a
// circle, or invent one page after another. It knows neither Graph nor SCIM, so that every list that is
// read is judged alike.
package paging

import (
	"fmt"
	"hash/maphash"
)

// Limits are how many pages are believed.
type Limits struct {
	Pages int // in all
	Empty int // in a row without an entry
	Same  int // with the same entries, or with the same link to the next page
}

// A Detector follows one list. It keeps some bytes for each page and none for what is on it.
type Detector struct {
	limits       Limits
	seed         maphash.Seed
	pages, empty int
	seen         map[uint64]int // by digest of a page's entries, or of a link
}

// An LoopError says why a list is taken for one without an end.
type LoopError struct{ What string }

// Error says so in a sentence.
func (e *LoopError) Error() string { return "the list has no end: " + e.What }

// New returns the detector of one list.
func New(limits Limits) *Detector {
	return &Detector{limits: limits, seed: maphash.MakeSeed(), seen: map[uint64]int{}}
}

// Page takes the next page: how many entries it has, what they are (any text that is the same for the
// same entries), and the link or cursor to the page behind it, "" when there is none. The error is an
// *[LoopError].
func (d *Detector) Page(entries int, content []byte, next string) error {
	if next == "" {
		return nil
	}
	d.pages++
	if d.empty++; entries > 0 {
		d.empty = 0
	}
	switch {
	case d.pages >= d.limits.Pages:
		return &LoopError{fmt.Sprintf("%d pages were read, and there is another one", d.pages)}
	case d.empty >= d.limits.Empty:
		return &LoopError{fmt.Sprintf("%d empty pages in a row, each pointing to another", d.empty)}
	}
	if n := d.count('n', []byte(next)); n > d.limits.Same {
		return &LoopError{fmt.Sprintf("%d pages point to the same next one", n)}
	}
	if entries == 0 {
		return nil
	}
	if n := d.count('c', content); n > d.limits.Same {
		return &LoopError{fmt.Sprintf("one page came %d times, each time pointing to another", n)}
	}
	return nil
}

func (d *Detector) count(what byte, text []byte) int {
	var h maphash.Hash
	h.SetSeed(d.seed)
	h.WriteByte(what)
	h.Write(text)
	d.seen[h.Sum64()]++
	return d.seen[h.Sum64()]
}
