package scim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

// hopeless is after how many refused members, with none taken, it is not the members.
const hopeless = 10

// A membership is one change of a group.
type membership struct {
	id     string
	remove bool
}

// The groupMembers write members of groups as a whole, and learn which groups show theirs.
type groupMembers struct {
	cfg     Config
	learned *learned
	client  *client
	dialect *dialect
}

// A roster is one call of ChangeMembers while it finds out what the application takes.
type roster struct {
	a       *Adapter
	group   target.Ref
	taken   int
	refused []target.MemberError

	undoubling bool
	looked     bool // who is in the group was looked at after a refusal
}

// ChangeMembers implements [target.MemberWriter]. Changes go in batches. One that is refused
// is halved until the members are known that it is about, or until it is small enough.
func (a *Adapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) ([]target.MemberError, error) {
	var changes []membership
	for _, id := range remove {
		changes = append(changes, membership{id: id, remove: true})
	}
	for _, id := range add {
		changes = append(changes, membership{id: id})
	}
	r := &roster{a: a, group: group}
	if a.learned.knows(noPatch, target.Group, "") || a.cfg.Replace {
		return nil, a.members.putMembers(ctx, group, changes)
	}
	if a.learned.knows(noRemoval, target.Group, "") && len(remove) > 0 {
		if err := a.members.putMembers(ctx, group, changes[:len(remove)]); err != nil {
			return nil, err
		}
		changes = changes[len(remove):]
	}
	for len(changes) > 0 {
		batch := changes[:min(len(changes), a.learned.limit(a.cfg.MembersPerPatch))]
		err := r.apply(ctx, batch)
		if r.taken == 0 && r.withoutPatch(err) {
			putErr := a.members.putMembers(ctx, group, changes)
			if putErr == nil {
				a.learned.learn(noPatch, target.Group, "")
			}
			if putErr == nil || len(r.refused) == 0 {
				return nil, putErr
			}
		}
		if err != nil {
			return r.refused, err
		}
		changes, r.looked = changes[len(batch):], false
	}
	if a.cfg.VerifyWrites {
		return r.verify(ctx, add, remove)
	}
	return r.refused, nil
}

// withoutPatch reports whether nothing was taken because there is no PATCH for groups: said at
// once, or by 404 to each change of a group that does exist.
func (r *roster) withoutPatch(err error) bool {
	if len(r.refused) == 0 {
		return !missing(err) && noPatchAt(err)
	}
	return !r.a.learned.knows(patchWorks, target.Group, "") &&
		!slices.ContainsFunc(r.refused, func(e target.MemberError) bool { return statusOf(e.Err) != http.StatusNotFound })
}

// apply writes changes, in halves where they are refused together.
func (r *roster) apply(ctx context.Context, changes []membership) error {
	err := r.patch(ctx, changes)
	if err == nil {
		r.taken += len(changes)
		return nil
	}
	look := true
	switch statusOf(err) {
	case http.StatusNotFound:
		if _, gone := r.a.Get(ctx, r.group); gone != nil {
			return gone // the group, not a member
		}
		look = false // of a member, or of PATCH itself
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity,
		http.StatusRequestEntityTooLarge, http.StatusInternalServerError:
	default:
		return err
	}
	if left, some := r.left(ctx, changes, look); some {
		if len(left) == 0 {
			return nil
		}
		return r.apply(ctx, left)
	}
	if len(changes) == 1 {
		return r.refuse(ctx, changes[0], err)
	}
	half := len(changes) / 2
	before := len(r.refused)
	if err := r.apply(ctx, changes[:half]); err != nil {
		return err
	}
	if err := r.apply(ctx, changes[half:]); err != nil {
		return err
	}
	if before == len(r.refused) { // each half is good: it was the size
		r.a.learned.setLimit(max(half, 1))
	}
	return nil
}

// left looks, once for each batch that is refused, who is in the group, and returns the changes that
// are still to be made; some is false when those are all, or when it cannot be told. Adding who is there
// is an error in some applications (409 and 500 were seen), and in others removing who is not.
func (r *roster) left(ctx context.Context, changes []membership, look bool) (left []membership, some bool) {
	if r.looked || !look {
		return changes, false
	}
	r.looked = true
	ids, shown, err := r.a.Members(ctx, r.group)
	if err != nil || !shown {
		return changes, false
	}
	there := map[string]bool{}
	for _, id := range ids {
		there[id] = true
	}
	for _, change := range changes {
		if there[change.id] == change.remove {
			left = append(left, change)
		}
	}
	return left, len(left) < len(changes)
}

