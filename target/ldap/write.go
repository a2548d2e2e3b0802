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

// Create implements [target.Adapter].
func (a *Adapter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (made *target.Resource, err error) {
	op := opName("create", kind)
	section, err := a.section(op, kind)
	if err != nil {
		return nil, err
	}
	c, refused := section.changeOf(op, attributes, true)
	if len(refused) > 0 {
		return nil, refused[0] // half an account helps no one
	}
	err = a.run(ctx, op, false, func(s *session) error {
		made, err = s.create(op, section, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

func (s *session) create(op string, section *section, c change) (*target.Resource, error) {
	request, err := s.newEntry(op, section, c)
	if err != nil {
		return nil, err
	}
	if err := s.taken(op, section, c, ""); err != nil {
		return nil, err
	}
	if err := s.send(true, func() error { return s.c.Add(request) }); err != nil {
		if answers(err, ldap.LDAPResultNoSuchObject) {
			_, above, _ := split(request.DN)
			return nil, noBase(above)
		}
		return nil, err
	}
	if section.kind == target.User {
		if err := s.leaveGroups(request.DN); err != nil {
			return nil, err
		}
	}
	found, err := s.search(request.DN, ldap.ScopeBaseObject, section.ours(), section.asked())
	if err != nil && !answers(err, ldap.LDAPResultNoSuchObject) {
		return nil, err
	}
	if err != nil || len(found.Entries) != 1 {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "the new entry is not one of this target's: read back by its name, classes and fixed values, it is not there",
			Hint: "see that bind_dn may read what it writes, and that no overlay changes classes or fixed values"}
	}
	made := section.resource(found.Entries[0], target.Path{}, "")
	if c.on == nil || !*c.on || section.active == nil || !section.active.flag {
		return &made, nil
	}
	e := edit{}
	if err := section.editState(op, &e, found.Entries[0], true); err != nil {
		return nil, err
	}
	if err := s.modify(request.DN, made.ID, e.changes); err != nil {
		return nil, fmt.Errorf("the account is there, switched off: %w", err)
	}
	made.Attributes["active"] = true
	return &made, nil
}

// newEntry is the request that makes an entry. Accounts of Active Directory are switched off at first: they can be switched
// on when they have a password.
func (s *session) newEntry(op string, section *section, c change) (*ldap.AddRequest, error) {
	i := slices.IndexFunc(c.writes, func(w write) bool { return w.path.Equal(section.naming) })
	if i < 0 || len(c.writes[i].values) == 0 {
		return nil, refusal(op, section.naming.String(), fmt.Sprintf("%s names the entry, and it has no value", section.naming), "give the attribute a value in the mapping")
	}
	value, base := c.writes[i].values[0], section.base
	if c.on != nil && !*c.on && section.active.base != "" {
		base = section.active.base
	}
	request := ldap.NewAddRequest(avaOf(section.rdn, value)+","+base, nil)
	request.Attribute("objectClass", section.classes)
	if _, ok := section.mappedName(section.rdn); !ok {
		request.Attribute(section.rdn, []string{value})
	}
	for _, f := range section.fixed {
		request.Attribute(f.name, []string{f.value})
	}
	for _, w := range c.writes {
		if len(w.values) > 0 {
			request.Attribute(w.name, w.values)
		}
	}
	if section.placeholder != "" {
		request.Attribute(section.member, []string{section.placeholder})
	}
	switch {
	case section.active == nil:
	case section.active.flag:
		request.Attribute(accountControl, []string{switched(normalAccount, false)})
		if s.a.cfg.Users.Password == "random" {
			request.Attribute("unicodePwd", []string{passwordOf(randomPassword())})
		}
	case section.active.attribute != "" && c.on != nil:
		if values := section.active.value(*c.on); len(values) > 0 {
			request.Attribute(section.active.attribute, values)
		}
	}
	return request, fill(s, section, request)
}

func (s *section) mappedName(name string) (mapped, bool) {
	i := slices.IndexFunc(s.attributes, func(m mapped) bool { return strings.EqualFold(m.name, name) })
	if i < 0 {
		return mapped{}, false
	}
	return s.attributes[i], true
}

// fill gives a new entry what its classes demand and nothing has a value for.
func fill(s *session, section *section, request *ldap.AddRequest) error {
	if section.flavor.ad {
		return nil // it fills in what users and groups must have
	}
	schema, err := s.schema()
	if err != nil {
		return err
	}
	must, _, _ := schema.demands(section.classes)
	for _, name := range must {
		if !slices.ContainsFunc(request.Attributes, func(a ldap.Attribute) bool { return schema.same(a.Type, name) }) {
			request.Attribute(name, []string{section.empty})
		}
	}
	return nil
}

// taken refuses a userName that another entry has: the server itself knows names below one entry only.
func (s *session) taken(op string, section *section, c change, except string) error {
	i := slices.IndexFunc(c.writes, func(w write) bool { return w.path.Equal(userNamePath) })
	if section.kind != target.User || section.flavor.ad || i < 0 || len(c.writes[i].values) == 0 {
		return nil
	}
	w := c.writes[i]
	found, err := s.entries(section, equals(w.name, w.values[0]), section.flavor.id)
	if err != nil {
		return err
	}
	for _, e := range found {
		if id := section.flavor.idOf(e.GetEqualFoldRawAttributeValue(section.flavor.id)); id != except {
			return &target.Error{Op: op, Code: target.Conflict, Attribute: w.path.String(), Message: fmt.Sprintf("another entry has the %s %s", w.name, target.Clean(w.values[0])), Detail: target.Clean(e.DN)}
		}
	}
	return nil
}

// Update implements [target.Adapter]. Where several attributes are refused together, each is written alone, so that those
// that can be are.
func (a *Adapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	op := opName("update", ref.Kind)
	section, err := a.section(op, ref.Kind)
	if err != nil || len(attributes) == 0 {
		return nil, err
	}
	after, err := a.update(ctx, op, section, ref, attributes)
	if err == nil || len(attributes) == 1 || after != nil || !apart(err) {
		return after, err
	}
	var errs []error
	for _, one := range attributes {
		shown, err := a.update(ctx, op, section, ref, []target.Attribute{one})
		if shown != nil {
			after = shown
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return after, joined(errs)
}

// apart reports whether an error may be about some of the attributes.
func apart(err error) bool {
	code := target.CodeOf(err)
	return code == target.Rejected || code == target.Conflict || refusedAttribute(err)
}

func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func (a *Adapter) update(ctx context.Context, op string, section *section, ref target.Ref, attributes []target.Attribute) (after *target.Resource, err error) {
	c, refused := section.changeOf(op, attributes, false)
	if len(refused) > 0 {
		if len(attributes) == 1 { // that the entry is there is known before a word is said of it
			if _, err := a.Get(ctx, ref); err != nil {
				return nil, err
			}
		}
		return nil, joined(refused)
	}
	err = a.run(ctx, op, true, func(s *session) error {
		after, err = s.update(op, section, ref, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return after, joined(target.Doubts(op, "the directory", "look for an overlay or a schema that changes the value", after, c.paths))
}

func (s *session) update(op string, section *section, ref target.Ref, c change) (*target.Resource, error) {
	entry, err := s.entry(op, section, ref)
	if err != nil {
		return nil, err
	}
	must, err := s.must(section, c)
	if err != nil {
		return nil, err
	}
	e, err := section.edit(op, entry, c, must)
	if err != nil {
		return nil, err
	}
	if e.nothing() {
		shown := section.resource(entry, target.Path{}, "")
		return &shown, nil
	}
	if err := s.taken(op, section, c, ref.ID); err != nil {
		return nil, err
	}
	name := entry.DN
	if e.rdn != "" || e.above != "" {
		if name, err = s.move(section, entry.DN, ref.ID, e); err != nil {
			return nil, err
		}
	}
	if len(e.changes) > 0 {
		if err := modifyUser(s, section, name, ref.ID, e.changes, c.on); err != nil {
			return nil, err
		}
	}
	entry, err = s.entry(op, section, ref)
	if err != nil {
		return nil, err
	}
	shown := section.resource(entry, target.Path{}, "")
	return &shown, nil
}

// must returns which attributes the schema demands. It is asked only where a change takes values away.
func (s *session) must(section *section, c change) (func(name string) bool, error) {
	none := func(string) bool { return false }
	if section.flavor.ad || !slices.ContainsFunc(c.writes, func(w write) bool { return len(w.values) == 0 }) {
		return none, nil
	}
	schema, err := s.schema()
	if err != nil {
		return nil, err
	}
	must, _, _ := schema.demands(section.classes)
	return func(name string) bool { return schema.has(must, name) }, nil
}

// modifyUser changes an entry. A value that others changed meanwhile makes it stale, and an account that was never given a
// password gets one where the configuration says so.
func modifyUser(s *session, section *section, name, id string, changes []ldap.Change, on *bool) error {
	err := s.modify(name, id, changes)
	flag := slices.ContainsFunc(changes, func(c ldap.Change) bool { return c.Modification.Type == accountControl })
	switch {
	case flag && answers(err, ldap.LDAPResultNoSuchAttribute):
		return errStale
	case flag && on != nil && *on && s.a.cfg.Users.Password == "random" && answers(err, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation):
		password := edit{}
		password.set(ldap.ReplaceAttribute, "unicodePwd", passwordOf(randomPassword()))
		if never, asked := neverHadPassword(s, name); asked != nil || !never {
			return errors.Join(asked, err)
		}
		return s.modify(name, id, append(password.changes, changes...))
	}
	return err
}

// neverHadPassword reads whether an account has been without a password since it was made.
func neverHadPassword(s *session, name string) (bool, error) {
	found, err := s.search(name, ldap.ScopeBaseObject, "(objectClass=*)", []string{"pwdLastSet"})
	if err != nil {
		return false, err
	}
	return len(found.Entries) == 1 && found.Entries[0].GetEqualFoldAttributeValue("pwdLastSet") == "0", nil
}

// move renames an entry, or puts it below another one, and has groups follow.
func (s *session) move(section *section, from, id string, e edit) (to string, err error) {
	rdn, above, err := split(from)
	if err != nil {
		return "", err
	}
	text := e.rdn
	if text == "" {
		text = rdn.String()
	}
	if e.above != "" {
		above = e.above
	}
	to = text + "," + above
	var groups []string
	if section.kind == target.User && nameKey(from) != nameKey(to) {
		if groups, err = s.announce(from, to); err != nil {
			return "", err
		}
	}
	if err := s.rename(from, id, text, e.above); err != nil {
		for _, group := range groups {
			_ = s.editMembers(s.a.groups, group, nil, []string{to}) // it has the error of the renaming that is of interest
		}
		return "", err
	}
	for _, group := range groups {
		if err := s.editMembers(s.a.groups, group, nil, []string{from}); err != nil && !answers(err, ldap.LDAPResultNoSuchObject) {
			return "", err
		}
	}
	return to, nil
}

// Delete implements [target.Adapter].
func (a *Adapter) Delete(ctx context.Context, ref target.Ref) error {
	op := opName("delete", ref.Kind)
	section, err := a.section(op, ref.Kind)
	if err != nil {
		return err
	}
	err = a.run(ctx, op, true, func(s *session) error {
		entry, err := s.entry(op, section, ref, section.flavor.id)
		if err != nil {
			return err
		}
		if ref.Kind == target.User {
			if err := s.leaveGroups(entry.DN); err != nil {
				return err
			}
		}
		return s.remove(entry.DN, ref.ID)
	})
	if err != nil && target.CodeOf(err) == target.NotFound {
		return nil
	}
	return err
}
