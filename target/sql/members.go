package sql

import (
	"context"
	"slices"

	"entrasync/target"
)

// membersCall is how many ids a statement about members takes, with room for the others that it binds.
const membersCall = mostParams

// ChangeMembers implements [target.MemberWriter].
func (a *Adapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	const op = "change members of group"
	if err := ended(ctx, op); err != nil {
		return nil, err
	}
	if _, err := a.table(op, target.Group); err != nil {
		return nil, err
	}
	if a.members == nil {
		return nil, &target.Error{Op: op, Code: target.Unsupported, Message: "the target's configuration names no table of memberships", Hint: "add groups.members to the target"}
	}
	refused, err = a.changeMembers(ctx, op, group, add, remove)
	if code := target.CodeOf(err); err == nil || code != target.Rejected && code != target.Conflict || len(add)+len(remove) < 2 {
		if err != nil && len(add) == 1 && len(remove) == 0 && code == target.Rejected {
			return []target.MemberError{{ID: add[0], Err: err}}, nil
		}
		return refused, err
	}
	// One of them is refused, or another transaction made one meanwhile: each alone tells which.
	refused = nil
	for i, id := range slices.Concat(add, remove) {
		adding, removing := []string{id}, []string(nil)
		if i >= len(add) {
			adding, removing = removing, adding
		}
		some, err := a.changeMembers(ctx, op, group, adding, removing)
		refused = append(refused, some...)
		switch code := target.CodeOf(err); {
		case err == nil, code == target.Conflict: // it is there
		case code == target.Rejected:
			refused = append(refused, target.MemberError{ID: id, Err: err})
		default:
			return refused, err
		}
	}
	return refused, nil
}

// changeMembers makes all changes in one transaction.
func (a *Adapter) changeMembers(ctx context.Context, op string, group target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	var adding, removing []string
	err = reading(ctx, a, op, func(s *session) (err error) {
		if err := s.group(op, group); err != nil {
			return err
		}
		if adding, err = s.known(a.users, add, true); err == nil {
			removing, err = s.known(a.users, remove, false)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range add {
		if !slices.Contains(adding, id) {
			refused = append(refused, target.MemberError{ID: id, Err: &target.Error{Op: op, Code: target.Rejected, Message: "no such user is one of this target's"}})
		}
	}
	if len(adding)+len(removing) == 0 {
		return refused, nil
	}
	return refused, changing(ctx, a, op, func(s *session) error {
		if err := s.members("member.add", group.ID, adding, s.dialect().addMembers); err != nil {
			return err
		}
		return s.members("member.remove", group.ID, removing, s.dialect().removeMembers)
	})
}

// group returns the error of a group that is not one of this target's.
func (s *session) group(op string, ref target.Ref) error {
	d, err := s.described(s.a.groups)
	if err == nil {
		_, err = s.get(op, s.a.groups, d, ref)
	}
	return err
}

// known returns those of the ids that are ours, exactly as they are written: a database may take 17abc for 17.
func (s *session) known(t *table, ids []string, living bool) (known []string, err error) {
	for chunk := range slices.Chunk(ids, mostParams) {
		found, err := s.knownOf(t, chunk, living)
		if err != nil {
			return nil, err
		}
		known = append(known, found...)
	}
	return known, nil
}

func (s *session) knownOf(t *table, ids []string, living bool) (known []string, err error) {
	rows, err := s.rows(s.dialect().ours(t, ids, living))
	switch {
	case err == nil:
	case !s.a.is(err, malformed):
		return nil, err
	case len(ids) == 1:
		return nil, nil
	default:
		for _, half := range [][]string{ids[:len(ids)/2], ids[len(ids)/2:]} {
			found, err := s.knownOf(t, half, living)
			if err != nil {
				return nil, err
			}
			known = append(known, found...)
		}
		return known, nil
	}
	for _, row := range rows {
		if slices.Contains(ids, row[0].String) {
			known = append(known, row[0].String)
		}
	}
	return known, nil
}

// members sends a statement for each part of the ids, or the configuration's own for each id.
func (s *session) members(name, group string, ids []string, own func(m *Members, groups, users *table, group string, ids []string) statement) error {
	if o := s.a.overrides[name]; o != nil {
		for _, id := range ids {
			values := map[string]any{"group": group, "user": id}
			if _, err := s.exec(o.fill(s.dialect(), func(param string) any { return values[param] })); err != nil {
				return err
			}
		}
		return nil
	}
	for chunk := range slices.Chunk(ids, membersCall) {
		if _, err := s.exec(own(s.a.members, s.a.groups, s.a.users, group, chunk)); err != nil {
			return err
		}
	}
	return nil
}

// Members implements [target.MemberReader]: those that are users of this target.
func (a *Adapter) Members(ctx context.Context, group target.Ref) (ids []string, ok bool, err error) {
	const op = "read members of group"
	if _, err := a.table(op, target.Group); err != nil {
		return nil, false, err
	}
	if a.members == nil {
		return nil, false, nil
	}
	err = reading(ctx, a, op, func(s *session) error {
		if err := s.group(op, group); err != nil {
			return err
		}
		rows, err := s.rows(s.dialect().readMembers(a.members, a.groups, a.users, group.ID))
		for _, row := range rows {
			ids = append(ids, row[0].String)
		}
		return err
	})
	return ids, err == nil, err
}