// refuse judges a single change that was refused. imulab answers a removal with an error
// although it is done, and removing who is not there is success.
func (r *roster) refuse(ctx context.Context, change membership, err error) error {
	if change.remove {
		if typeOf(err) == noTarget || missing(err) && r.taken > 0 {
			r.taken++
			return nil
		}
		if ids, ok, readErr := r.a.Members(ctx, r.group); readErr == nil && ok && !slices.Contains(ids, change.id) {
			r.taken++
			return nil
		}
		if refusesPath(err) && r.a.members.putMembers(ctx, r.group, []membership{change}) == nil {
			r.a.learned.learn(noRemoval, target.Group, "")
			r.taken++
			return nil
		}
	} else if target.CodeOf(err) == target.Conflict && r.a.members.hidesMembers() {
		r.taken++ // there already, as far as can be told
		return nil
	}
	r.refused = append(r.refused, target.MemberError{ID: change.id, Err: err})
	if r.taken == 0 && len(r.refused) >= hopeless {
		return err
	}
	return nil
}

// refusesPath reports whether a removal was refused for how its path is written: Zabbix knows members
// alone.
func refusesPath(err error) bool {
	var e *target.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && (typeOf(err) == invalidPath || strings.Contains(strings.ToLower(e.Detail), "path"))
}

// hidesMembers reports whether the application is not known to show members.
func (gm *groupMembers) hidesMembers() bool { return !gm.learned.knows(showsMembers, target.Group, "") }

// isEmpty reports whether a group that was read without members is known to have none: it was made
// here and no member was added, or a list of groups shows members of others and none of this one.
// That the application shows members of another group is no proof alone: some show them in lists and
// leave them out where a group is read by its id.
func (cl *client) isEmpty(ctx context.Context, group target.Ref) bool {
	if cl.learned.isEmpty(group.ID) {
		return true
	}
	c := call{op: "read members of groups", method: http.MethodGet, path: []string{"Groups"}, query: []string{"startIndex=1", "count=100"}}
	ans, err := cl.send(ctx, c)
	if err != nil {
		return false
	}
	page, err := ans.listing(c, target.Group)
	if err != nil {
		return false
	}
	listed, othersShown := false, false
	for _, r := range page.resources {
		members, _ := member(r.Attributes, "members").([]any)
		switch {
		case r.ID != group.ID:
			othersShown = othersShown || len(members) > 0
		case len(members) > 0:
			return false
		default:
			listed = true
		}
	}
	return listed && othersShown
}

// patch sends membership changes: additions in one operation, an operation for each removal,
// because servers differ on anything shorter.
func (r *roster) patch(ctx context.Context, changes []membership) error {
	var ops []operation
	var added []any
	for _, change := range changes {
		switch {
		case !change.remove:
			added = append(added, map[string]any{"value": change.id})
		case r.a.cfg.Dialect == EntraLegacy:
			ops = append(ops, operation{Op: "remove", Path: "members", Value: []any{map[string]any{"value": change.id}}})
		default:
			ops = append(ops, operation{Op: "remove", Path: "members[value eq " + quote(change.id) + "]"})
		}
	}
	if len(added) > 0 {
		ops = append(ops, operation{Op: "add", Path: "members", Value: added})
	}
	ans, err := r.a.client.send(ctx, call{
		op: "change members of group", method: http.MethodPatch, path: []string{"Groups", r.group.ID}, fixed: true,
		body: patchBody{Schemas: []string{patchOp}, Operations: r.a.dialect.inDialect(ops)},
	})
	if err != nil {
		return err
	}
	r.a.learned.learn(patchWorks, target.Group, "")
	if len(added) > 0 {
		r.a.learned.noteFilled(r.group.ID)
	}
	if len(added) > 0 && ans.object != nil {
		r.a.members.noteMembers(ans.object, true)
		return r.undouble(ctx, ans.object, changes)
	}
	return nil
}

