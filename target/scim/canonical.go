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
			values := t[typeKey(schema, path.Name(), sub)].values
			if !ok || strings.EqualFold(sub, path.Sub()) || len(values) == 0 ||
				slices.ContainsFunc(values, func(known string) bool { return strings.EqualFold(known, value) }) {
				continue
			}
			odd = append(odd, fmt.Sprintf("%s has the %s %q; its schemas name %s", path, sub, value, strings.Join(values, ", ")))
		}
	}
	return odd
}
