package scim

import (
	"context"
	"errors"
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
	result  *target.Resource // as the application last showed it
	read    bool             // result was read after the write, not answered to it
	taken   []target.Attribute
	refused []error
	adrift  []target.Path // whose place in a list cannot be told: not written
}

// Update implements [target.Adapter]. A PATCH is all or nothing, so when the application
// refuses one, the attributes are sent again in parts until the bad ones are known: they are
// reported, and the others, activity above all, are written. An application without PATCH
// gets the whole resource with what it had and we do not know.
//
// What the application then shows is compared with what was written; see check.
func (a *Adapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	attributes = a.dialect.withoutLabels(ref.Kind, a.dialect.typed(ctx, ref.Kind, attributes), false)
	u := &update{a: a, ref: ref, patches: true, write: a.patch}
	if a.dialect.replaces(ref.Kind, attributes) {
		u.patches, u.write = false, a.put
	}
	attributes, merged := u.known(attributes)
	err := u.apply(ctx, attributes)
	if u.patches && u.untouched() && noPatchAt(err) {
		u = &update{a: a, ref: ref, write: a.put}
		if err = u.apply(ctx, attributes); err == nil && len(u.refused) == 0 {
			a.learned.learn(noPatch, ref.Kind, "")
		}
	}
	if err == nil && len(merged) > 0 {
		err = u.applyMerged(ctx, merged)
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

// known parts attributes into those to write as usual and those known to take without a path only.
func (u *update) known(attributes []target.Attribute) (usual, merged []target.Attribute) {
	for _, attribute := range attributes {
		if u.patches && attribute.Value != nil && u.a.learned.knows(onlyMerge, u.ref.Kind, factKey(attribute)) {
			merged = append(merged, attribute)
		} else {
			usual = append(usual, attribute)
		}
	}
	return usual, merged
}

func (u *update) applyMerged(ctx context.Context, attributes []target.Attribute) error {
	r, err := u.merge(ctx, attributes)
	if aboutValues(err) {
		return u.apply(ctx, attributes)
	}
	if err != nil {
		return err
	}
	u.taken = append(u.taken, attributes...)
	if r != nil {
		u.result = r
	}
	return nil
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
func (d *dialect) replaces(kind target.Kind, attributes []target.Attribute) bool {
	if d.cfg.Dialect == Okta {
		return len(attributes) > 1 || attributes[0].Path.Canonical() != map[target.Kind]string{target.User: "active", target.Group: "displayName"}[kind]
	}
	return d.cfg.Replace || d.learned.knows(noPatch, kind, "") || slices.ContainsFunc(attributes, func(attribute target.Attribute) bool {
		return d.learned.knows(onlyPut, kind, factKey(attribute))
	})
}

// apply writes attributes, in parts where the application refuses the whole. Its error is one
// that is not about an attribute: nothing more was tried.
func (u *update) apply(ctx context.Context, attributes []target.Attribute) error {
	if len(attributes) == 0 {
		return nil
	}
	r, err := u.attempt(ctx, attributes)
	switch {
	case err == nil:
		u.taken = append(u.taken, slices.DeleteFunc(slices.Clone(attributes), u.isAdrift)...)
		if r != nil {
			u.result = r
		}
		return nil
	case !aboutValues(err):
		return err
	case len(attributes) == 1 && mayRefuseLabels(err, attributes):
		if err := u.apply(ctx, []target.Attribute{unlabelled(attributes[0])}); err != nil {
			return err
		}
		if len(u.refused) == 0 {
			u.a.dialect.noteLabelsRefused(u.ref.Kind, attributes)
		}
		return nil
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
	if !u.patches || !slices.ContainsFunc(attributes, filtered) {
		return u.write(ctx, u.ref, attributes)
	}
	attributes, err := u.placed(ctx, attributes)
	if err != nil || len(attributes) == 0 {
		return nil, err
	}
	r, err := u.write(ctx, u.ref, attributes)
	if err == nil || !slices.ContainsFunc(attributes, filtered) || !aboutValues(err) || statusOf(err) == http.StatusConflict {
		return r, err
	}
	if len(attributes) == 1 && attributes[0].Value == nil && typeOf(err) == noTarget {
		return nil, nil // removed already
	}
	whole, readErr := u.whole(ctx, attributes, filtered)
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

// aboutValues reports whether a refusal may be about one of several attributes.
func aboutValues(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return target.CodeOf(err) == target.Rejected && statusOf(err) != 0 && statusOf(err) < 300
}

// split parts what was refused: the attribute that is blamed goes last; else activity goes
// first, so that no account stays active for a bad title; else in halves.
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

// informative tells a resource from a response that holds its id only.
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
