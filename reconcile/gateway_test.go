package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// A gateway stands before an application: it keeps groups for it, refuses calls, carries calls out
// and loses the response, and answers with something else than was done. Hooks are nil when
// nothing is to happen; they get the method and the id of the account, group or member it is
// about, for a creation the userName or displayName.
type gateway struct {
	*application
	groups map[string]*provisionedGroup
	made   int

	before func(method, about string) error // the call is not carried out
	after  func(method, about string) error // it is carried out, and this is the response
	reply  func(method string, r *target.Resource) *target.Resource

	visible bool // members of groups can be read
	bare    bool // all groups are shown without members
}

type provisionedGroup struct {
	attributes map[string]any
	members    []string
}

// behindGateway has the syncs of a service reach the application through a gateway.
func (s *service) behindGateway() *gateway {
	g := &gateway{application: s.app(), groups: map[string]*provisionedGroup{}, visible: true}
	s.through = func(a *application) target.Adapter { g.application = a; return g }
	return g
}

func (g *gateway) ask(method, about string) error {
	if g.before == nil {
		return nil
	}
	return g.before(method, about)
}

func (g *gateway) done(method, about string, r *target.Resource) (*target.Resource, error) {
	if g.after != nil {
		if err := g.after(method, about); err != nil {
			return nil, err
		}
	}
	if g.reply != nil && r != nil {
		r = g.reply(method, r)
	}
	return r, nil
}

// on is a hook that answers one call with an error.
func on(method, about string, err error) func(method, about string) error {
	return func(called, of string) error {
		if called == method && of == about {
			return err
		}
		return nil
	}
}

// lostAnswer is the error of a call that may have been carried out.
func lostAnswer() error {
	return &target.Error{Code: target.Unavailable, Op: "create user", Message: "no answer", Indeterminate: true}
}

func nameIn(attributes []target.Attribute) (name string) {
	for _, a := range attributes {
		if path := a.Path.String(); path == "userName" || path == "displayName" && name == "" {
			name = fmt.Sprint(a.Value)
		}
	}
	return name
}

func (g *gateway) Find(ctx context.Context, kind target.Kind, by target.Path, value string) (found []target.Resource, err error) {
	if err := g.ask("find", value); err != nil {
		return nil, err
	}
	if kind == target.User {
		return g.application.Find(ctx, kind, by, value)
	}
	for _, id := range slices.Sorted(maps.Keys(g.groups)) {
		if by.Holds(g.groups[id].attributes, value) {
			found = append(found, *g.group(id))
		}
	}
	return found, nil
}

func (g *gateway) Get(ctx context.Context, ref target.Ref) (r *target.Resource, err error) {
	if err := g.ask("get", ref.ID); err != nil {
		return nil, err
	}
	if ref.Kind == target.User {
		r, err = g.application.Get(ctx, ref)
	} else if r = g.group(ref.ID); r == nil {
		err = &target.Error{Code: target.NotFound, Op: "get group", Message: "there is none"}
	}
	if err != nil {
		return nil, err
	}
	return g.done("get", ref.ID, r)
}

func (g *gateway) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	if kind == target.User {
		return g.application.List(ctx, kind, yield)
	}
	var page []target.Resource
	for _, id := range slices.Sorted(maps.Keys(g.groups)) {
		page = append(page, *g.group(id))
	}
	return yield(page)
}

func (g *gateway) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (r *target.Resource, err error) {
	name := nameIn(attributes)
	if err := g.ask("create", name); err != nil {
		return nil, err
	}
	if kind == target.User {
		if r, err = g.application.Create(ctx, kind, attributes); err != nil {
			return nil, err
		}
		return g.done("create", name, r)
	}
	g.mu.Lock()
	g.made++
	id := "g" + strconv.Itoa(g.made)
	g.groups[id] = &provisionedGroup{attributes: map[string]any{}}
	for _, a := range attributes {
		a.Path.Set(g.groups[id].attributes, a.Value)
	}
	g.mu.Unlock()
	return g.done("create", name, g.group(id))
}

