package ldap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/uuid"

	"entrasync/target"
)

// Probe implements [target.Adapter]. It looks whether the server is one of the profile and can be written to, whether the
// bases are there, and whether classes and attributes of the configuration are known.
func (a *Adapter) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	const op = "probe"
	var profile *target.Profile
	err := a.run(ctx, op, true, func(s *session) error {
		profile = &target.Profile{Kinds: map[target.Kind]bool{}, Patch: true, Filter: true, PageSize: a.cfg.PageSize, Unknown: map[string]bool{}, Name: s.server.vendor}
		if err := fits(s, op); err != nil {
			return err
		}
		schema, err := s.schema()
		if err != nil {
			return err
		}
		for _, section := range a.sections() {
			profile.Kinds[section.kind] = true
			if err := s.bases(op, section, profile); err != nil {
				return err
			}
			if lacking := section.lacks(schema); len(lacking) > 0 {
				return &target.Error{Op: op, Code: target.NotSCIM, Message: "the directory does not fit the target's configuration: " + strings.Join(lacking, "; "), Hint: "correct classes and attributes in the configuration, or have the schema loaded"}
			}
			profile.Notes = append(profile.Notes, section.remarks(schema)...)
			for _, path := range paths[section.kind] {
				if !section.writes(path) {
					profile.Unknown[path.String()] = true
					profile.Notes = append(profile.Notes, fmt.Sprintf("%ss.attributes names no attribute for %s: no %s can be created until it does, or until the mapping leaves it out", section.kind, path, section.kind))
				}
			}
			profile.Statements = append(profile.Statements, section.statements()...)
		}
		if len(s.server.controls) > 0 && !s.server.controls[ldap.ControlTypePaging] {
			profile.Notes = append(profile.Notes, "the server has no paged results: a list that is longer than its limit cannot be read")
		}
		return nil
	})
	if err != nil {
		a.forget() // what is wrong may be corrected when this is asked again
		return nil, err
	}
	return profile, nil
}

// forget drops what is known of the server.
func (a *Adapter) forget() {
	h := a.handle()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.learned, h.schema = nil, nil
}

// Domain returns the DNS name of the domain that the directory serves: of Active Directory as it says itself, else that of
// users.base. It is what an installation that synchronizes the directory into Microsoft Entra ID shows as
// onPremisesDomainName.
func (a *Adapter) Domain(ctx context.Context) (domain string, err error) {
	err = a.run(ctx, "probe", true, func(s *session) error {
		if domain = s.server.domain; domain == "" {
			domain = domainOf(a.cfg.Users.Base)
		}
		return nil
	})
	return domain, err
}

// fits refuses a server that is not one of the profile.
func fits(s *session, op string) error {
	switch {
	case s.a.flavor.ad && !s.server.ad:
		return &target.Error{Op: op, Code: target.NotSCIM, Message: "the server is no Active Directory", Hint: "write profile: openldap"}
	case !s.a.flavor.ad && s.server.ad:
		return &target.Error{Op: op, Code: target.NotSCIM, Message: "the server is an Active Directory", Hint: "write profile: ad"}
	}
	return nil
}

// bases looks whether bases are there and can be written to: an entry that is not there is to be deleted, which a server
// that can only be read refuses with other words.
func (s *session) bases(op string, section *section, profile *target.Profile) error {
	for _, base := range section.bases() {
		found, err := s.search(base, ldap.ScopeBaseObject, "(objectClass=*)", []string{"1.1"})
		if answers(err, ldap.LDAPResultNoSuchObject) || err == nil && len(found.Entries) == 0 {
			return &target.Error{Op: op, Code: target.NotSCIM, Message: fmt.Sprintf("there is no entry %s that bind_dn can read", target.Clean(base)), Hint: "correct the base, make the entry, or give bind_dn the right to read it"}
		}
		if err != nil {
			return err
		}
		within, err := s.search(base, ldap.ScopeWholeSubtree, section.ours("(objectClass=referral)"), []string{"1.1"})
		if err == nil && len(within.Referrals) > 0 && !section.flavor.ad { // Active Directory names its other partitions
			profile.Notes = append(profile.Notes, fmt.Sprintf("a part of %s is kept by another server (%s): referrals are not followed, and its entries are not read or written", target.Clean(base), target.Clean(strings.Join(within.Referrals, ", "))))
		}
		absent := ldap.NewDelRequest(avaOf("cn", "entrasync-probe-"+uuid.NewString())+","+base, nil)
		if err := s.send(false, func() error { return s.c.Del(absent) }); err != nil && !answers(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights) {
			return err
		} else if answers(err, ldap.LDAPResultInsufficientAccessRights) {
			profile.Notes = append(profile.Notes, fmt.Sprintf("bind_dn may not delete entries below %s", target.Clean(base)))
		}
	}
	return nil
}

