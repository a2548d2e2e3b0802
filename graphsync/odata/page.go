package odata

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of a property's value: Graph's go three levels deep.
const maxDepth = 16

// Bounds on what a page may cost beyond its body. A page of which so much cannot be understood is none
// of Graph's.
const (
	maxSkipped = 1000   // entries and members that cannot be understood
	maxNames   = 5000   // different properties
	maxGrown   = 50_000 // properties that room is made for ahead of reading them
)

// DecodePage decodes a delta page. Values point into body, which the page keeps.
//
// What makes one entry unusable (no id, a property given twice, an undocumented @removed)
// puts it into Page.Skipped and the rest of the page is read; what makes the page unusable is an error.
// Text that is not Unicode, such as half of an emoji, is replaced by U+FFFD.
func DecodePage(kind graphsync.Kind, properties []string, body []byte) (*graphsync.Page, error) {
	d := pageDecoder{
		kind:    kind,
		manager: slices.Contains(properties, "manager"),
		names:   make(map[string]*name, 32),
		page:    &graphsync.Page{Bytes: len(body)},
	}
	list, err := DecodeList(body, d.entry)
	if err != nil {
		return nil, err
	}
	switch {
	case list.Next == "" && list.Delta == "":
		return nil, Undocumented("the page has neither a nextLink nor a deltaLink")
	case list.Next != "" && list.Delta != "":
		return nil, Undocumented("the page has both a nextLink and a deltaLink")
	}
	d.page.Next, d.page.Delta = list.Next, list.Delta
	return d.page, nil
}

// DecodeListPage decodes a page of a list of objects as a page of their first delta round would be: a property
// that has no value is left out. The last page has no link.
func DecodeListPage(kind graphsync.Kind, body []byte) (*graphsync.Page, error) {
	d := pageDecoder{kind: kind, valued: true, names: make(map[string]*name, 32), page: &graphsync.Page{Bytes: len(body)}}
	list, err := DecodeList(body, d.entry)
	if err != nil {
		return nil, err
	}
	if list.Delta != "" {
		return nil, Undocumented("the page of a list has a deltaLink")
	}
	d.page.Next = list.Next
	return d.page, nil
}

// hasValue reports whether a property of a list says anything: a list gives null, or an empty list, where
// a delta page gives nothing.
func hasValue(value []byte) bool { return string(value) != "null" && string(value) != "[]" }

// A pageDecoder collects the entries of a page. Properties and members of all entries share
// two arrays, so that a page costs a few allocations and not thousands.
type pageDecoder struct {
	kind       graphsync.Kind
	manager    bool // was selected
	valued     bool // properties without a value are left out
	names      map[string]*name
	page       *graphsync.Page
	properties []graphsync.Property
	members    []graphsync.MemberChange
	entries    int
	tooMany    error // why the page is not read on
}

// A name is a member name of an entry, seen before on this page.
type name struct {
	text string
	role role
	last int // entry that had it last
}

type role byte

const (
	ignored role = iota // annotations
	property
	identity
	removal
	odataType
	memberDelta
	managerDelta
)

func (d *pageDecoder) name(quoted []byte) *name {
	key := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(text(quoted))
	}
	if n := d.names[string(key)]; n != nil {
		return n
	}
	n := &name{text: string(key)}
	switch {
	case n.text == "id":
		n.role = identity
	case n.text == "@removed":
		n.role = removal
	case n.text == "@odata.type":
		n.role = odataType
	case n.text == "members@delta" && d.kind == graphsync.Group:
		n.role = memberDelta
	case n.text == "manager@delta" && d.manager:
		n.role = managerDelta
	case !strings.Contains(n.text, "@") && n.text != "members":
		n.role = property
	}
	if d.names[n.text] = n; len(d.names) > maxNames {
		d.tooMany = Undocumented(fmt.Sprintf("the objects of the page have more than %d properties", maxNames))
	}
	return n
}

