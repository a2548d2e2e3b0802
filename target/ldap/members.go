package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

const (
	membersCall = 500 // members in one request
	lookedUp    = 100 // names or ids in one filter
	membersPart = 3   // members of Active Directory at once, for each entry of a page
)

// permissive has a server take adding a member that is there, and removing one that is not, for done.
const permissive = "1.2.840.113556.1.4.1413"

// ChangeMembers implements [target.MemberWriter].
func (a *Adapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	const op = "change members of group"
	section, err := a.section(op, target.Group)
	if err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	err = a.run(ctx, op, true, func(s *session) error {
		refused = nil
		entry, err := s.entry(op, section, group, section.flavor.id)
		if err != nil {
			return err
		}
		adding, err := s.namesOf(add)
		if err != nil {
			return err
		}
		removing, err := s.namesOf(remove)
		if err != nil {
			return err
		}
		var names []string
		ids := map[string]string{}
		for _, id := range add {
			if name, ok := adding[id]; ok {
				names, ids[name] = append(names, name), id
				continue
			}
			refused = append(refused, target.MemberError{ID: id, Err: &target.Error{Op: op, Code: target.Rejected, Message: "no such user is one of this target's"}})
		}
		for chunk := range slices.Chunk(names, membersCall) {
			some, err := s.addMembers(op, section, entry.DN, group.ID, chunk, ids)
			refused = append(refused, some...)
			if err != nil {
				return err
			}
		}
		var gone []string
		for _, id := range remove {
			if name, ok := removing[id]; ok {
				gone = append(gone, name)
			}
		}
		for chunk := range slices.Chunk(gone, membersCall) {
			if err := s.editMembers(section, entry.DN, nil, chunk); err != nil {
				return stale(err)
			}
		}
		return nil
	})
	return refused, err
}

// addMembers adds members. Where some are refused, each is added alone, so that the others are in.
func (s *session) addMembers(op string, section *section, group, id string, names []string, ids map[string]string) (refused []target.MemberError, err error) {
	err = stale(s.editMembers(section, group, names, nil))
	if err == nil || !refusedAttribute(err) || answers(err, ldap.LDAPResultInsufficientAccessRights) {
		return nil, err
	}
	for _, name := range names {
		err := stale(s.editMembers(section, group, []string{name}, nil))
		switch {
		case err == nil:
		case refusedAttribute(err):
			refused = append(refused, target.MemberError{ID: ids[name], Err: s.a.failed(s.ctx, op, err, false)})
		default:
			return refused, err
		}
	}
	return refused, nil
}

// editMembers adds and removes members of the group of a name. One that is in already, or out, is as it should be.
func (s *session) editMembers(section *section, group string, add, remove []string) error {
	var e edit
	if len(add) > 0 {
		e.set(ldap.AddAttribute, section.member, add...)
	}
	if len(remove) > 0 {
		e.set(ldap.DeleteAttribute, section.member, remove...)
	}
	err := s.modifyMembers(group, e.changes)
	switch {
	case answers(err, ldap.LDAPResultObjectClassViolation) && section.placeholder != "" && len(remove) > 0: // it would be empty
		e.changes = slices.Insert(e.changes, 0, ldap.Change{Operation: ldap.AddAttribute, Modification: ldap.PartialAttribute{Type: section.member, Vals: []string{section.placeholder}}})
		return s.modifyMembers(group, e.changes)
	case !memberIn(err) && !memberOut(err):
		return err
	case len(add)+len(remove) == 1:
		return nil
	}
	for _, name := range add { // a server without the control
		if err := s.editMembers(section, group, []string{name}, nil); err != nil {
			return err
		}
	}
	for _, name := range remove {
		if err := s.editMembers(section, group, nil, []string{name}); err != nil {
			return err
		}
	}
	return nil
}

// memberIn reports whether a member was not added because it is there. Active Directory has a code of its own for it.
func memberIn(err error) bool {
	return answers(err, ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultEntryAlreadyExists)
}

// memberOut reports whether a member was not removed because it is not there. Active Directory is unwilling then, with
// ERROR_MEMBER_NOT_IN_ALIAS; Samba has words of its own.
func memberOut(err error) bool {
	return answers(err, ldap.LDAPResultNoSuchAttribute) ||
		answers(err, ldap.LDAPResultUnwillingToPerform) && (strings.Contains(err.Error(), "00000561") || strings.Contains(err.Error(), "doesn't exist for target GUID") || strings.Contains(err.Error(), "already deleted for target GUID"))
}

func (s *session) modifyMembers(group string, changes []ldap.Change) error {
	var controls []ldap.Control
	if s.server.controls[permissive] {
		controls = append(controls, ldap.NewControlString(permissive, true, ""))
	}
	request := ldap.NewModifyRequest(group, controls)
	request.Changes = changes
	return s.send(true, func() error { return s.c.Modify(request) })
}

