package desired

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
	"entrasync/state"
	"entrasync/target"
)

// Words that stand for a value in plans and logs.
const (
	Redacted  = "[Redact]"              // Entra's own word in provisioning logs
	Generated = "[generated on create]" // random values are made when the account is
	AccountOf = "[account of "          // the id of an account that the plan makes
)

// An Outcome is what a mapping makes of one object, and what people call it there.
type Outcome struct {
	mapping.Result
	Key string
}

// Evaluate works out the attributes an object should have in the application.
func (e *Evaluator) Evaluate(object *state.Object, stand *Eligibility, m *mapping.Mapping, creating bool) Outcome {
	env := mapping.Env{
		Source:        &Source{Object: object, Eval: e, Eligibility: stand},
		Now:           e.now,
		DefaultDomain: e.domain,
		Random:        rand.Reader,
		Taken:         func(value string) (bool, error) { return e.taken(object, m, value) },
	}
	result := m.Evaluate(&env, creating)
	name := "userName"
	if object.Kind == graphsync.Group {
		name = "displayName"
	}
	return Outcome{Result: result, Key: TextOf(result.Attributes, name)}
}

// DesireIn works out the attributes of an object of the snapshot. A user counts as in scope by its
// eligibility, a group always. A value that cannot be worked out is an error.
func (e *Evaluator) DesireIn(tx *state.Tx, kind graphsync.Kind, id graphsync.ID, creating bool) (Outcome, error) {
	object, ok := tx.Objects().Get(kind, id)
	if !ok {
		return Outcome{}, fmt.Errorf("%s %s is not in the snapshot", kind, id)
	}
	stand := Eligibility{Known: true, InScope: true, Enabled: true}
	if e.In(tx); kind == graphsync.User {
		stand = e.Eligibility(&object, nil)
	}
	o := e.Evaluate(&object, &stand, e.sync.rules(kind).Mapping, creating)
	if o.Problem != nil {
		return o, o.Problem
	}
	return o, nil
}

// TextOf returns the desired value of a path as text, "" when there is none.
func TextOf(desired []mapping.Desired, path string) string {
	for _, d := range desired {
		if d.Do == mapping.Write && strings.EqualFold(d.Attribute.Path.String(), path) {
			switch v := d.Value.(type) {
			case nil:
				return ""
			case string:
				return v
			default:
				return fmt.Sprint(v)
			}
		}
	}
	return ""
}

// WantsActive is what the mapping of `active` says; without one, people in scope are active.
// Some applications take it as text (requirement R6), so text counts too.
func WantsActive(desired []mapping.Desired) bool {
	for _, d := range desired {
		if d.Do == mapping.Write && strings.EqualFold(d.Attribute.Path.String(), "active") {
			return strings.EqualFold(fmt.Sprint(d.Value), "true")
		}
	}
	return true
}

// WithActive makes sure that a list of changes has the one of active, first.
func WithActive(changes []plan.Change, old, new any) []plan.Change {
	for _, change := range changes {
		if strings.EqualFold(change.Attribute, "active") {
			return changes
		}
	}
	return append([]plan.Change{{Attribute: "active", Old: old, New: new}}, changes...)
}

// Nothing is the held function of a user who has no account.
func Nothing(string) (any, bool) { return nil, false }

// AppliedChanges compares what is desired with what this sync last applied.
func AppliedChanges(m *mapping.Mapping, desired []mapping.Desired, link *state.Link) []plan.Change {
	return Planned(m.Changes(desired, func(path string) (any, bool) {
		raw, ok := link.Applied[path]
		if !ok {
			return nil, false
		}
		for _, d := range desired {
			if d.Attribute.Redact && d.Attribute.Path.String() == path {
				// Only a digest of a redacted value is kept: equal digests, equal values.
				if string(raw) == string(digestOf(link.Source, path, d.Attribute.Canonical(d.Value))) {
					return d.Value, true
				}
				return Redacted, true
			}
		}
		var value any
		if json.Unmarshal(raw, &value) != nil {
			return nil, false
		}
		return value, true
	}, false))
}

// ResourceChanges compares what is desired with an account as the application returned it.
func ResourceChanges(m *mapping.Mapping, desired []mapping.Desired, resource *target.Resource) []plan.Change {
	return Planned(m.Changes(desired, func(path string) (any, bool) {
		for _, d := range desired {
			if d.Attribute.Path.String() == path {
				value := d.Attribute.Own(resource.Value(d.Attribute.Path))
				return value, value != nil
			}
		}
		return nil, false
	}, false))
}

// Planned turns a mapping's changes into a plan's, hiding what must not be seen.
func Planned(changes []mapping.Change) []plan.Change {
	out := make([]plan.Change, 0, len(changes))
	for _, change := range changes {
		shown := plan.Change{Attribute: change.Attribute.Path.String(), Old: change.Old, New: change.New}
		switch {
		case change.Attribute.Redact:
			if shown.Old != nil {
				shown.Old = Redacted
			}
			if shown.New != nil {
				shown.New = Redacted
			}
		case change.Attribute.Volatile() && change.New != nil:
			shown.New = Generated
		}
		out = append(out, shown)
	}
	return out
}

// MadeOnApply reports whether a planned value only stands for one that is made when the action
// is applied.
func MadeOnApply(planned any) bool {
	text, ok := planned.(string)
	return ok && (text == Redacted || text == Generated || strings.HasPrefix(text, AccountOf))
}

// Canonical is the JSON form in which an applied value is kept with the link.
func Canonical(source graphsync.ID, a *mapping.Attribute, value any) json.RawMessage {
	if a.Redact {
		return digestOf(source, a.Path.String(), a.Canonical(value))
	}
	return plan.Encode(a.Canonical(value))
}

func digestOf(source graphsync.ID, path string, value any) json.RawMessage {
	h := sha256.New()
	h.Write(source[:])
	h.Write([]byte(path))
	h.Write(plan.Encode(value))
	return plan.Encode("sha256:" + hex.EncodeToString(h.Sum(nil)[:16]))
}

// filterLookup gives a scoping filter the properties of an object.
func filterLookup(object *state.Object) scope.Lookup {
	return func(attribute string) scope.Value {
		property, _ := mapping.GraphProperty(attribute)
		switch {
		case strings.EqualFold(attribute, "objectId"):
			return scope.String(object.ID.String())
		case strings.EqualFold(attribute, graphsync.TypeProperty):
			return scope.String(typeName(object))
		}
		raw, ok := object.Value(property)
		if !ok {
			return scope.Value{}
		}
		return scope.JSON(raw)
	}
}
