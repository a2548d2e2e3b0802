package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

// Find implements [target.Adapter]. What the directory calls equal is compared again.
func (a *Adapter) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	op := opName("find", kind)
	section, err := a.section(op, kind)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(by.Canonical(), "id") {
		return target.FindByID(ctx, a, kind, value)
	}
	m, ok := section.mappedTo(by)
	switch {
	case value == "":
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "nothing can be found by an empty " + by.String()}
	case !ok:
		return nil, &target.Error{Op: op, Code: target.Unsupported, Message: fmt.Sprintf("the target's configuration names no attribute for %s, so that nothing can be found by it", by),
			Hint: fmt.Sprintf("add it to %ss.attributes of the target, or take it out of match", kind)}
	}
	found := []target.Resource{}
	err = a.run(ctx, op, true, func(s *session) error {
		entries, err := s.entries(section, equals(m.name, value))
		if err != nil {
			return err
		}
		found = found[:0]
		for _, e := range entries {
			if r := section.resource(e, by, value); r.ID != "" && by.Holds(r.Attributes, value) {
				found = append(found, r)
			}
		}
		return nil
	})
	return found, err
}

// Get implements [target.Getter].
func (a *Adapter) Get(ctx context.Context, ref target.Ref) (r *target.Resource, err error) {
	op := opName("read", ref.Kind)
	section, err := a.section(op, ref.Kind)
	if err != nil {
		return nil, err
	}
	err = a.run(ctx, op, true, func(s *session) error {
		e, err := s.entry(op, section, ref)
		if err == nil {
			shown := section.resource(e, target.Path{}, "")
			r = &shown
		}
		return err
	})
	return r, err
}

// entries are those of a section that fulfil a condition. There are few: a list is read in pages.
func (s *session) entries(section *section, condition string, attributes ...string) (all []*ldap.Entry, err error) {
	if attributes == nil {
		attributes = section.asked()
	}
	for _, base := range section.bases() {
		found, err := s.search(base, ldap.ScopeWholeSubtree, section.ours(condition), attributes)
		if answers(err, ldap.LDAPResultNoSuchObject) {
			return nil, noBase(base)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found.Entries...)
	}
	return all, nil
}

// noBase is the error of a base without an entry.
func noBase(base string) error { return fmt.Errorf("%w: %s", errNoBase, target.Clean(base)) }

// entry returns that of an id. Its name and its values are those of now.
func (s *session) entry(op string, section *section, ref target.Ref, attributes ...string) (*ldap.Entry, error) {
	filter, ok := section.flavor.byID(ref.ID)
	if !ok {
		return nil, missing(op, ref)
	}
	found, err := s.entries(section, filter, attributes...)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || section.flavor.idOf(found[0].GetEqualFoldRawAttributeValue(section.flavor.id)) != ref.ID {
		return nil, missing(op, ref)
	}
	return found[0], nil
}

// asked are the attributes that an entry is read by.
func (s *section) asked() []string {
	all := []string{s.flavor.id, s.rdn}
	for _, m := range s.attributes {
		all = append(all, m.name)
	}
	if s.active != nil && s.active.flag {
		all = append(all, accountControl)
	}
	if s.active != nil && s.active.attribute != "" {
		all = append(all, s.active.attribute)
	}
	return all
}

// resource makes a resource of an entry. Of several values where an attribute has one, that is shown which was searched
// for, or that which names the entry, or the first in order.
func (s *section) resource(e *ldap.Entry, by target.Path, value string) target.Resource {
	id := s.flavor.idOf(e.GetEqualFoldRawAttributeValue(s.flavor.id))
	attributes := map[string]any{"id": id}
	for _, m := range s.attributes {
		values := s.valuesOf(e, m.name)
		switch {
		case len(values) == 0:
		case isList(m.path):
			m.path.Set(attributes, elements(values))
		default:
			preferred := ""
			if m.path.Equal(by) {
				preferred = value
			}
			m.path.Set(attributes, s.shown(e, m, values, preferred))
		}
	}
	if s.active != nil {
		if on, known := s.active.read(e); known {
			attributes["active"] = on
		}
	}
	return target.Resource{Ref: target.Ref{Kind: s.kind, ID: id}, Attributes: attributes}
}

