package ldap

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

// A change is what a write comes to, before the entry is looked at.
type change struct {
	writes []write
	on     *bool              // whether the user may sign in
	paths  []target.Attribute // what is compared with the entry afterwards
}

// A write is what an attribute shall hold; no values clear it.
type write struct {
	mapped
	values []string
}

// changeOf translates attributes. creating leaves out what has no value. refused are attributes that the configuration
// does not map, or whose value has no form in an entry.
func (s *section) changeOf(op string, attributes []target.Attribute, creating bool) (c change, refused []error) {
	for _, attribute := range attributes {
		if creating && attribute.Value == nil {
			continue
		}
		if err := s.translate(op, attribute, &c); err != nil {
			refused = append(refused, err)
			continue
		}
		c.paths = append(c.paths, attribute)
	}
	return c, refused
}

func (s *section) translate(op string, attribute target.Attribute, c *change) error {
	path := attribute.Path
	if path.Equal(activePath) && s.kind == target.User {
		on, err := s.state(op, attribute.Value)
		if err == nil {
			c.on = &on
		}
		return err
	}
	if m, ok := s.mappedTo(path); ok {
		values, err := s.values(op, m, attribute.Value)
		if err == nil {
			c.writes = append(c.writes, write{m, values})
		}
		return err
	}
	holder := map[string]any{}
	path.Set(holder, attribute.Value)
	found := false
	for _, m := range s.attributes { // of a complex attribute whose sub-attributes are mapped
		if !m.path.Whole().Equal(path) || m.path.Equal(path) {
			continue
		}
		found = true
		values, err := s.values(op, m, m.path.Get(holder))
		if err != nil {
			return err
		}
		c.writes = append(c.writes, write{m, values})
	}
	if !found {
		return refusal(op, path.String(), fmt.Sprintf("the target's configuration names no attribute for %s", path),
			fmt.Sprintf("add it to %ss.attributes of the target, or take it out of the mapping", s.kind))
	}
	return nil
}

func (s *section) state(op string, value any) (on bool, err error) {
	switch v := value.(type) {
	case bool:
		on = v
	case string:
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return false, refusal(op, "active", "active is neither true nor false", "map active to true or false")
		}
		on = strings.EqualFold(v, "true")
	default:
		return false, refusal(op, "active", "active is neither true nor false", "map active to true or false")
	}
	if s.active == nil {
		return false, refusal(op, "active", "the target's configuration does not say how an entry is switched off", "add users.active to the target, such as active: {attribute: pwdAccountLockedTime, false: 000001010000Z}, or take active out of the mapping")
	}
	return on, nil
}

// values are a value in the form that an entry has it in.
func (s *section) values(op string, m mapped, value any) (values []string, err error) {
	var list []any
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		list = v
	default:
		list = []any{v}
	}
	for _, element := range list {
		text, ok := textOf(element)
		switch {
		case !ok:
			return nil, refusal(op, m.path.String(), fmt.Sprintf("a value of %s has no form in an entry", m.path), "map its sub-attributes to attributes of their own")
		case text == "" || slices.Contains(values, text):
			continue
		case s.flavor.ad && strings.EqualFold(m.name, "sAMAccountName"):
			if err := accountName(op, s.kind, m.path.String(), text); err != nil {
				return nil, err
			}
		}
		values = append(values, text)
	}
	if len(values) > 1 && !isList(m.path) && (m.path.Sub() != "" || m.path.Filtered() || m.path.Schema() == "") {
		return nil, refusal(op, m.path.String(), fmt.Sprintf("%s has %d values, and one is wanted", m.path, len(values)), "map the whole attribute, such as emails in place of emails[type eq \"work\"].value")
	}
	return values, nil
}

func textOf(value any) (text string, ok bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strings.ToUpper(fmt.Sprint(v)), true // Boolean (RFC 4517, section 3.3.3)
	case int64, int:
		return fmt.Sprint(v), true
	case float64, json.Number:
		return target.Digits(v), true
	case map[string]any:
		if inner, has := v["value"]; has {
			return textOf(inner)
		}
	}
	return "", false
}

// An edit is what a change comes to for one entry.
type edit struct {
	rdn     string // new, "" for the one it has
	above   string // entry that it is moved below, "" for none
	changes []ldap.Change
}

func (e *edit) set(operation uint, attribute string, values ...string) {
	e.changes = append(e.changes, ldap.Change{Operation: operation, Modification: ldap.PartialAttribute{Type: attribute, Vals: values}})
}

func (e *edit) nothing() bool { return e.rdn == "" && e.above == "" && len(e.changes) == 0 }

// edit works out what has to be done to an entry so that it holds a change. must are attributes that the schema demands.
func (s *section) edit(op string, entry *ldap.Entry, c change, must func(name string) bool) (e edit, err error) {
	rdn, _, err := split(entry.DN)
	if err != nil {
		return edit{}, err
	}
	for _, w := range c.writes {
		name := w.name
		if _, names := namedBy(rdn, name); !names {
			s.editValues(&e, entry, w, must)
			if !w.path.Equal(s.naming) || len(w.values) == 0 {
				continue
			}
			name = s.rdn // of which the configuration says that it goes with this attribute
			if _, names := namedBy(rdn, name); !names {
				continue // others have named the entry
			}
		}
		if len(w.values) == 0 {
			return edit{}, refusal(op, w.path.String(), fmt.Sprintf("%s names the entry, so that it must have a value", w.path), "give the attribute a value in the mapping")
		}
		if text, same := renamed(rdn, name, w.values[0]); !same {
			e.rdn = text
			if rdn, err = parsedRDN(text); err != nil {
				return edit{}, err
			}
		}
	}
	if c.on != nil {
		if err := s.editState(op, &e, entry, *c.on); err != nil {
			return edit{}, err
		}
	}
	return e, nil
}

func parsedRDN(text string) (*ldap.RelativeDN, error) {
	rdn, _, err := split(text)
	return rdn, err
}

// editValues replaces all values of an attribute: of several, it could not be told later which one is meant.
func (s *section) editValues(e *edit, entry *ldap.Entry, w write, must func(name string) bool) {
	want := w.values
	if len(want) == 0 && must(w.name) {
		want = []string{s.empty}
	}
	if !sameSet(entry.GetEqualFoldAttributeValues(w.name), want) {
		e.set(ldap.ReplaceAttribute, w.name, want...)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// editState switches a user on or off.
func (s *section) editState(op string, e *edit, entry *ldap.Entry, on bool) error {
	now, known := s.active.read(entry)
	if known && now == on {
		return nil
	}
	switch {
	case s.active.flag:
		old := entry.GetEqualFoldAttributeValue(accountControl)
		flags, _, ok := disabled(old)
		if !ok {
			return &target.Error{Op: op, Code: target.Forbidden, Attribute: "active", Message: "the directory does not show " + accountControl, Hint: "give bind_dn the right to read and write it"}
		}
		e.set(ldap.DeleteAttribute, accountControl, old) // so that a change by others meanwhile is not undone
		e.set(ldap.AddAttribute, accountControl, switched(flags, on))
	case s.active.base != "" && on:
		e.above = s.base
	case s.active.base != "":
		e.above = s.active.base
	default:
		e.set(ldap.ReplaceAttribute, s.active.attribute, s.active.value(on)...)
	}
	return nil
}

// value is what the attribute holds in a state.
func (c *active) value(on bool) []string {
	value := c.off
	if on {
		value = c.on
	}
	if value == "" {
		return nil
	}
	return []string{value}
}