// namesOf returns the names of users by id. One that is not there is left out.
func (s *session) namesOf(ids []string) (map[string]string, error) {
	names := map[string]string{}
	for chunk := range slices.Chunk(ids, lookedUp) {
		var filters []string
		for _, id := range chunk {
			if filter, ok := s.a.flavor.byID(id); ok {
				filters = append(filters, filter)
			}
		}
		if len(filters) == 0 {
			continue
		}
		found, err := s.entries(s.a.users, anyOf(filters), s.a.flavor.id)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			names[s.a.flavor.idOf(e.GetEqualFoldRawAttributeValue(s.a.flavor.id))] = e.DN
		}
	}
	return names, nil
}

// Members implements [target.MemberReader]: those that are users of this target.
func (a *Adapter) Members(ctx context.Context, group target.Ref) (ids []string, ok bool, err error) {
	const op = "read members of group"
	section, err := a.section(op, target.Group)
	if err != nil {
		return nil, false, err
	}
	err = a.run(ctx, op, true, func(s *session) error {
		names, err := s.members(op, section, group)
		if err != nil {
			return err
		}
		ids, err = s.idsOf(names)
		return err
	})
	return ids, err == nil, err
}

// members are the names in a group. Active Directory is asked for parts: it answers with 1,500 at most.
func (s *session) members(op string, section *section, group target.Ref) (names []string, err error) {
	part := membersPart * s.a.cfg.PageSize
	for from := 0; ; {
		asked := section.member
		if section.flavor.ad {
			asked = fmt.Sprintf("%s;range=%d-%d", section.member, from, from+part-1)
		}
		entry, err := s.entry(op, section, group, section.flavor.id, asked)
		if err != nil {
			return nil, err
		}
		next := valueRange{last: true}
		for _, a := range entry.Attributes {
			part, ranged := rangeOf(a.Name)
			if ranged && strings.EqualFold(part.attribute, section.member) {
				names, next = append(names, a.Values...), part
			} else if strings.EqualFold(a.Name, section.member) {
				names = append(names, a.Values...)
			}
		}
		if next.last {
			return names, nil
		}
		if next.next <= from {
			return nil, &target.Error{Op: op, Code: target.Rejected, Message: fmt.Sprintf("the directory tells no members behind the first %d", from)}
		}
		from = next.next
	}
}

// idsOf returns the ids of those names that are users of this target.
func (s *session) idsOf(names []string) (ids []string, err error) {
	for chunk := range slices.Chunk(names, lookedUp) {
		var filters []string
		wanted := map[string]bool{}
		for _, name := range chunk {
			if _, _, err := split(name); err == nil && nameKey(name) != nameKey(s.a.groups.placeholder) {
				filters, wanted[nameKey(name)] = append(filters, equals(s.a.flavor.name, name)), true
			}
		}
		if len(filters) == 0 {
			continue
		}
		found, err := s.entries(s.a.users, anyOf(filters), s.a.flavor.id)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if wanted[nameKey(e.DN)] {
				ids = append(ids, s.a.flavor.idOf(e.GetEqualFoldRawAttributeValue(s.a.flavor.id)))
			}
		}
	}
	return ids, nil
}

// groupsOf are the names of the groups that have a member of a name. Active Directory has memberships follow entries.
func (s *session) groupsOf(name string) (groups []string, err error) {
	if s.a.groups == nil || s.a.flavor.ad {
		return nil, nil
	}
	found, err := s.entries(s.a.groups, equals(s.a.groups.member, name), s.a.flavor.id)
	for _, e := range found {
		groups = append(groups, e.DN)
	}
	return groups, err
}

// leaveGroups takes a name out of all groups: that of an entry that is deleted, and what an earlier entry of the name of a
// new one has left behind.
func (s *session) leaveGroups(name string) error {
	groups, err := s.groupsOf(name)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := s.editMembers(s.a.groups, group, nil, []string{name}); err != nil && !answers(err, ldap.LDAPResultNoSuchObject) {
			return err
		}
	}
	return nil
}

// announce adds the next name of an entry to the groups that it is in, so that it is in them whenever a renaming ends.
// A name that another entry has is not added: that would be in the groups.
func (s *session) announce(from, to string) (groups []string, err error) {
	if groups, err = s.groupsOf(from); err != nil || len(groups) == 0 {
		return nil, err
	}
	_, err = s.search(to, ldap.ScopeBaseObject, "(objectClass=*)", []string{"1.1"})
	if err == nil {
		return nil, nil // the renaming will say so
	}
	if !answers(err, ldap.LDAPResultNoSuchObject) {
		return nil, err
	}
	for _, group := range groups {
		if err := s.editMembers(s.a.groups, group, []string{to}, nil); err != nil {
			return nil, err
		}
	}
	return groups, nil
}