func (g *gateway) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (r *target.Resource, err error) {
	if err := g.ask("update", ref.ID); err != nil {
		return nil, err
	}
	if ref.Kind == target.User {
		if r, err = g.application.Update(ctx, ref, attributes); err != nil {
			return nil, err
		}
		return g.done("update", ref.ID, r)
	}
	if g.groups[ref.ID] == nil {
		return nil, &target.Error{Code: target.NotFound, Op: "update group", Message: "there is none"}
	}
	for _, a := range attributes {
		a.Path.Set(g.groups[ref.ID].attributes, a.Value)
	}
	return g.done("update", ref.ID, g.group(ref.ID))
}

func (g *gateway) Delete(ctx context.Context, ref target.Ref) error {
	if err := g.ask("delete", ref.ID); err != nil {
		return err
	}
	if ref.Kind == target.User {
		if err := g.application.Delete(ctx, ref); err != nil {
			return err
		}
	} else {
		delete(g.groups, ref.ID)
	}
	_, err := g.done("delete", ref.ID, nil)
	return err
}

// ChangeMembers implements target.MemberWriter. A member that a hook refuses is named, the others
// are written.
func (g *gateway) ChangeMembers(_ context.Context, ref target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	if err := g.ask("members", ref.ID); err != nil {
		return nil, err
	}
	group := g.groups[ref.ID]
	if group == nil {
		return nil, &target.Error{Code: target.NotFound, Op: "change members of group", Message: "there is none"}
	}
	for method, ids := range map[string][]string{"join": add, "leave": remove} {
		for _, id := range ids {
			if err := g.ask(method, id); err != nil {
				refused = append(refused, target.MemberError{ID: id, Err: err})
				continue
			}
			group.members = slices.DeleteFunc(group.members, func(m string) bool { return m == id })
			if method == "join" {
				group.members = append(group.members, id)
			}
		}
	}
	_, err = g.done("members", ref.ID, nil)
	return refused, err
}

// Members implements target.MemberReader.
func (g *gateway) Members(_ context.Context, ref target.Ref) (ids []string, ok bool, err error) {
	if g.groups[ref.ID] == nil {
		return nil, false, &target.Error{Code: target.NotFound, Op: "read members of group", Message: "there is none"}
	}
	if g.bare {
		return []string{}, true, nil
	}
	return slices.Clone(g.groups[ref.ID].members), g.visible, nil
}

func (g *gateway) group(id string) *target.Resource {
	if g.groups[id] == nil {
		return nil
	}
	return &target.Resource{Ref: target.Ref{Kind: target.Group, ID: id}, Attributes: maps.Clone(g.groups[id].attributes)}
}

// membersOf lists the userNames of a group's members, without their domain.
func (g *gateway) membersOf(name string) string {
	var names []string
	for _, group := range g.groups {
		if group.attributes["displayName"] != name {
			continue
		}
		for _, id := range group.members {
			text, _, _ := strings.Cut(fmt.Sprint(g.accounts[id]["userName"]), "@")
			names = append(names, text)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// withGroups has a sync provision the groups that are assigned, with externalId and members.
func withGroups(s *reconcile.Sync) {
	groups, faults := mapping.New(target.Group, []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "displayName", Expr: "[displayName]", Required: true},
	})
	if len(faults) > 0 {
		panic(faults)
	}
	s.AppID = "app"
	s.Groups = desired.GroupRules{Enabled: true, Takeover: desired.TakeoverHold, Rules: desired.Rules{
		Mapping: groups, Match: []string{"externalId", "displayName"},
		Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Delete: true},
	}}
}

// withExternalID has a sync give accounts the object id as externalId, and match by it first.
func withExternalID(s *reconcile.Sync) {
	users, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "displayName", Expr: "[displayName]"},
	})
	if len(faults) > 0 {
		panic(faults)
	}
	s.Users.Mapping, s.Users.Match = users, []string{"externalId", "userName"}
}

// configured puts changes of a sync together.
func configured(changes ...func(*reconcile.Sync)) func(*reconcile.Sync) {
	return func(s *reconcile.Sync) {
		for _, change := range changes {
			change(s)
		}
	}
}

func refusal(code target.Code, status int) *target.Error {
	return &target.Error{Code: code, Status: status, Op: "test", Message: fmt.Sprintf("refused (%d)", status), Indeterminate: status >= 500}
}
