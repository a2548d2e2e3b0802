package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrasync/target"
)

// Bounds of what is asked for at once, so that an answer fits into a line of 1 MiB.
const (
	pageSize    = 200
	membersPage = 5000
	membersCall = 1000
)

func opName(verb string, kind target.Kind) string { return verb + " " + string(kind) }

// Probe implements [target.Adapter].
func (a *Adapter) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	hello, err := a.channel.hello(ctx)
	if err != nil {
		return nil, err
	}
	var result ProbeResult
	if err := a.channel.call(ctx, &call{op: "probe", method: "probe", params: probeParams(paths), result: &result}); err != nil {
		return nil, err
	}
	profile := &target.Profile{Name: target.Clean(hello.Name), Kinds: map[target.Kind]bool{}, Patch: true, Filter: true, Unknown: map[string]bool{}}
	for _, kind := range hello.Kinds {
		profile.Kinds[target.Kind(kind)] = true
	}
	for _, note := range result.Notes {
		profile.Notes = append(profile.Notes, target.Clean(note))
	}
	for _, path := range result.Unknown {
		profile.Unknown[path] = true
		profile.Notes = append(profile.Notes, "the application has no attribute "+target.Clean(path))
	}
	return profile, nil
}

func probeParams(paths map[target.Kind][]target.Path) ProbeParams {
	params := ProbeParams{Paths: map[string][]string{}}
	for kind, list := range paths {
		for _, path := range list {
			params.Paths[string(kind)] = append(params.Paths[string(kind)], path.Canonical())
		}
	}
	return params
}

// Find implements [target.Adapter]. Resources that do not have the value are left out.
func (a *Adapter) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	op := opName("find", kind)
	if value == "" {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "nothing can be found by an empty " + by.String()}
	}
	var result FindResult
	c := call{op: op, method: "find", params: FindParams{string(kind), by.Canonical(), value}, result: &result}
	if err := a.channel.call(ctx, &c); err != nil {
		return nil, err
	}
	found := []target.Resource{}
	for i := range result.Resources {
		r, err := resource(op, kind, &result.Resources[i])
		if err != nil {
			return nil, err
		}
		same := func(other target.Resource) bool { return other.ID == r.ID }
		if by.Holds(r.Attributes, value) && !slices.ContainsFunc(found, same) {
			found = append(found, *r)
		}
	}
	return found, nil
}

// Get implements [target.Getter].
func (a *Adapter) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	op := opName("read", ref.Kind)
	var result ResourceResult
	if err := a.channel.call(ctx, &call{op: op, method: "get", params: RefParams{string(ref.Kind), ref.ID}, result: &result}); err != nil {
		return nil, err
	}
	if result.Resource == nil {
		return nil, nonsense(op, false, "the result has no resource")
	}
	r, err := resource(op, ref.Kind, result.Resource)
	if err != nil {
		return nil, err
	}
	return r, sameResource(op, ref, r)
}

// sameResource refuses an answer about another resource.
func sameResource(op string, asked target.Ref, got *target.Resource) error {
	if got.ID == asked.ID {
		return nil
	}
	return &target.Error{Op: op, Code: target.Rejected,
		Message: fmt.Sprintf("asked about %.100q, it answered about another resource, %.100q", asked.ID, target.Clean(got.ID)),
		Hint:    "the program's author has to correct it: an answer is about the id that was asked for"}
}

// List implements [target.Lister].
func (a *Adapter) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	op := opName("list", kind) + "s"
	for cursor := ""; ; {
		var result ListResult
		if err := a.channel.call(ctx, &call{op: op, method: "list", params: ListParams{string(kind), cursor, pageSize}, result: &result}); err != nil {
			return err
		}
		page := make([]target.Resource, 0, len(result.Resources))
		for i := range result.Resources {
			r, err := resource(op, kind, &result.Resources[i])
			if err != nil {
				return err
			}
			page = append(page, *r)
		}
		if len(page) > 0 {
			if err := yield(page); err != nil {
				return err
			}
		}
		if err := ended(ctx, op); err != nil {
			return err
		}
		switch {
		case result.Next == "":
			return nil
		case result.Next == cursor || len(page) == 0:
			return nonsense(op, false, "the list does not get on: it names the same cursor again, or an empty page that is not the last")
		}
		cursor = result.Next
	}
}

