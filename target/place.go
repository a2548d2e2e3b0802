package target

import (
	"fmt"
	"slices"
	"strings"
)

// Labels reports whether a resource has an element at the path's attribute that carries every
// sub-attribute the path's filter asks for: proof that the application keeps them. A path without
// a filter asks for none.
func (p Path) Labels(attrs map[string]any) bool {
	return p.Filtered() && slices.ContainsFunc(p.elements(attrs), func(element any) bool { return !p.ref.unlabelled(element) })
}

// Unlabelled reports whether a resource has an element at the path's attribute without a
// sub-attribute that the path's filter asks for: whether it is the one meant cannot be told by
// the filter.
func (p Path) Unlabelled(attrs map[string]any) bool {
	return p.Filtered() && slices.ContainsFunc(p.elements(attrs), p.ref.unlabelled)
}

// Place writes a value as [Path.Set] does, into a resource of an application that may not keep
// the sub-attributes a filter asks for, such as type and primary: the list gets no element more
// than is wanted. old is what was last written there, nil for nothing. When several elements have
// no such sub-attribute and old does not tell which of them is meant, nothing is written and the
// error says so.
func (p Path) Place(attrs map[string]any, old, value any) error {
	list := p.elements(attrs)
	if !p.Filtered() || slices.ContainsFunc(list, p.ref.filter.match) {
		p.Set(attrs, value)
		return nil
	}
	var candidates []int
	for i, element := range list {
		if p.ref.unlabelled(element) {
			candidates = append(candidates, i)
		}
	}
	chosen := p.chosen(list, candidates, old, value)
	switch {
	case chosen < 0 && blank(old) && blank(value):
		return nil // nothing of ours is there
	case len(candidates) == 0, chosen < 0 && blank(old) && len(candidates) == 1:
		p.Set(attrs, value) // one more is wanted
		return nil
	case chosen < 0:
		return fmt.Errorf("the application shows %d %s without what %s asks for, and which of them is meant cannot be told", len(candidates), p.Name(), p)
	}
	kept := slices.Clone(list)
	element, ok := clone(kept[chosen]).(map[string]any)
	if !ok {
		element = map[string]any{"value": kept[chosen]}
	}
	for _, eq := range p.ref.filter.equals() {
		element[keyOf(element, eq.ref.name)] = eq.emitted()
	}
	kept[chosen] = element
	whole := p.Whole()
	whole.Set(attrs, kept)
	p.Set(attrs, value)
	return nil
}

// chosen returns which of the elements without labels a path means: the only one there is, the one
// with the value that was last written, or the one that has the value already. -1 is none.
func (p Path) chosen(list []any, candidates []int, old, value any) int {
	if !blank(old) && len(list) == 1 && len(candidates) == 1 {
		return candidates[0]
	}
	for _, wanted := range []any{old, value} {
		i := slices.IndexFunc(candidates, func(i int) bool { return !blank(wanted) && p.ref.same(wanted, p.ref.within(list[i])) })
		if i >= 0 {
			return candidates[i]
		}
	}
	return -1
}

func (p Path) elements(attrs map[string]any) []any { return asList(p.Whole().Get(attrs)) }

// within returns the path's value in one element of its list.
func (r reference) within(element any) any {
	if r.sub == "" {
		return element
	}
	return subOf(element, r.sub)
}

// unlabelled reports whether an element may be the one that a filter means although the filter
// does not match it: a sub-attribute that the filter asks for is absent, and none is another.
func (r reference) unlabelled(element any) bool {
	attrs, ok := element.(map[string]any)
	if !ok {
		attrs = map[string]any{"value": element}
	}
	lacks := false
	for _, eq := range r.filter.equals() {
		switch strings.ToLower(eq.ref.name) {
		case "value", "$ref", "id": // they identify an element: without them it is another
			return false
		}
		switch {
		case empty(lookup(attrs, eq.ref.name)):
			lacks = true
		case !eq.match(attrs):
			return false
		}
	}
	return lacks
}

// index returns which element of a list the filter means: the first it matches, or else the only
// one there is, when that has nothing of what the filter asks for. -1 is none.
func (r reference) index(list []any) int {
	if i := slices.IndexFunc(list, r.filter.match); i >= 0 {
		return i
	}
	if len(list) == 1 && r.unlabelled(list[0]) {
		return 0
	}
	return -1
}
