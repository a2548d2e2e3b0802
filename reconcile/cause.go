package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

// A Cause is what records that were skipped or failed have in common.
type Cause struct {
	Kind  graphsync.Kind
	Op    plan.Op // "" for records that were skipped
	Code  string
	Text  string // the reason; where it names a record and there are several, … stands for that one
	Count int
	Names []string // of the first three
}

// Who returns the names a list shows: all of up to three, else the first three and how many more.
func (c *Cause) Who() string {
	who := strings.Join(c.Names, ", ")
	if more := c.Count - len(c.Names); more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	return who
}

// causeNames is how many records a cause names.
const causeNames = 3

// maxCauses bounds the memory of a grouping. Further reasons of a code share one cause.
const maxCauses = 500

// Causes groups records by the reason they share, in the order in which each reason first came. The
// zero value is ready to use. Its memory does not grow with the number of records.
type Causes struct {
	list  []*Cause
	known map[string]*Cause
}

// Add counts one record.
func (c *Causes) Add(kind graphsync.Kind, op plan.Op, code, text, name string) {
	shared := text
	if name != "" {
		shared = strings.ReplaceAll(text, name, "…")
	}
	cause := c.cause(kind, op, code, shared)
	switch cause.Count++; cause.Count {
	case 1:
		cause.Text = text
	case 2:
		cause.Text = shared
	}
	if len(cause.Names) < causeNames {
		cause.Names = append(cause.Names, name)
	}
}

func (c *Causes) cause(kind graphsync.Kind, op plan.Op, code, shared string) *Cause {
	if c.known == nil {
		c.known = map[string]*Cause{}
	}
	key := fmt.Sprintf("%d %s %s %s", kind, op, code, shared)
	if len(c.list) >= maxCauses && c.known[key] == nil {
		key = fmt.Sprintf("%d %s %s", kind, op, code)
	}
	cause := c.known[key]
	if cause == nil {
		cause = &Cause{Kind: kind, Op: op, Code: code}
		c.known[key] = cause
		c.list = append(c.list, cause)
	}
	return cause
}

// List returns the causes, those of most records first.
func (c *Causes) List() []*Cause {
	sorted := slices.Clone(c.list)
	slices.SortStableFunc(sorted, func(a, b *Cause) int { return b.Count - a.Count })
	return sorted
}
