package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

// An update is one call of Update while it finds out what the application takes.
type update struct {
	a       *Adapter
	ref     target.Ref
	patches bool
	write   func(context.Context, target.Ref, []target.Attribute) (*target.Resource, error)
	result  *target.Resource
	taken   []target.Attribute
	refused []error
}

// Update implements [target.Adapter]. A PATCH is all or nothing, so when the application
// refuses one, the attributes are sent again in parts until the bad ones are known: they are
// reported, and the others, activity above all, are written. An application without PATCH
// gets the whole resource with what it had and we do not know.
//
// When an application answers a PATCH with the resource and an attribute did not take, a user
// is written as a whole, which works on more servers (Polis and scimply keep extensions that
// way only). What does not take then either is an error beside the resource: always for
// active, once in the process's life for the others.
func (a *Adapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	u := &update{a: a, ref: ref, patches: true, write: a.patch}
	if a.replaces(ref.Kind, attributes) {
		u.patches, u.write = false, a.put
	}
	err := u.apply(ctx, attributes)
	if u.patches && u.untouched() && noPatchAt(err) {
		u = &update{a: a, ref: ref, write: a.put}
		if err = u.apply(ctx, attributes); err == nil && len(u.refused) == 0 {
			a.learned.learn(noPatch, ref.Kind, "")
		}
	}
	if err == nil {
		err = u.check(ctx)
	}
	if err != nil {
		u.refused = append(u.refused, err)
	}
	if len(u.refused) == 1 {
		return u.result, u.refused[0]
	}
	return u.result, errors.Join(u.refused...)
}

func (u *update) untouched() bool { return len(u.taken) == 0 && len(u.refused) == 0 }

