package targettest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"entrasync/target"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"

// noSuchID is an id that no application gives.
const noSuchID = "00000000-0000-4000-8000-0000deadbeef"

// at parses a path that this package wrote.
func at(path string) target.Path {
	p, err := target.ParsePath(path)
	if err != nil {
		panic(err)
	}
	return p
}

// attrs makes attributes from pairs of path and value, leaving out what the application does
// not have.
func (t *trial) attrs(pairs ...any) []target.Attribute {
	var all []target.Attribute
	for i := 0; i < len(pairs); i += 2 {
		if path := pairs[i].(string); !slices.Contains(t.h.Without, path) {
			all = append(all, target.Attribute{Path: at(path), Value: pairs[i+1]})
		}
	}
	return all
}

// person returns the attributes of an ordinary account.
func (t *trial) person(name string) []target.Attribute {
	return t.attrs(
		"userName", name, "externalId", "ext-"+name, "active", true, "displayName", "Person "+name,
		"name.givenName", "Given", "name.familyName", "Family", "title", "Engineer",
		`emails[type eq "work"].value`, name,
		enterprise+"department", "Sales",
	)
}

func (t *trial) create(name string) (*target.Resource, error) {
	return t.createWith(target.User, t.person(name))
}

func (t *trial) createGroup(name string) (*target.Resource, error) {
	if err := t.needGroups(); err != nil {
		return nil, err
	}
	return t.createWith(target.Group, t.attrs("displayName", name))
}

func (t *trial) createWith(kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	r, err := t.a.Create(t.ctx, kind, attributes)
	switch {
	case err != nil:
		return nil, fmt.Errorf("could not create an ordinary %s: %w", kind, err)
	case r == nil || r.ID == "":
		return nil, fmt.Errorf("returned no id from Create, so that the %s cannot be found again", kind)
	case r.Kind != kind:
		return nil, fmt.Errorf("returned a resource of kind %q from Create, want %q", r.Kind, kind)
	}
	return r, nil
}

// needGroups asks the probe whether the application keeps groups.
func (t *trial) needGroups() error {
	profile, err := t.a.Probe(t.ctx, nil)
	if err != nil {
		return fmt.Errorf("could not probe: %w", err)
	}
	if profile == nil || !profile.Kinds[target.Group] {
		return notOffered("groups (Profile.Kinds)")
	}
	return nil
}

// holds reads a resource back and compares the values at the attributes' paths.
func (t *trial) holds(ref target.Ref, attributes []target.Attribute) error {
	got, err := t.read(ref)
	if err != nil {
		return err
	}
	if got == nil {
		return fmt.Errorf("lost the %s with the id %q", ref.Kind, ref.ID)
	}
	for _, a := range attributes {
		if have := got.Value(a.Path); !a.Path.Same(a.Value, have) {
			return fmt.Errorf("left %s at %#v, want %#v", a.Path, have, a.Value)
		}
	}
	return nil
}

// read returns a resource by the most direct way there is, nil when it does not exist.
func (t *trial) read(ref target.Ref) (*target.Resource, error) {
	if t.readBack == nil {
		if g, ok := ability[target.Getter](t.a); ok {
			r, err := g.Get(t.ctx, ref)
			if err != nil && target.CodeOf(err) != target.NotFound {
				return nil, fmt.Errorf("could not get a %s: %w", ref.Kind, err)
			}
			return r, nil
		}
	}
	all, err := t.all(ref.Kind)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == ref.ID {
			return &all[i], nil
		}
	}
	return nil, nil
}

// all returns every resource of a kind, as the application tells it when the harness can ask.
func (t *trial) all(kind target.Kind) ([]target.Resource, error) {
	if t.readBack != nil {
		users, groups := t.readBack()
		if kind == target.Group {
			return groups, nil
		}
		return users, nil
	}
	return listAll(t.ctx, t.a, kind)
}

func listAll(ctx context.Context, a target.Adapter, kind target.Kind) ([]target.Resource, error) {
	l, ok := ability[target.Lister](a)
	if !ok {
		return nil, notOffered("a Lister, and the harness no ReadBack")
	}
	var all []target.Resource
	err := l.List(ctx, kind, func(page []target.Resource) error {
		all = append(all, page...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("could not list the %ss: %w", kind, err)
	}
	return all, nil
}

// count returns how many resources of a kind there are.
func (t *trial) count(kind target.Kind, want int, when string) error {
	all, err := t.all(kind)
	if err != nil {
		return err
	}
	if len(all) != want {
		return fmt.Errorf("left %d %ss %s, want %d", len(all), kind, when, want)
	}
	return nil
}

// code checks an error's class, by which the caller decides what to do.
func code(err error, want target.Code, call string) error {
	var e *target.Error
	switch {
	case err == nil:
		return fmt.Errorf("returned no error from %s, want code %s", call, want)
	case !errors.As(err, &e):
		return fmt.Errorf("returned an error from %s that wraps no *target.Error, want code %s: %w", call, want, err)
	case e.Code != want:
		return fmt.Errorf("returned code %s from %s, want %s: %w", e.Code, call, want, err)
	}
	return nil
}

// members returns a group's members, sorted; ok is false when they cannot be read.
func (t *trial) members(group target.Ref) (ids []string, ok bool, err error) {
	if t.readBack != nil {
		r, err := t.read(group)
		if err != nil || r == nil {
			return nil, false, errors.Join(err, fmt.Errorf("lost the group %q", group.ID))
		}
		list, _ := r.Attributes["members"].([]any)
		for _, m := range list {
			if m, ok := m.(map[string]any); ok {
				ids = append(ids, fmt.Sprint(m["value"]))
			}
		}
		slices.Sort(ids)
		return slices.Compact(ids), true, nil // some servers list a member twice
	}
	reader, can := ability[target.MemberReader](t.a)
	if !can {
		return nil, false, nil
	}
	if ids, ok, err = reader.Members(t.ctx, group); err != nil {
		return nil, false, fmt.Errorf("could not read members: %w", err)
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return ids, ok, nil
}

func (t *trial) membersAre(group target.Ref, want []string, when string) error {
	got, ok, err := t.members(group)
	if err != nil {
		return err
	}
	if !ok {
		t.tb.Logf("members %s: they cannot be read, so they were not compared", when)
		return nil
	}
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("left %d members %s, want %d\ngot  %s\nwant %s", len(got), when, len(want), brief(got), brief(want))
	}
	return nil
}

func brief(ids []string) string {
	if len(ids) > 6 {
		return strings.Join(ids[:6], ", ") + ", …"
	}
	return strings.Join(ids, ", ")
}

// scramble overwrites everything that can be reached from a value.
func scramble(value any) {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			scramble(v)
			value[k] = "scrambled"
		}
		value["scrambled"] = true
	case []any:
		for i, v := range value {
			scramble(v)
			value[i] = "scrambled"
		}
	}
}

// unchanged compares two reads of one resource, but for what an application may stamp.
func unchanged(before, after *target.Resource) error {
	if before == nil || after == nil {
		if before != after {
			return errors.New("made or lost a resource meanwhile")
		}
		return nil
	}
	strip := func(m map[string]any) map[string]any {
		c := map[string]any{}
		for k, v := range m {
			if k != "meta" && k != "schemas" {
				c[k] = v
			}
		}
		return c
	}
	if b, a := strip(before.Attributes), strip(after.Attributes); !reflect.DeepEqual(b, a) {
		return fmt.Errorf("changed the resource\nfrom %v\nto   %v", b, a)
	}
	return nil
}