// Create implements [target.Adapter].
func (a *Adapter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	return a.create(ctx, kind, attributes, "")
}

// create makes a resource. fallback is its id where the answer names none; "" refuses such an answer.
func (a *Adapter) create(ctx context.Context, kind target.Kind, attributes []target.Attribute, fallback string) (*target.Resource, error) {
	op := opName("create", kind)
	params := CreateParams{Kind: string(kind), Attributes: written(attributes, true)}
	if operation, ok := target.OperationOf(ctx); ok {
		params.Source = operation.Source
	}
	var result ResourceResult
	c := call{op: op, method: "create", params: params, result: &result, writes: true, key: key(ctx, "create", params)}
	if err := a.channel.call(ctx, &c); err != nil {
		return nil, err
	}
	if result.Resource == nil || len(result.Resource.ID) == 0 {
		if fallback == "" {
			return nil, nonsense(op, true, "the result does not say the id of what was made")
		}
		return &target.Resource{Ref: target.Ref{Kind: kind, ID: fallback}}, nil
	}
	r, err := resource(op, kind, result.Resource)
	if err != nil {
		return nil, unsure(err)
	}
	if another(r, attributes) {
		return nil, &target.Error{Op: op, Code: target.Conflict, Message: "it answered with a resource that bears another identity than was sent"}
	}
	return r, nil
}

// another reports whether a resource shows another identity than was sent.
func another(r *target.Resource, sent []target.Attribute) bool {
	for _, attribute := range sent {
		switch strings.ToLower(attribute.Path.Canonical()) {
		case "externalid", "username":
			if shown := r.Value(attribute.Path); shown != nil && shown != "" && !attribute.Path.Same(attribute.Value, shown) {
				return true
			}
		}
	}
	return false
}

// ownID is the id of an account whose application names none.
func ownID(ctx context.Context, attributes []target.Attribute) string {
	if operation, ok := target.OperationOf(ctx); ok && operation.Source != "" {
		return operation.Source
	}
	for _, name := range []string{"externalId", "userName", "displayName"} {
		for _, attribute := range attributes {
			if text, ok := attribute.Value.(string); ok && text != "" && strings.EqualFold(attribute.Path.Canonical(), name) {
				return text
			}
		}
	}
	return ""
}

// Update implements [target.Adapter]. What the answer shows is compared with what was written.
func (a *Adapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	op := opName("update", ref.Kind)
	if len(attributes) == 0 {
		return nil, nil
	}
	params := UpdateParams{string(ref.Kind), ref.ID, written(attributes, false), before(attributes)}
	digested := params
	digested.Old = nil // known only where the answer to the change before was not lost
	var result UpdateResult
	c := call{op: op, method: "update", params: params, result: &result, writes: true, key: key(ctx, "update", digested)}
	if err := a.channel.call(ctx, &c); err != nil {
		return nil, err
	}
	refused, attributes := refusals(op, result.Refused, attributes)
	if result.Resource == nil {
		return nil, joined(refused)
	}
	r, err := resource(op, ref.Kind, result.Resource)
	if err == nil {
		err = sameResource(op, ref, r)
	}
	if err != nil {
		return nil, unsure(err)
	}
	if len(r.Attributes) > 1 { // more than its id
		refused = append(refused, target.Doubts(op, "the application", "see how the target's program writes it", r, attributes)...)
	}
	return r, joined(refused)
}