// writes reports whether an attribute can be written.
func (s *section) writes(path target.Path) bool {
	if s.active != nil && path.Equal(activePath) {
		return true
	}
	return slices.ContainsFunc(s.attributes, func(m mapped) bool { return m.path.Equal(path) || m.path.Whole().Equal(path) })
}

// lacks names classes and attributes that the schema does not have.
func (s *section) lacks(schema *schema) (all []string) {
	if !schema.knows() {
		return nil
	}
	for _, class := range s.classes {
		if schema.classes[strings.ToLower(class)] == nil {
			all = append(all, "there is no class "+class+near(class, schema.classes))
		}
	}
	if len(all) > 0 {
		return all
	}
	must, may, any := schema.demands(s.classes)
	for _, name := range s.names() {
		name, _, _ := strings.Cut(name, ";")
		switch d := schema.attributes[strings.ToLower(name)]; {
		case d == nil:
			all = append(all, "there is no attribute "+name+near(name, schema.attributes))
		case any, s.flavor.ad, schema.has(must, name), schema.has(may, name), s.active != nil && strings.EqualFold(name, s.active.attribute):
			// with profile ad further classes go with one, which its schema does not tell
		default:
			all = append(all, fmt.Sprintf("the classes %s do not have the attribute %s", strings.Join(s.classes, ", "), name))
		}
	}
	return all
}

// names are the attributes that are written.
func (s *section) names() []string {
	all := []string{s.rdn}
	for _, m := range s.attributes {
		if !strings.EqualFold(m.name, s.rdn) {
			all = append(all, m.name)
		}
	}
	for _, f := range s.fixed {
		all = append(all, f.name)
	}
	if s.active != nil && s.active.attribute != "" {
		all = append(all, s.active.attribute)
	}
	if s.kind == target.Group {
		all = append(all, s.member)
	}
	return all
}

func near(name string, known map[string]*definition) string {
	if other := target.Near(name, slices.Sorted(maps.Keys(known))); other != "" {
		return " (did you mean " + known[other].names[0] + "?)"
	}
	return ""
}

// remarks are about what works, and not well.
func (s *section) remarks(schema *schema) (all []string) {
	for _, m := range s.attributes {
		if !s.flavor.ad && !schema.comparable(m.name) {
			all = append(all, fmt.Sprintf("the directory cannot search for values of %s: no %s is found by %s", m.name, s.kind, m.path))
		}
	}
	if s.kind == target.User && s.active == nil {
		all = append(all, "users.active is not set, so that active cannot be written")
	}
	if _, named := s.mappedName("sAMAccountName"); s.flavor.ad && s.kind == target.User && !named {
		all = append(all, "nothing is mapped to sAMAccountName: the directory makes a name such as $4A2000-1C7")
	}
	if s.kind == target.User && s.active != nil && s.active.flag && !strings.Contains(strings.Join(s.classes, " "), "user") {
		all = append(all, "users.classes has no class user, which userAccountControl belongs to")
	}
	return all
}

// statements are what the server is asked, for check to show.
func (s *section) statements() []string {
	by := s.rdn
	if m, ok := s.mappedTo(s.naming); ok {
		by = m.name
	}
	return []string{
		fmt.Sprintf("find a %s: search below %s for %s", s.kind, strings.Join(s.bases(), " and "), s.ours("("+by+"=…)")),
		fmt.Sprintf("create a %s: add %s=…,%s with the classes %s and the attributes %s", s.kind, s.rdn, s.base, strings.Join(s.classes, ", "), strings.Join(s.names(), ", ")),
	}
}