// entry reads one element of the page's value array.
func (d *pageDecoder) entry(dec *jsontext.Decoder) error {
	d.entries++
	change := graphsync.Change{Kind: d.kind}
	firstProperty, firstMember, skipped := len(d.properties), len(d.members), len(d.page.Skipped)
	start := dec.InputOffset()
	var id []byte
	fault := ""
	if dec.PeekKind() != '{' {
		d.skip(nil, "it is not an object")
		return cmp.Or(d.tooMany, dec.SkipValue())
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return err
		}
		n := d.name(quoted)
		if d.tooMany != nil {
			return d.tooMany
		}
		if n.last == d.entries {
			fault = fmt.Sprintf("it has %q twice", n.text)
			if n.role == property {
				if err := dec.SkipValue(); err != nil {
					return err
				}
				continue
			}
		}
		n.last = d.entries
		if n.role == memberDelta && dec.PeekKind() == '[' {
			if err := d.readMembers(dec); err != nil {
				return err
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		switch n.role {
		case property:
			if !shallow(value) {
				fault = fmt.Sprintf("%q is nested too deeply", n.text)
			}
			if !d.valued || hasValue(value) {
				d.properties = append(d.properties, graphsync.Property{Name: n.text, Value: value})
			}
		case identity:
			id = value
		case removal:
			if change.Removed = removalReason(value); change.Removed == graphsync.NotRemoved {
				fault = "its @removed gives no reason that Graph documents"
			}
		case odataType:
			switch kind, subtype, other := typeOf(value); {
			case other, kind != 0 && kind != d.kind:
				fault = fmt.Sprintf("its type is %.60s", value)
			case subtype != nil: // what else is in a stream of users is a kind of user
				d.properties = append(d.properties, graphsync.Property{Name: graphsync.TypeProperty, Value: subtype})
			}
		case memberDelta:
			fault = "its members@delta is not a list"
		case managerDelta:
			if manager, err := managerOf(value); err != nil {
				fault = "its manager@delta cannot be understood"
			} else if manager != nil {
				d.properties = append(d.properties, graphsync.Property{Name: "manager", Value: manager})
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var ok bool
	if change.ID, ok = parseID(id); !ok && fault == "" {
		fault = "its id is not a GUID"
	}
	if fault != "" {
		d.properties, d.members, d.page.Skipped = d.properties[:firstProperty], d.members[:firstMember], d.page.Skipped[:skipped]
		d.skip(id, fault)
	}
	for i := range d.page.Skipped[skipped:] {
		d.page.Skipped[skipped+i].Object = change.ID
	}
	if fault != "" {
		return d.tooMany
	}
	if len(d.page.Changes) == 0 {
		// Entries of a page are alike: the first tells what room the others take.
		alike := min(len(dec.UnreadBuffer())/int(dec.InputOffset()-start)+1, 1000)
		d.page.Changes = make([]graphsync.Change, 0, alike)
		d.properties = slices.Grow(d.properties, min(alike*len(d.properties), maxGrown))
	}
	change.Properties = slices.Clip(d.properties[firstProperty:])
	change.Members = slices.Clip(d.members[firstMember:])
	d.page.Changes = append(d.page.Changes, change)
	return nil
}

func (d *pageDecoder) skip(id []byte, reason string) {
	if d.page.Skipped = append(d.page.Skipped, graphsync.BadRecord{ID: shown(id), Reason: reason}); len(d.page.Skipped) > maxSkipped {
		d.tooMany = Undocumented(fmt.Sprintf("more than %d entries of the page cannot be understood: %s", maxSkipped, reason))
	}
}

// shown is an id as it was sent, shortened.
func shown(id []byte) string {
	out := string(id)
	if len(id) > 0 && id[0] == '"' {
		out = text(id)
	}
	if len(out) > 60 {
		out = strings.ToValidUTF8(out[:60], "") + "…"
	}
	return out
}

// DecodeEntry decodes a single object as an entry of a page.
func DecodeEntry(kind graphsync.Kind, body []byte) (*graphsync.Change, error) {
	wrapped := append(append([]byte(`{"@odata.deltaLink":"none","value":[`), body...), `]}`...)
	page, err := DecodePage(kind, nil, wrapped)
	switch {
	case err != nil:
		return nil, err
	case len(page.Skipped) > 0:
		return nil, Undocumented("the object cannot be understood: " + page.Skipped[0].Reason)
	case len(page.Changes) != 1:
		return nil, Undocumented("the response is not one object")
	}
	return &page.Changes[0], nil
}

// readMembers reads members@delta. An entry that cannot be understood is skipped alone.
func (d *pageDecoder) readMembers(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		m, err := readMember(dec)
		switch {
		case err != nil:
			return err
		case m.fault != "":
			if d.skip(m.id, "a member of a group: "+m.fault); d.tooMany != nil {
				return d.tooMany
			}
		case !m.other:
			d.members = append(d.members, m.change)
		}
	}
	_, err := dec.ReadToken()
	return err
}

// ReadMember reads one object of a collection of directory objects, such as a group's members. other
// tells that it is of a type that is not provisioned; bad, that it cannot be understood.
func ReadMember(dec *jsontext.Decoder) (change graphsync.MemberChange, other bool, bad *graphsync.BadRecord, err error) {
	m, err := readMember(dec)
	if err == nil && m.fault != "" {
		bad = &graphsync.BadRecord{ID: shown(m.id), Reason: m.fault}
	}
	return m.change, m.other, bad, err
}

// ReadID reads one object of a collection and returns its id.
func ReadID(dec *jsontext.Decoder) (graphsync.ID, error) {
	m, err := readMember(dec)
	if err == nil && m.change.ID.IsZero() {
		err = Undocumented("an object of the response has no id that is a GUID")
	}
	return m.change.ID, err
}

// A member is one entry of members@delta or of a group's members.
type member struct {
	change graphsync.MemberChange
	other  bool // of a type that is not provisioned
	id     []byte
	fault  string
}

func readMember(dec *jsontext.Decoder) (m member, err error) {
	if dec.PeekKind() != '{' {
		m.fault = "it is not an object"
		return m, dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return m, err
	}
	for dec.PeekKind() != '}' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return m, err
		}
		value, err := dec.ReadValue()
		if err != nil {
			return m, err
		}
		switch string(quoted) {
		case `"id"`:
			if m.id != nil {
				m.fault = "it has two ids"
			}
			m.id = value
		case `"@odata.type"`:
			m.change.Kind, _, m.other = typeOf(value)
		case `"@removed"`:
			m.change.Removed = true
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return m, err
	}
	var ok bool
	if m.change.ID, ok = parseID(m.id); !ok && m.fault == "" && !m.other {
		m.fault = "its id is not a GUID"
	}
	return m, nil
}

// namespace is what Graph's types begin with, as JSON text.
const namespace = `"#microsoft.graph.`

// typeOf reads an @odata.type. kind is zero for a type that is not known; other tells that a known
// type is neither a user nor a group. subtype is the JSON text of a type that is not known, without
// its namespace: Graph adds subtypes of user, such as agentUser.
func typeOf(value []byte) (kind graphsync.Kind, subtype []byte, other bool) {
	switch string(value) {
	case `"#microsoft.graph.user"`:
		return graphsync.User, nil, false
	case `"#microsoft.graph.group"`:
		return graphsync.Group, nil, false
	case `"#microsoft.graph.device"`, `"#microsoft.graph.orgContact"`, `"#microsoft.graph.servicePrincipal"`,
		`"#microsoft.graph.application"`, `"#microsoft.graph.administrativeUnit"`, `"#microsoft.graph.directoryRole"`:
		return 0, nil, true // the types that the directoryObject page lists besides
	}
	name, ok := bytes.CutPrefix(value, []byte(namespace))
	if !ok || len(name) < 2 {
		return 0, nil, false
	}
	return 0, append([]byte{'"'}, name...), false
}

func removalReason(value []byte) graphsync.Removal {
	var removed struct {
		Reason graphsync.Removal `json:"reason"`
	}
	if json.Unmarshal(value, &removed) != nil {
		return graphsync.NotRemoved
	}
	switch removed.Reason {
	case graphsync.SoftDeleted, graphsync.Purged:
		return removed.Reason
	}
	return graphsync.NotRemoved
}

// managerOf returns the manager's id as JSON text, "null" when there is none any more, nil
// when nothing is said.
func managerOf(value []byte) (json.RawMessage, error) {
	var entries []struct {
		ID      json.RawMessage `json:"id"`
		Removed json.RawMessage `json:"@removed"`
	}
	if err := json.Unmarshal(value, &entries); err != nil {
		return nil, err
	}
	var manager json.RawMessage
	for _, e := range entries {
		switch _, ok := parseID(e.ID); {
		case !ok:
			return nil, errors.New("the manager's id is not a GUID")
		case e.Removed == nil:
			manager = e.ID
		case manager == nil:
			manager = json.RawMessage("null")
		}
	}
	return manager, nil
}

// shallow reports whether a value is nested no deeper than maxDepth.
func shallow(value []byte) bool {
	if value[0] != '{' && value[0] != '[' {
		return true
	}
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}