// undouble puts right that SCIMMY and scimply list a member twice who was there already: in
// one PATCH, so that no member is out of the group in between.
func (r *roster) undouble(ctx context.Context, group map[string]any, changes []membership) error {
	list, _ := member(group, "members").([]any)
	times := map[string]int{}
	for _, m := range list {
		times[memberID(m)]++
	}
	var again []membership
	for _, change := range changes {
		if !change.remove && times[change.id] > 1 {
			again = append(again, membership{id: change.id, remove: true})
		}
	}
	if len(again) == 0 || r.undoubling {
		return nil
	}
	for _, change := range again {
		again = append(again, membership{id: change.id})
	}
	r.undoubling = true
	defer func() { r.undoubling = false }()
	return r.patch(ctx, again)
}

// verify reads a group back, where the application shows its members.
func (r *roster) verify(ctx context.Context, add, remove []string) ([]target.MemberError, error) {
	ids, ok, err := r.a.Members(ctx, r.group)
	if err != nil || !ok {
		return r.refused, err
	}
	there := map[string]bool{}
	for _, id := range ids {
		there[id] = true
	}
	silent := func(id, what string) {
		if !slices.ContainsFunc(r.refused, func(e target.MemberError) bool { return e.ID == id }) {
			r.refused = append(r.refused, target.MemberError{ID: id, Err: &target.Error{
				Op: "change members of group", Code: target.Rejected, Message: "the application answered that it is done but did not " + what + " the member",
			}})
		}
	}
	for _, id := range add {
		if !there[id] {
			silent(id, "add")
		}
	}
	for _, id := range remove {
		if there[id] {
			silent(id, "remove")
		}
	}
	return r.refused, nil
}

// putMembers writes the whole group for applications without PATCH, if it shows its members.
func (gm *groupMembers) putMembers(ctx context.Context, group target.Ref, changes []membership) error {
	after, err := gm.client.replace(ctx, group, func(doc map[string]any) error {
		list, shown := member(doc, "members").([]any)
		if len(list) == 0 && gm.learned.isEmpty(group.ID) {
			shown = true // made here, and no member was added
		}
		if !shown && !gm.client.isEmpty(ctx, group) {
			return &target.Error{
				Op: "change members of group", Code: target.Unsupported,
				Message: "the application takes groups as a whole only and does not show their members, so that writing one could empty it",
			}
		}
		for _, change := range changes {
			list = slices.DeleteFunc(list, func(m any) bool { return memberID(m) == change.id })
			if !change.remove {
				list = append(list, map[string]any{"value": change.id})
			}
		}
		for name := range doc {
			if name != "members" && len(name) == len("members") && member(map[string]any{name: true}, "members") != nil {
				delete(doc, name)
			}
		}
		doc["members"] = append([]any{}, list...)
		return nil
	})
	if err == nil {
		gm.learned.noteFilled(group.ID)
	}
	if err == nil && after != nil {
		gm.noteMembers(after.Attributes, false)
	}
	return err
}

// Members implements [target.MemberReader]. A group without a members attribute is empty only
// where other groups have shown theirs; a list that stays empty after a member was added is
// hidden.
func (a *Adapter) Members(ctx context.Context, group target.Ref) (ids []string, ok bool, err error) {
	r, err := a.client.read(ctx, call{op: "read members of group", method: http.MethodGet, path: []string{"Groups", group.ID}}, group)
	if err != nil {
		return nil, false, err
	}
	list, listed := member(r.Attributes, "members").([]any)
	a.members.noteMembers(r.Attributes, false)
	shown := a.learned.knows(showsMembers, target.Group, "")
	if len(list) == 0 && (a.learned.knows(hidesMembers, target.Group, "") && !shown || !listed && !shown) {
		return nil, false, nil
	}
	seen := map[string]bool{}
	ids = []string{}
	for _, m := range list {
		id := memberID(m)
		if id == "" {
			return nil, false, &target.Error{Op: "read members of group", Code: target.Rejected, Message: "a member has no id", Err: errors.New("member without value")}
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, true, nil
}

// noteMembers learns from a group whether members are shown; added says that a member was
// added just before.
func (gm *groupMembers) noteMembers(object map[string]any, added bool) {
	list, _ := member(object, "members").([]any)
	switch {
	case len(list) > 0:
		gm.learned.learn(showsMembers, target.Group, "")
	case added:
		gm.learned.learn(hidesMembers, target.Group, "")
	}
}

func memberID(m any) string {
	switch m := m.(type) {
	case string:
		return m
	case map[string]any:
		return text(member(m, "value"))
	}
	return ""
}
