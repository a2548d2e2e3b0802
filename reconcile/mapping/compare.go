package mapping

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Equal reports whether a target that holds got needs no write to hold want, in the target's
// form ([target.Path.Same]): nil, "" and an empty list are one, so are true and "True", 5 and
// "5", a list in another order or with repetitions, an alias and what it stands for; user
// names and mail addresses are compared in any case.
func (a *Attribute) Equal(want, got any) bool {
	if w, ok := want.(string); ok && w != "" && len(a.aliases) == 0 && !a.Multi {
		if g, ok := got.(string); ok && w == g {
			return true
		}
	}
	return a.Path.Same(a.spelling().of(want), a.spelling().of(got))
}

// Canonical returns the form of a value that is kept with a link: the same for values that
// differ in order, repetition or alias only. Its JSON is deterministic.
func (a *Attribute) Canonical(v any) any {
	v = a.spelling().of(v)
	if items, ok := v.([]any); ok {
		sortItems(items)
	}
	return v
}

// A spelling is the one form that values are compared in.
type spelling struct {
	aliases map[string]string
	multi   bool
}

func (a *Attribute) spelling() spelling { return spelling{aliases: a.aliases, multi: a.Multi} }

// of copies a value into the spelling: aliases resolved, whole numbers as int64, empty
// things as nil, lists without repetitions.
func (s spelling) of(v any) any {
	switch v := v.(type) {
	case []any:
		return s.ofList(v)
	case []string:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = item
		}
		return s.ofList(items)
	case map[string]any:
		return s.ofScalar(v)
	}
	v = s.ofScalar(v)
	if s.multi && v != nil {
		return []any{v}
	}
	return v
}

func (s spelling) ofList(items []any) any {
	out := make([]any, 0, len(items))
	for _, item := range items {
		item = s.ofScalar(item)
		if item != nil && !slices.ContainsFunc(out, func(other any) bool { return same(other, item) }) {
			out = append(out, item)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (s spelling) ofScalar(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		if is, ok := s.aliases[v]; ok {
			return is
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			if member = (spelling{}).of(member); member != nil {
				out[name] = member
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case int, float64, json.Number:
		return FromAny(v).Any()
	}
	return v
}

// same reports whether two list elements are the same.
func same(x, y any) bool {
	if s, ok := x.(string); ok {
		t, ok := y.(string)
		return ok && s == t
	}
	return reflect.DeepEqual(x, y)
}

// sortItems orders elements by their JSON, in which map keys are sorted.
func sortItems(items []any) {
	text := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	slices.SortFunc(items, func(x, y any) int { return cmp.Compare(text(x), text(y)) })
}

// textBool reads True and False in any case.
func textBool(s string) (value, ok bool) {
	return strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}

// A Change is one attribute to write. New is nil to clear.
type Change struct {
	Attribute *Attribute
	Old, New  any
}

// Shown returns old and new value as logs and plans may show them.
func (c Change) Shown() (old, new any) {
	mask := func(v any) any {
		if v != nil && c.Attribute.Redact {
			return redactedText
		}
		return v
	}
	return mask(c.Old), mask(c.New)
}

// Changes returns the attributes whose desired value differs from what is held: as last
// applied or as the target has it, by path. What is written at creation only is left out
// unless creating. After the changes are applied, the same desired values give none.
func (m *Mapping) Changes(desired []Desired, held func(path string) (any, bool), creating bool) []Change {
	var changes []Change
	for _, d := range desired {
		a := d.Attribute
		if d.Do == Keep || a.createOnly && !creating {
			continue
		}
		old, ok := held(a.Path.String())
		switch {
		case d.Do == Clear && (!ok || a.spelling().of(old) == nil):
		case d.Do == Clear:
			changes = append(changes, Change{a, old, nil})
		case !ok:
			changes = append(changes, Change{a, nil, d.Value})
		case !a.Equal(d.Value, old):
			changes = append(changes, Change{a, old, d.Value})
		}
	}
	return changes
}