// valuesOf are the values of an attribute, in order and without what stands for none.
func (s *section) valuesOf(e *ldap.Entry, name string) []string {
	values := slices.Sorted(slices.Values(e.GetEqualFoldAttributeValues(name)))
	if len(values) == 1 && values[0] == s.empty && !strings.EqualFold(name, s.rdn) {
		return nil
	}
	return values
}

func (s *section) shown(e *ldap.Entry, m mapped, values []string, preferred string) string {
	if preferred != "" {
		for _, v := range values {
			holder := map[string]any{}
			m.path.Set(holder, v)
			if m.path.Holds(holder, preferred) {
				return v
			}
		}
	}
	if len(values) > 1 {
		if rdn, _, err := split(e.DN); err == nil {
			if named, ok := namedBy(rdn, m.name); ok && slices.Contains(values, named) {
				return named
			}
		}
	}
	return values[0]
}

// read tells whether a user may sign in. known is false where the entry does not say.
func (c *active) read(e *ldap.Entry) (on, known bool) {
	if c.base != "" {
		return !below(e.DN, c.base), true
	}
	if c.flag {
		_, off, ok := disabled(e.GetEqualFoldAttributeValue(accountControl))
		return !off, ok
	}
	value := e.GetEqualFoldAttributeValue(c.attribute)
	switch {
	case c.off != "" && strings.EqualFold(value, c.off):
		return false, true
	case c.on != "" && strings.EqualFold(value, c.on):
		return true, true
	case c.on == "": // every other value: a lock that ends, or none
		return true, true
	case c.off == "":
		return false, true
	}
	return false, false
}

// isList reports whether an attribute has a list of values (RFC 7643, section 4.1.2).
func isList(path target.Path) bool {
	if path.Sub() != "" || path.Filtered() || path.Schema() != "" {
		return false
	}
	switch strings.ToLower(path.Name()) {
	case "emails", "phonenumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509certificates":
		return true
	}
	return false
}

func elements(values []string) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = map[string]any{"value": v}
	}
	return all
}

// List implements [target.Lister], by the control for paged results (RFC 2696).
func (a *Adapter) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	op := opName("list", kind) + "s"
	section, err := a.section(op, kind)
	if err != nil {
		return err
	}
	if err := ended(ctx, op); err != nil {
		return err
	}
	var stopped error
	_, err = a.once(ctx, false, func(s *session) error {
		for _, base := range section.bases() {
			if err := s.pages(base, section, func(page []target.Resource) error {
				stopped = yield(page)
				return stopped
			}); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		return a.failed(ctx, op, err, false)
	}
	return nil
}

func (s *session) pages(base string, section *section, yield func([]target.Resource) error) error {
	paging := ldap.NewControlPaging(uint32(s.a.cfg.PageSize))
	for {
		found, err := s.search(base, ldap.ScopeWholeSubtree, section.ours(), section.asked(), paging)
		if answers(err, ldap.LDAPResultNoSuchObject) {
			return noBase(base)
		}
		if err != nil {
			return err
		}
		page := make([]target.Resource, 0, len(found.Entries))
		for _, e := range found.Entries {
			r := section.resource(e, target.Path{}, "")
			if r.ID == "" {
				return &target.Error{Op: opName("list", section.kind) + "s", Code: target.Forbidden, Message: "the directory does not show " + section.flavor.id, Hint: "give bind_dn the right to read it"}
			}
			page = append(page, r)
		}
		if len(page) > 0 {
			if err := yield(page); err != nil {
				return err
			}
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		next, ok := ldap.FindControl(found.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
}
