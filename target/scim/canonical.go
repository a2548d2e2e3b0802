package scim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/target"
)

// texts returns the strings of a list.
func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, element := range list {
		if s, ok := element.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// unknownSubs returns the sub-attributes of a path, also those of its filter, that its attribute does
// not have. An attribute whose sub-attributes are not described has every one.
func (t types) unknownSubs(kind target.Kind, path target.Path) (unknown []string) {
	whole, ok := t.of(kind, path.Whole())
	if !ok || len(whole.subs) == 0 {
		return nil
	}
	for _, sub := range path.SubAttributes() {
		if !slices.ContainsFunc(whole.subs, func(known string) bool { return strings.EqualFold(known, sub) }) {
			unknown = append(unknown, path.Name()+"."+sub+didYouMean(sub, whole.subs))
		}
	}
	return unknown
}

// canonicalValues returns the canonical values of a path's end and, where that is complex, of its
// sub-attributes, by path.
func (t types) canonicalValues(kind target.Kind, path target.Path) map[string]target.CanonicalValues {
	found := map[string]target.CanonicalValues{}
	end, _ := t.of(kind, path)
	if len(end.canonical.Values) > 0 {
		found[path.String()] = end.canonical
	}
	if path.Sub() != "" {
		return found
	}
	schema := path.Schema()
	if schema == "" {
		schema = coreSchema(kind)
	}
	for _, sub := range end.subs {
		if of := t[typeKey(schema, path.Name(), sub)]; len(of.canonical.Values) > 0 {
			found[path.String()+"."+strings.ToLower(sub)] = of.canonical
		}
	}
	return found
}

// didYouMean ends a sentence about a misspelled word, "" where nothing is near.
func didYouMean(word string, candidates []string) string {
	if near := target.Near(word, candidates); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// oddFilterValues returns a sentence for each value in the filter of a path, such as wrk in
// emails[type eq "wrk"].value, that is none of the canonicalValues of its sub-attribute (RFC 7643, section 7).
func (t types) oddFilterValues(kind target.Kind, path target.Path) (odd []string) {
	if !path.Filtered() {
		return nil
	}
	example := map[string]any{}
	path.Set(example, "x")
	if nested, ok := example[path.Schema()].(map[string]any); ok {
		example = nested
	}
	schema := path.Schema()
	if schema == "" {
		schema = coreSchema(kind)
	}
	elements, _ := example[path.Name()].([]any)
	for _, element := range elements {
		m, _ := element.(map[string]any)
		for _, sub := range slices.Sorted(maps.Keys(m)) {
			value, ok := m[sub].(string)
			known := t[typeKey(schema, path.Name(), sub)].canonical
			if !ok || strings.EqualFold(sub, path.Sub()) || len(known.Values) == 0 || known.Has(value) {
				continue
			}
			odd = append(odd, fmt.Sprintf("%s has the %s %q; its schemas name %s%s", path, sub, value, strings.Join(known.Values, ", "), didYouMean(value, known.Values)))
		}
	}
	return odd
}
