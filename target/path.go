package target

import (
	"maps"
	"slices"
	"strings"
)

// A Path names an attribute as a SCIM PATCH does (RFC 7644, section 3.5.2): userName,
// name.givenName, emails[type eq "work"].value, or an extension's attribute behind its URN
// and a colon. The URN ends at the last colon, so that its version's dot is not taken for a
// sub-attribute; a core schema's URN means the same as none. Names are matched in any case.
//
// The zero Path names nothing: reading gives nil and writing does nothing.
type Path struct {
	text string
	ref  reference
}

// ParsePath reads a path. A filter in it may use eq and and only, because a missing element
// is made from its filter. An error names the column and what was probably meant.
func ParsePath(text string) (Path, error) {
	p := parser{text: text, what: "attribute path"}
	ref, err := p.path()
	if err != nil {
		return Path{}, err
	}
	return Path{text: text, ref: ref}, nil
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Canonical returns the path as it goes over the wire: without a core schema's URN, and with
// the boolean of primary eq "True" as a boolean.
func (p Path) Canonical() string { return p.ref.key() }

// Schema returns the URN of the extension the attribute belongs to, "" for a core attribute.
func (p Path) Schema() string { return p.ref.schema }

// Name returns the attribute's name, such as emails, without schema, filter or sub-attribute.
func (p Path) Name() string { return p.ref.name }

// Sub returns the sub-attribute's name, such as value, or "".
func (p Path) Sub() string { return p.ref.sub }

// SubAttributes returns the sub-attributes that the path names, those of its filter first.
func (p Path) SubAttributes() (names []string) {
	if p.ref.filter != nil {
		p.ref.filter.references(func(r reference) { names = append(names, r.name) })
	}
	if p.ref.sub != "" {
		names = append(names, p.ref.sub)
	}
	return names
}

// Filtered reports whether the path chooses an element of a list by a filter.
func (p Path) Filtered() bool { return p.ref.filter != nil }

// Whole returns the path of the whole attribute: emails for emails[type eq "work"].value.
func (p Path) Whole() Path {
	ref := reference{schema: p.ref.schema, name: p.ref.name}
	return Path{text: ref.key(), ref: ref}
}

// Equal reports whether two paths name the same attribute, however they are written.
func (p Path) Equal(q Path) bool { return strings.EqualFold(p.Canonical(), q.Canonical()) }

// Get returns the value at the path in a resource as decoded from JSON, nil when there is
// none. A filter chooses the first element it matches, or the only one there is when that has
// nothing of what the filter asks for: some applications drop type or primary. A sub-attribute of
// a list without a filter gives the list of its values. A bare value stands for an element's value
// sub-attribute, as in a manager that is a string.
func (p Path) Get(attrs map[string]any) any { return p.ref.get(attrs) }

// Set writes a value, making what is missing on the way: the extension, the complex
// attribute, the list's element with what its filter says of it. nil removes the value, and
// with it whatever is left without content. The value is copied.
func (p Path) Set(attrs map[string]any, value any) {
	if p.ref.name == "" {
		return
	}
	if p.ref.schema == "" {
		p.ref.set(attrs, value)
		return
	}
	key := keyOf(attrs, p.ref.schema)
	extension, ok := attrs[key].(map[string]any)
	if !ok {
		if value == nil {
			return
		}
		extension = map[string]any{}
	}
	p.ref.set(extension, value)
	put(attrs, key, extension)
}

// set writes below the map that holds the attribute: the resource or the extension.
func (r reference) set(attrs map[string]any, value any) {
	key := keyOf(attrs, r.name)
	switch {
	case r.filter != nil:
		put(attrs, key, r.setElement(asList(attrs[key]), value))
	case r.sub == "":
		put(attrs, key, clone(value))
	default:
		put(attrs, key, setSub(attrs[key], r.sub, value))
	}
}

// setSub writes a sub-attribute of a complex attribute, or of every element of a list.
func setSub(holder any, sub string, value any) any {
	switch holder := holder.(type) {
	case map[string]any:
		put(holder, keyOf(holder, sub), clone(value))
		return holder
	case []any:
		for i := range holder {
			holder[i] = setSub(holder[i], sub, value)
		}
		if len(holder) > 0 {
			return slices.DeleteFunc(holder, empty)
		}
	}
	if value == nil {
		return holder
	}
	return map[string]any{sub: clone(value)}
}

func (r reference) setElement(list []any, value any) []any {
	i := slices.IndexFunc(list, r.filter.match)
	if value == nil {
		if i < 0 {
			return list
		}
		element, ok := list[i].(map[string]any)
		if ok && r.sub != "" {
			delete(element, keyOf(element, r.sub))
			if !r.bare(element) {
				return list
			}
		}
		return slices.Delete(list, i, i+1)
	}
	if i < 0 {
		i = len(list)
		list = append(list, map[string]any{})
	}
	element, ok := list[i].(map[string]any)
	if !ok {
		element = map[string]any{}
	}
	switch whole, isMap := value.(map[string]any); {
	case r.sub != "":
		element[keyOf(element, r.sub)] = clone(value)
	case isMap:
		element = clone(whole).(map[string]any)
	default:
		element["value"] = clone(value)
	}
	for _, eq := range r.filter.equals() {
		if key := keyOf(element, eq.ref.name); element[key] == nil {
			element[key] = eq.emitted()
		}
	}
	list[i] = element
	return list
}

// bare reports whether an element says nothing any more but what labels it.
func (r reference) bare(element map[string]any) bool {
	labels := []string{"primary", "type", "display"}
	for _, eq := range r.filter.equals() {
		labels = append(labels, strings.ToLower(eq.ref.name))
	}
	for name := range element {
		if !slices.Contains(labels, strings.ToLower(name)) {
			return false
		}
	}
	return true
}

// A reference is a parsed path; schema is "" for core attributes, filter nil for none.
type reference struct {
	schema, name string
	filter       node
	sub          string
}

// key returns the reference in one spelling.
func (r reference) key() string {
	s := r.name
	if r.schema != "" {
		s = r.schema + ":" + s
	}
	if r.filter != nil {
		s += "[" + r.filter.String() + "]"
	}
	if r.sub != "" {
		s += "." + r.sub
	}
	return s
}

func (r reference) get(attrs map[string]any) any {
	if r.schema != "" {
		attrs, _ = lookup(attrs, r.schema).(map[string]any)
	}
	value := lookup(attrs, r.name)
	if r.filter != nil {
		list := asList(value)
		i := r.index(list)
		if i < 0 {
			return nil
		}
		value = list[i]
	}
	if r.sub == "" {
		return value
	}
	return subOf(value, r.sub)
}

func subOf(value any, sub string) any {
	switch value := value.(type) {
	case map[string]any:
		return lookup(value, sub)
	case []any:
		var all []any
		for _, element := range value {
			if v := subOf(element, sub); v != nil {
				all = append(all, v)
			}
		}
		if all == nil {
			return nil
		}
		return all
	}
	if strings.EqualFold(sub, "value") {
		return value
	}
	return nil
}

// lookup returns a member by its name in any case.
func lookup(attrs map[string]any, name string) any {
	if v, ok := attrs[name]; ok {
		return v
	}
	return attrs[keyOf(attrs, name)]
}

// keyOf returns the spelling under which attrs has a name, or the name itself. Of several
// spellings the first in order is taken, so that the answer does not depend on the map.
func keyOf(attrs map[string]any, name string) string {
	if _, ok := attrs[name]; ok || name == "" {
		return name
	}
	found := name
	for key := range attrs {
		if len(key) == len(name) && strings.EqualFold(key, name) && (found == name || key < found) {
			found = key
		}
	}
	return found
}

// asList takes a single complex value for a list of one, as some servers write it.
func asList(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	}
	return []any{value}
}

// put stores a value, or removes the key when nothing is left to store: SCIM takes an empty
// list for an unassigned attribute (RFC 7643, section 2.5).
func put(attrs map[string]any, key string, value any) {
	if empty(value) {
		delete(attrs, key)
		return
	}
	attrs[key] = value
}

func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}

func clone(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := maps.Clone(value)
		for key, v := range copied {
			copied[key] = clone(v)
		}
		return copied
	case []any:
		copied := slices.Clone(value)
		for i, v := range copied {
			copied[i] = clone(v)
		}
		return copied
	}
	return value
}