// noPatchAt tells a missing PATCH from a missing resource as far as a status can; a PUT
// begins with reading and finds out.
func noPatchAt(err error) bool {
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// replaces reports whether to write with PUT.
func (a *Adapter) replaces(kind target.Kind, attributes []target.Attribute) bool {
	if a.cfg.Dialect == Okta {
		return len(attributes) > 1 || attributes[0].Path.Canonical() != map[target.Kind]string{target.User: "active", target.Group: "displayName"}[kind]
	}
	return a.cfg.Replace || a.learned.knows(noPatch, kind, "") || slices.ContainsFunc(attributes, func(attribute target.Attribute) bool {
		return a.learned.knows(onlyPut, kind, factKey(attribute))
	})
}

// apply writes attributes, in parts where the application refuses the whole. Its error is one
// that is not about an attribute: nothing more was tried.
func (u *update) apply(ctx context.Context, attributes []target.Attribute) error {
	r, err := u.attempt(ctx, attributes)
	switch {
	case err == nil:
		u.taken = append(u.taken, attributes...)
		if r != nil {
			u.result = r
		}
		return nil
	case !aboutValues(err):
		return err
	case len(attributes) == 1:
		u.refused = append(u.refused, named(err, attributes[0].Path.String()))
		return nil
	}
	first, rest := split(attributes, err)
	if err := u.apply(ctx, first); err != nil {
		return err
	}
	return u.apply(ctx, rest)
}

// attempt writes attributes at once; where a path with a filter is the trouble, it sends the
// whole list, merged with what the application has.
func (u *update) attempt(ctx context.Context, attributes []target.Attribute) (*target.Resource, error) {
	filtered := u.patches && slices.ContainsFunc(attributes, func(a target.Attribute) bool { return a.Path.Filtered() })
	if filtered && u.a.learned.knows(noPathFilters, u.ref.Kind, "") {
		whole, err := u.whole(ctx, attributes)
		if err != nil {
			return nil, err
		}
		return u.write(ctx, u.ref, whole)
	}
	r, err := u.write(ctx, u.ref, attributes)
	if err == nil || !filtered || !aboutValues(err) || statusOf(err) == http.StatusConflict {
		return r, err
	}
	if len(attributes) == 1 && attributes[0].Value == nil && typeOf(err) == noTarget {
		return nil, nil // removed already
	}
	whole, readErr := u.whole(ctx, attributes)
	if readErr != nil {
		return nil, readErr
	}
	r, again := u.write(ctx, u.ref, whole)
	if again != nil {
		return nil, err
	}
	if typeOf(err) == invalidPath {
		u.a.learned.learn(noPathFilters, u.ref.Kind, "")
	}
	return r, nil
}

// whole turns attributes chosen by filter into their whole lists.
func (u *update) whole(ctx context.Context, attributes []target.Attribute) ([]target.Attribute, error) {
	current, err := u.a.Get(ctx, u.ref)
	if err != nil {
		return nil, err
	}
	var whole []target.Attribute
	for _, attribute := range attributes {
		if !attribute.Path.Filtered() {
			whole = append(whole, attribute)
			continue
		}
		attribute.Path.Set(current.Attributes, attribute.Value)
		path := attribute.Path.Whole()
		whole = slices.DeleteFunc(whole, func(a target.Attribute) bool { return a.Path.Equal(path) })
		whole = append(whole, target.Attribute{Path: path, Value: path.Get(current.Attributes)})
	}
	return whole, nil
}

// aboutValues reports whether a refusal may be about one of several attributes.
func aboutValues(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return target.CodeOf(err) == target.Rejected && statusOf(err) != 0 && statusOf(err) < 300
}

// split parts what was refused: the attribute that is blamed goes last; else activity goes
// first, so that nobody stays active for a bad title; else in halves.
func split(attributes []target.Attribute, err error) (first, rest []target.Attribute) {
	var e *target.Error
	if errors.As(err, &e) {
		if path := blame(e.Detail, attributes); path != "" {
			bad, good := part(attributes, path)
			return good, bad
		}
	}
	if slices.ContainsFunc(attributes, isActive) {
		return part(attributes, "active")
	}
	half := len(attributes) / 2
	return attributes[:half], attributes[half:]
}

// part takes the attribute of a path out. Both parts have something in them.
func part(attributes []target.Attribute, path string) (of, others []target.Attribute) {
	for _, a := range attributes {
		if a.Path.String() == path || path == "active" && isActive(a) {
			of = append(of, a)
		} else {
			others = append(others, a)
		}
	}
	if len(others) == 0 { // one path twice
		return attributes[:1], attributes[1:]
	}
	return of, others
}

func isActive(a target.Attribute) bool {
	return strings.EqualFold(a.Path.Canonical(), "active")
}

// named puts the attribute into an error.
func named(err error, path string) error {
	var e *target.Error
	if !errors.As(err, &e) {
		return err
	}
	n := *e
	n.Attribute = path
	n.Message += ": " + path
	return &n
}

// blamed names the attribute an application's words are about, nil when they name none.
func blamed(err error, attributes []target.Attribute) error {
	var e *target.Error
	if !errors.As(err, &e) || e.Code != target.Rejected && e.Code != target.Conflict {
		return nil
	}
	path := blame(e.Detail, attributes)
	if path == "" {
		return nil
	}
	return named(err, path)
}

// check compares what the application says it has with what was written, and reports what did
// not take.
func (u *update) check(ctx context.Context) error {
	if u.result == nil && u.a.cfg.VerifyWrites && len(u.taken) > 0 {
		r, err := u.a.Get(ctx, u.ref)
		if err != nil {
			return err
		}
		u.result = r
	}
	lost := slices.DeleteFunc(u.lost(u.taken), func(attribute target.Attribute) bool {
		return !u.a.learned.learn(notTaken, u.ref.Kind, factKey(attribute)) && !isActive(attribute)
	})
	if len(lost) > 0 && u.patches && u.ref.Kind == target.User {
		if r, err := u.a.put(ctx, u.ref, lost); err == nil && r != nil {
			u.result = r
			still := u.lost(lost)
			for _, attribute := range lost {
				if !slices.ContainsFunc(still, func(a target.Attribute) bool { return a.Path.Equal(attribute.Path) }) {
					u.a.learned.learn(onlyPut, u.ref.Kind, factKey(attribute))
				}
			}
			lost = still
		}
	}
	for _, attribute := range lost {
		u.refused = append(u.refused, &target.Error{
			Op: opName("update", u.ref.Kind), Code: target.Rejected, Attribute: attribute.Path.String(),
			Message: fmt.Sprintf("the application answered that it is done but did not take %s", attribute.Path),
			Hint:    "take the attribute out of the mapping if the application keeps its own value",
		})
	}
	return nil
}

// lost returns the attributes that the resource, where there is one to look at, does not have.
func (u *update) lost(attributes []target.Attribute) []target.Attribute {
	if u.result == nil || !informative(u.result.Attributes) {
		return nil
	}
	var lost []target.Attribute
	for _, attribute := range attributes {
		wired := u.a.wired(attribute)
		if !wired.Path.Same(wired.Value, u.result.Value(wired.Path)) && !strings.EqualFold(wired.Path.Name(), "password") {
			lost = append(lost, attribute)
		}
	}
	return lost
}

func factKey(attribute target.Attribute) string { return strings.ToLower(attribute.Path.Canonical()) }

// informative tells a resource from an answer that holds its id only.
func informative(object map[string]any) bool {
	for name := range object {
		switch strings.ToLower(name) {
		case "id", "schemas", "meta", "externalid":
		default:
			return true
		}
	}
	return false
}
