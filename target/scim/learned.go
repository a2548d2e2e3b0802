package scim

import (
	"maps"
	"sync"
	"time"

	"entrasync/target"
)

// learned is what a server turned out to do, kept for the life of the process.
type learned struct {
	mu          sync.Mutex // protects all fields below
	facts       map[fact]bool
	memberLimit int // changes in one PATCH that a server took when more were refused
	provider    *provider
	providerAt  time.Time
}

// A fact is one thing learned, about a kind and, where it matters, an attribute.
type fact struct {
	what      string
	kind      target.Kind
	attribute string
}

// What can be learned.
const (
	noPatch       = "PATCH is refused, PUT works"
	patchWorks    = "PATCH was taken"
	noFilter      = "the filter is refused or ignored"
	exactFilter   = "the filter compares in exact case"
	looseFilter   = "the filter compares in any case"
	emptyFilter   = "nobody to try the filter's case on"
	noPathFilters = "paths with a filter are refused, the whole attribute works"
	noExclude     = "excludedAttributes is refused"
	notTaken      = "the attribute did not take"
	onlyPut       = "the attribute takes with PUT only"
	showsMembers  = "members are shown"
	hidesMembers  = "members that were added are not shown"
)

func (l *learned) knows(what string, kind target.Kind, attribute string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.facts[fact{what, kind, attribute}]
}

// learn records a fact and reports whether it is new.
func (l *learned) learn(what string, kind target.Kind, attribute string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := fact{what, kind, attribute}
	if l.facts[f] {
		return false
	}
	if l.facts == nil {
		l.facts = map[fact]bool{}
	}
	l.facts[f] = true
	return true
}

// forget drops a fact about all kinds and attributes.
func (l *learned) forget(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.facts, func(f fact, _ bool) bool { return f.what == what })
}

func (l *learned) limit(most int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.memberLimit > 0 {
		return min(l.memberLimit, most)
	}
	return most
}

func (l *learned) setLimit(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memberLimit = n
}
