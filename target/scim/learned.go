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
	pageLimit   int // resources at once that a server took when more were refused
	provider    *provider
	providerAt  time.Time
	types       types
	typesAt     time.Time
	servedAt    time.Time                // when it last answered a list as SCIM has it
	made        map[target.Ref]time.Time // when what was made here lately was made
	empty       map[string]bool          // ids of groups made here that no member was added to
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
	filterWorks   = "the filter was answered"
	filterFinds   = "the filter has found an account"
	exactFilter   = "the filter compares in exact case"
	looseFilter   = "the filter compares in any case"
	emptyFilter   = "no user to try the filter's case on"
	noPathFilters = "paths with a filter are refused, the whole attribute works"
	noExclude     = "excludedAttributes is refused"
	noCursor      = "pages by cursor are claimed and not kept"
	plainJSON     = "application/scim+json is refused, application/json works"
	keepsLabels   = "elements keep what the path's filter asks for"
	refusesLabels = "roles are taken without type, display and primary only"
	hidden        = "the attribute is not shown"
	terse         = "a write is answered without the attribute, which reading shows"
	onlyMerge     = "the attribute takes without a path only"
	onlyPut       = "the attribute takes with PUT only"
	noRemoval     = "members cannot be removed by path"
	showsMembers  = "members are shown"
	hidesMembers  = "members that were added are not shown"
)

func (l *learned) knows(what string, kind target.Kind, attribute string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.facts[fact{what, kind, attribute}]
}

// knowsAny reports whether a fact is known of some attribute.
func (l *learned) knowsAny(what string, kind target.Kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.facts {
		if f.what == what && f.kind == kind {
			return true
		}
	}
	return false
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

// maxMade bounds how many resources made lately are remembered.
const maxMade = 10_000

// noteMade remembers a resource that was made just now.
func (l *learned) noteMade(ref target.Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made, l.empty = map[target.Ref]time.Time{}, map[string]bool{}
	}
	if len(l.made) >= maxMade {
		clear(l.made)
	}
	l.made[ref] = time.Now()
	if ref.Kind == target.Group {
		l.empty[ref.ID] = true
	}
}

func (l *learned) forgetMade(ref target.Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.made, ref)
	delete(l.empty, ref.ID)
}

// age returns how long ago a resource was made here, false when it was not, or is forgotten.
func (l *learned) age(ref target.Ref) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.made[ref]
	return time.Since(at), ok
}

func (l *learned) noteFilled(group string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.empty, group)
}

func (l *learned) isEmpty(group string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.empty[group]
}

func (l *learned) pageSize(most int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pageLimit > 0 {
		return min(l.pageLimit, most)
	}
	return most
}

func (l *learned) setPageSize(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pageLimit = n
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
