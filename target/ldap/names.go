package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

// split takes a name (DN) apart into what names the entry and the name of the entry above.
func split(name string) (rdn *ldap.RelativeDN, above string, err error) {
	dn, err := ldap.ParseDN(name)
	if err != nil || len(dn.RDNs) == 0 {
		return nil, "", errNoName
	}
	return dn.RDNs[0], (&ldap.DN{RDNs: dn.RDNs[1:]}).String(), nil
}

// avaOf is one part of what names an entry, escaped (RFC 4514).
func avaOf(attribute, value string) string {
	return (&ldap.AttributeTypeAndValue{Type: attribute, Value: value}).String()
}

// renamed returns what names an entry when one of its parts has another value. same is set when it had that value.
func renamed(rdn *ldap.RelativeDN, attribute, value string) (text string, same bool) {
	same = true
	changed := &ldap.RelativeDN{}
	for _, part := range rdn.Attributes {
		if strings.EqualFold(part.Type, attribute) {
			same = part.Value == value
			part = &ldap.AttributeTypeAndValue{Type: part.Type, Value: value}
		}
		changed.Attributes = append(changed.Attributes, part)
	}
	return changed.String(), same
}

// namedBy returns the value that an attribute has in what names an entry.
func namedBy(rdn *ldap.RelativeDN, attribute string) (value string, ok bool) {
	for _, part := range rdn.Attributes {
		if strings.EqualFold(part.Type, attribute) {
			return part.Value, true
		}
	}
	return "", false
}

// nameKey is a name in one spelling: equal for names that lead to the same entry. A text that is no name is its own.
func nameKey(name string) string {
	dn, err := ldap.ParseDN(name)
	if err != nil {
		return name
	}
	var key strings.Builder
	for _, rdn := range dn.RDNs {
		parts := make([]string, len(rdn.Attributes))
		for i, part := range rdn.Attributes {
			parts[i] = (&ldap.AttributeTypeAndValue{Type: part.Type, Value: strings.ToLower(part.Value)}).String()
		}
		slices.Sort(parts)
		key.WriteString(strings.Join(parts, "+") + ",")
	}
	return key.String()
}

// below reports whether an entry is a base or below it.
func below(name, base string) bool {
	dn, err1 := ldap.ParseDN(name)
	top, err2 := ldap.ParseDN(base)
	return err1 == nil && err2 == nil && (top.EqualFold(dn) || top.AncestorOfFold(dn))
}

// equals is a filter for the value of an attribute, escaped (RFC 4515). attribute is a name of the configuration, which
// Faults has looked at.
func equals(attribute, value string) string {
	return "(" + attribute + "=" + ldap.EscapeFilter(value) + ")"
}

func anyOf(filters []string) string {
	if len(filters) == 1 {
		return filters[0]
	}
	return "(|" + strings.Join(filters, "") + ")"
}

// ours is a filter for the entries of a section that fulfil further conditions. Every search has it.
func (s *section) ours(conditions ...string) string {
	var b strings.Builder
	b.WriteString("(&")
	if s.flavor.ad && s.kind == target.User {
		b.WriteString("(objectCategory=person)") // computers are users, too
	}
	for _, class := range s.classes {
		b.WriteString(equals("objectClass", class))
	}
	for _, f := range s.fixed {
		b.WriteString(equals(f.name, f.value))
	}
	for _, c := range conditions {
		b.WriteString(c)
	}
	b.WriteString(")")
	return b.String()
}

// bases are where the entries of a section are: none is below another.
func (s *section) bases() []string {
	if s.active == nil || s.active.base == "" || below(s.active.base, s.base) {
		return []string{s.base}
	}
	return []string{s.base, s.active.base}
}