func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// refusals returns the errors of refused attributes, and the attributes that were not refused.
func refusals(op string, refused []Refusal, attributes []target.Attribute) (errs []error, taken []target.Attribute) {
	taken = slices.Clone(attributes)
	for _, r := range refused {
		errs = append(errs, &target.Error{Op: op, Code: target.Rejected, Attribute: target.Clean(r.Attribute), Message: "it refused " + target.Clean(r.Attribute), Detail: target.Clean(r.Message)})
		taken = slices.DeleteFunc(taken, func(a target.Attribute) bool { return strings.EqualFold(a.Path.Canonical(), r.Attribute) })
	}
	return errs, taken
}

// Delete implements [target.Adapter].
func (a *Adapter) Delete(ctx context.Context, ref target.Ref) error {
	params := RefParams{string(ref.Kind), ref.ID}
	err := a.channel.call(ctx, &call{op: opName("delete", ref.Kind), method: "delete", params: params, writes: true, key: key(ctx, "delete", params)})
	if err != nil && target.CodeOf(err) == target.NotFound {
		return nil
	}
	return err
}

// ChangeMembers implements [target.MemberWriter].
func (a *Adapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) ([]target.MemberError, error) {
	if err := a.offers(ctx, "change members", "changeMembers"); err != nil {
		return nil, err
	}
	return a.changeMembers(ctx, group, add, remove)
}

func (a *Adapter) changeMembers(ctx context.Context, group target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	const op = "change members"
	if err := ended(ctx, op); err != nil {
		return nil, err
	}
	for len(add)+len(remove) > 0 {
		params := ChangeMembersParams{Group: group.ID}
		params.Add, add = cut(add, membersCall)
		params.Remove, remove = cut(remove, membersCall-len(params.Add))
		var result ChangeMembersResult
		c := call{op: op, method: "changeMembers", params: params, result: &result, writes: true, key: key(ctx, "changeMembers", params)}
		if err := a.channel.call(ctx, &c); err != nil {
			return refused, err
		}
		for _, r := range result.Refused {
			if !slices.Contains(params.Add, r.ID) && !slices.Contains(params.Remove, r.ID) {
				return refused, nonsense(op, true, fmt.Sprintf("it refused %.100q, who was not among the members to change", target.Clean(r.ID)))
			}
			refused = append(refused, target.MemberError{ID: r.ID, Err: &target.Error{Op: op, Code: target.Rejected, Message: "it refused the member", Detail: target.Clean(r.Message)}})
		}
	}
	return refused, nil
}

func cut(list []string, most int) (part, rest []string) {
	n := min(len(list), most)
	return list[:n], list[n:]
}

// Members implements [target.MemberReader]. An application without the ability hides members.
func (a *Adapter) Members(ctx context.Context, group target.Ref) (ids []string, ok bool, err error) {
	const op = "read members"
	hello, err := a.channel.hello(ctx)
	if err != nil {
		return nil, false, err
	}
	if !slices.Contains(hello.Abilities, "members") {
		return nil, false, nil
	}
	for cursor := ""; ; {
		var result MembersResult
		if err := a.channel.call(ctx, &call{op: op, method: "members", params: MembersParams{group.ID, cursor, membersPage}, result: &result}); err != nil {
			return nil, false, err
		}
		ids = append(ids, result.Members...)
		switch {
		case result.Next == "":
			return ids, true, nil
		case result.Next == cursor || len(result.Members) == 0:
			return nil, false, nonsense(op, false, "the list does not get on: it names the same cursor again, or an empty page that is not the last")
		}
		cursor = result.Next
	}
}

// offers returns the error of a message that the application did not say it answers.
func (a *Adapter) offers(ctx context.Context, op, ability string) error {
	hello, err := a.channel.hello(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(hello.Abilities, ability) {
		return &target.Error{Op: op, Code: target.Unsupported, Message: "it does not name " + ability + " among its abilities"}
	}
	return nil
}
