package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/target"
)

// An entry is one line. The attributes are kept as they stand in the file, without members:
// groups are large and change often, so members have their own set.
type entry struct {
	ref     target.Ref
	raw     []byte
	members map[string]map[string]any // by id; what else the file says of a member, or nil

	where   where
	dirty   bool           // members changed since the last record with the whole line
	decoded map[string]any // raw decoded, for the next who asks
}

// where is how a resource is found.
type where struct {
	logged bool
	home   place // when logged: of the first record in the journal that is about it
	block  int   // in the published file, -1 when it is not there
	at     int64 // in the published file, -1 when it was not read from there
}

func nowhere() where { return where{block: -1, at: -1} }

// parseLine reads a line strictly as JSON and leniently as SCIM: unknown attributes stay. Its error
// repeats nothing of the line: the path may lead to a file of something else, such as one with secrets.
func parseLine(line []byte) (*entry, error) {
	value, err := target.DecodeJSON(line)
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("not JSON at column %d; is this the target's own file?", syntax.Offset)
		}
		return nil, errors.New("not JSON; is this the target's own file?")
	}
	attrs, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	id := target.Digits(attrs["id"])
	if id == "" {
		return nil, errors.New(`id is missing; give the line any unique text, such as "id":"ada"`)
	}
	kind, err := kindOf(attrs)
	if err != nil {
		return nil, err
	}
	e := &entry{ref: target.Ref{Kind: kind, ID: id}, where: nowhere()}
	if _, has := attrs["members"]; has && kind == target.Group {
		e.set(attrs)
	} else {
		e.raw, e.decoded = slices.Clone(line), attrs
	}
	return e, nil
}

func kindOf(attrs map[string]any) (target.Kind, error) {
	meta, _ := attrs["meta"].(map[string]any)
	name, named := meta["resourceType"].(string)
	switch {
	case strings.EqualFold(name, "User"):
		return target.User, nil
	case strings.EqualFold(name, "Group"):
		return target.Group, nil
	case !named && attrs["userName"] != nil:
		return target.User, nil
	}
	return "", errors.New(`meta.resourceType is neither User nor Group; write "meta":{"resourceType":"User"} or "Group"`)
}

// attributes returns the entry decoded; the caller owns the result.
func (e *entry) attributes() map[string]any {
	if attrs := e.decoded; attrs != nil {
		e.decoded = nil
		return attrs
	}
	value, _ := target.DecodeJSON(e.raw) // was read or written by this package before
	if attrs, ok := value.(map[string]any); ok {
		return attrs
	}
	return map[string]any{}
}

// set replaces the attributes, taking the members out of them.
func (e *entry) set(attrs map[string]any) {
	if list, has := attrs["members"]; has && e.ref.Kind == target.Group {
		delete(attrs, "members")
		e.members = map[string]map[string]any{}
		elements, _ := list.([]any)
		for _, element := range elements {
			switch m := element.(type) {
			case string, float64, json.Number:
				if id := target.Digits(m); id != "" {
					e.members[id] = nil
				}
			case map[string]any:
				if id := target.Digits(m["value"]); id != "" {
					if e.members[id] = nil; len(m) > 1 {
						e.members[id] = m
					}
				}
			}
		}
	}
	e.raw, e.decoded = encode(e.ref, attrs), nil
}

// encode writes attributes in the one form: id, meta, then the rest by name.
func encode(ref target.Ref, attrs map[string]any) []byte {
	b := make([]byte, 0, 512)
	b = appendJSON(append(b, `{"id":`...), ref.ID)
	b = appendJSON(append(b, `,"meta":`...), metaOf(ref, attrs))
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if name == "id" || name == "meta" {
			continue
		}
		b = appendJSON(append(appendJSON(append(b, ','), name), ':'), attrs[name])
	}
	return append(b, '}')
}

// metaOf is the meta attribute of a line.
func metaOf(ref target.Ref, attrs map[string]any) map[string]any {
	meta, _ := attrs["meta"].(map[string]any)
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["resourceType"] = map[target.Kind]string{target.User: "User", target.Group: "Group"}[ref.Kind]
	return meta
}

// line returns the entry as the file has it.
func (e *entry) line() json.RawMessage {
	if len(e.members) == 0 {
		return e.raw
	}
	attrs := e.attributes()
	attrs["members"] = e.memberList()
	return encode(e.ref, attrs)
}

// resource returns the entry for a caller to own.
func (e *entry) resource(withMembers bool) target.Resource {
	return e.with(e.attributes(), withMembers)
}

// with returns the entry with its attributes decoded before.
func (e *entry) with(attrs map[string]any, withMembers bool) target.Resource {
	if withMembers && len(e.members) > 0 {
		attrs["members"] = e.memberList()
	}
	return target.Resource{Ref: e.ref, Attributes: attrs}
}

func (e *entry) memberIDs() []string {
	ids := slices.Sorted(maps.Keys(e.members))
	if ids == nil {
		ids = []string{}
	}
	return ids
}

func (e *entry) memberList() []any {
	list := make([]any, 0, len(e.members))
	for _, id := range e.memberIDs() {
		m := maps.Clone(e.members[id])
		if m == nil {
			m = map[string]any{"value": id}
		}
		list = append(list, m)
	}
	return list
}

func (e *entry) changeMembers(change memberChange) {
	if e.members == nil {
		e.members = map[string]map[string]any{}
	}
	for _, id := range change.Add {
		e.members[id] = nil
	}
	for _, id := range change.Remove {
		delete(e.members, id)
	}
}

func touchesMembers(attributes []target.Attribute) bool {
	return slices.ContainsFunc(attributes, func(a target.Attribute) bool { return strings.EqualFold(a.Path.Name(), "members") })
}
