// Package undo works out from lines of an audit log what some of them changed and what would put it back.
//
// It is pure: it reads no state and asks no application. A [Change] is the net effect of the chosen lines on one user or
// group, a [Membership] that on one member of a group; both know what later lines changed, which an undo leaves alone.
package undo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

// A Request says which lines are undone: all that every given field fits.
type Request struct {
	Run    string         `json:"run,omitempty"`
	Since  time.Time      `json:"since,omitzero"`
	Kind   graphsync.Kind `json:"kind,omitzero"`
	Object graphsync.ID   `json:"source_id,omitzero"` // of this user or group alone; zero: of all
	// Approve are guards that an operator lets the plan pass.
	Approve []string `json:"approve,omitempty"`
}

// Words says what is undone, to be put behind "undo of".
func (r *Request) Words() string {
	var parts []string
	if r.Run != "" {
		parts = append(parts, "run "+r.Run)
	}
	if !r.Since.IsZero() {
		parts = append(parts, "everything since "+r.Since.UTC().Format(time.RFC3339))
	}
	if !r.Object.IsZero() {
		parts = append(parts, fmt.Sprintf("%s %s", r.Kind, r.Object))
	}
	return strings.Join(parts, ", ")
}

// A Line is what undoing needs to know of a line of the audit log.
type Line struct {
	Seq      uint64         `json:"seq"`
	At       time.Time      `json:"at"`
	Event    string         `json:"event"`
	Sync     string         `json:"sync"`
	Run      string         `json:"run"`
	Result   string         `json:"result"`
	Op       plan.Op        `json:"op"`
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	TargetID *string        `json:"target_id"`
	Account  string         `json:"account"`
	Key      string         `json:"key"`
	Changes  []plan.Change  `json:"changes"`
	Add      []graphsync.ID `json:"add"`
	Remove   []graphsync.ID `json:"remove"`
	Error    *struct {
		Code string `json:"code"`
	} `json:"error"`
}

// ParseLine reads a line. Those that are about no user or group are nil.
func ParseLine(text []byte) (*Line, error) {
	var about struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(text, &about); err != nil {
		return nil, fmt.Errorf("read a line of the audit log: %w", err)
	}
	switch about.Event {
	case "action", "recovered", "link_broken":
	default:
		return nil, nil
	}
	line := &Line{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(line); err != nil {
		return nil, fmt.Errorf("read a line of the audit log: %w", err)
	}
	if line.Event == "link_broken" {
		line.Op = plan.Unlink
		line.Changes = nil // of the link, not of the account
	}
	return line, nil
}

// Chosen reports whether a request is about a line.
func (r *Request) Chosen(l *Line) bool {
	return (r.Run == "" || l.Run == r.Run) && (r.Since.IsZero() || !l.At.Before(r.Since)) &&
		(r.Object.IsZero() || l.SourceID == r.Object && l.Kind == r.Kind ||
			l.Op == plan.Members && r.Kind == graphsync.User && (slices.Contains(l.Add, r.Object) || slices.Contains(l.Remove, r.Object)))
}

// account is the account that a line is about, "" where it does not say.
func (l *Line) account() string {
	if l.Account != "" {
		return l.Account
	}
	if l.TargetID != nil {
		return *l.TargetID
	}
	return ""
}

// A Change is the net effect of the chosen lines on one object.
type Change struct {
	Key     string            `json:"key"`
	Account string            `json:"account"`
	Created bool              `json:"created,omitempty"` // the account was made
	Adopted bool              `json:"adopted,omitempty"` // the account was there, and was linked
	Dropped bool              `json:"dropped,omitempty"` // the link was dropped and the account stayed
	Deleted bool              `json:"deleted,omitempty"` // the account was deleted
	Failed  string            `json:"failed,omitempty"`  // nothing else than a failure is known: its operation and code
	Refused bool              `json:"refused,omitempty"` // a deletion was refused, which may have switched the account off instead
	Active  *Value            `json:"active,omitempty"`
	Values  map[string]*Value `json:"values,omitempty"`
	Gone    string            `json:"gone,omitempty"` // what a later line did to the account or link as a whole
}

// A Value is what the chosen lines found and left, and whether a later one changed it.
type Value struct {
	Before any  `json:"before"`
	After  any  `json:"after"`
	Later  bool `json:"later,omitempty"`
}

// Done adds a chosen line to the net effect.
func (c *Change) Done(l *Line) {
	c.Key = l.Key
	if l.Result != "done" {
		if c.Account == "" && c.Failed == "" {
			c.Failed = string(l.Op)
			if l.Error != nil {
				c.Failed += ", " + l.Error.Code
			}
		}
		c.Refused = c.Refused || l.Op == plan.Delete
		if c.Refused {
			c.Account = l.account()
		}
		return
	}
	c.Failed, c.Refused = "", false
	first := c.Account == ""
	if id := l.account(); id != "" {
		c.Account = id
	}
	switch l.Op {
	case plan.Create:
		c.Created, c.Deleted, c.Dropped = true, false, false
	case plan.Adopt:
		c.Adopted = !c.Created && (first || c.Adopted)
		c.Deleted, c.Dropped = false, false
	case plan.Delete:
		c.Deleted = true
	case plan.Unlink:
		c.Dropped = true
	}
	for _, change := range l.Changes {
		c.value(change.Attribute, change.Old).After = change.New
	}
	switch l.Op {
	case plan.Deactivate:
		c.value("active", true).After = false
	case plan.Reactivate:
		c.value("active", false).After = true
	}
}

// value returns the value of an attribute, which was before when no chosen line changed it yet.
func (c *Change) value(attribute string, before any) *Value {
	if strings.EqualFold(attribute, "active") {
		if c.Active == nil {
			c.Active = &Value{Before: before}
		}
		return c.Active
	}
	if c.Values == nil {
		c.Values = map[string]*Value{}
	}
	if c.Values[attribute] == nil {
		c.Values[attribute] = &Value{Before: before}
	}
	return c.Values[attribute]
}

// Later adds a line that is not chosen and came after one that is.
func (c *Change) Later(l *Line) {
	if l.Result != "done" {
		return
	}
	switch l.Op {
	case plan.Create, plan.Adopt, plan.Delete, plan.Unlink:
		c.Gone = fmt.Sprintf("%s in run %s", l.Op, l.Run)
		if l.Run == "" {
			c.Gone = "its link was broken"
		}
	case plan.Deactivate, plan.Reactivate:
		if c.Active == nil {
			c.Active = &Value{}
		}
		c.Active.Later = true
	}
	for _, change := range l.Changes {
		switch v := c.Values[change.Attribute]; {
		case strings.EqualFold(change.Attribute, "active") && c.Active != nil:
			c.Active.Later = true
		case v != nil:
			v.Later = true
		}
	}
}

// Attributes are the attributes that the chosen lines changed, without active, sorted.
func (c *Change) Attributes() []string { return slices.Sorted(maps.Keys(c.Values)) }

// A Membership is the net effect of the chosen lines on one member of a group.
type Membership struct {
	Before bool `json:"before"`
	After  bool `json:"after"`
	Later  bool `json:"later,omitempty"`
}

// Same reports whether two values are the same JSON.
func Same(a, b any) bool { return bytes.Equal(plan.Encode(normal(a)), plan.Encode(normal(b))) }

// normal brings a value to the form that decoding JSON gives.
func normal(v any) any {
	var out any
	dec := json.NewDecoder(bytes.NewReader(plan.Encode(v)))
	dec.UseNumber()
	if dec.Decode(&out) != nil {
		return v
	}
	return out
}
