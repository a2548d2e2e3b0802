package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Route says which events a channel takes.
type Route struct {
	Name     string
	Events   []string // types; nil: all
	Severity string   // the least; "" for all
	Tenants  []string // names; nil: all, and what concerns the service as a whole
}

// Takes reports whether an event is for the channel.
func (r *Route) Takes(e *Event) bool {
	switch {
	case len(r.Events) > 0 && !slices.Contains(r.Events, e.Type):
		return false
	case slices.Index(Severities, e.Severity) < slices.Index(Severities, r.Severity):
		return false
	}
	return len(r.Tenants) == 0 || slices.Contains(r.Tenants, e.Tenant)
}

// A Message is what one channel is sent at once.
type Message struct {
	Format string    `json:"format"`
	ID     string    `json:"id"` // the same whenever it is sent again
	At     time.Time `json:"at"`
	Events []Event   `json:"events"`
}

const messageFormat = "entrasync/news/1"

// most is how many events one message names.
const most = 50

// Group puts events into messages: the most severe first, those of one type together, the oldest before the others.
// What is said twice in the same words is said once.
func Group(events []Event) (groups [][]Event) {
	var all []Event
	for _, e := range events {
		if !slices.ContainsFunc(all, func(o Event) bool {
			return o.Type == e.Type && o.Sync == e.Sync && o.Tenant == e.Tenant && o.Summary == e.Summary
		}) {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int {
		if by := slices.Index(Severities, b.Severity) - slices.Index(Severities, a.Severity); by != 0 {
			return by
		}
		return strings.Compare(a.Type, b.Type)
	})
	for part := range slices.Chunk(all, most) {
		groups = append(groups, part)
	}
	return groups
}

// Subject is a message in one line.
func (m *Message) Subject() string {
	if len(m.Events) == 1 {
		return "entrasync: " + oneLine(m.Events[0].Summary)
	}
	counts := map[string]int{}
	for _, e := range m.Events {
		counts[e.Type]++
	}
	var parts []string
	for _, kind := range append(slices.Clone(Types), Test) {
		if counts[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[kind], strings.ReplaceAll(kind, "_", " ")))
		}
	}
	return "entrasync: " + strings.Join(parts, ", ")
}

// Text is a message in plain text.
func (m *Message) Text() string {
	var text strings.Builder
	for i, e := range m.Events {
		if i > 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "[%s] %s\n", e.Severity, e.Summary)
		for _, line := range e.Detail {
			fmt.Fprintf(&text, "  - %s\n", line)
		}
		fmt.Fprintf(&text, "  What to do: %s\n", e.Answer)
		if e.Link != "" {
			fmt.Fprintf(&text, "  %s\n", e.Link)
		}
	}
	return text.String()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
