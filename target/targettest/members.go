package targettest

import (
	"fmt"
	"slices"

	"entrasync/target"
)

var memberRules = []rule{
	{"members", "members are added and removed one by one and twice over; adding one who is there and removing one who is not are success", membersIdempotent},
	{"members-many", "hundreds of members are added and removed in one call, however many the application takes in a request", membersMany},
	{"members-refused", "a member that the application refuses is named in the result, and the others are written all the same", membersRefused},
	{"members-missing-group", "changing the members of a group that does not exist is an error of code NotFound", membersOfNoGroup},
	{"members-of-the-deleted", "a deleted user is in no group any more, and the group's other members stay", membersOfTheDeleted},
}

// team makes a group and users for it.
func (t *trial) team(n int) (target.MemberWriter, target.Ref, []string, error) {
	w, ok := ability[target.MemberWriter](t.a)
	if !ok {
		return nil, target.Ref{}, nil, notOffered("MemberWriter")
	}
	group, err := t.createGroup("Sales")
	if err != nil {
		return nil, target.Ref{}, nil, err
	}
	ids, err := t.createMany(n)
	return w, group.Ref, ids, err
}

// change changes members of which none may be refused.
func (t *trial) change(w target.MemberWriter, group target.Ref, add, remove []string) error {
	refused, err := w.ChangeMembers(t.ctx, group, add, remove)
	if err != nil {
		return fmt.Errorf("could not change members (%d to add, %d to remove): %w", len(add), len(remove), err)
	}
	if len(refused) > 0 {
		return fmt.Errorf("refused %d existing members, the first %s: %w", len(refused), refused[0].ID, refused[0].Err)
	}
	return nil
}

func membersIdempotent(t *trial) error {
	w, group, ids, err := t.team(3)
	if err != nil {
		return err
	}
	steps := []struct {
		when              string
		add, remove, want []string
	}{
		{"in a new group", nil, nil, nil},
		{"after adding two", ids[:2], nil, ids[:2]},
		{"after adding the same two", ids[:2], nil, ids[:2]},
		{"after adding one who is there and one who is not", ids[1:], nil, ids},
		{"after removing one and adding none", nil, ids[:1], ids[1:]},
		{"after removing the same one", nil, ids[:1], ids[1:]},
		{"after adding and removing in one call", ids[:1], ids[1:2], []string{ids[0], ids[2]}},
		{"after removing everybody", nil, ids, nil},
		{"after removing everybody from an empty group", nil, ids, nil},
	}
	for _, s := range steps {
		if err := t.change(w, group, s.add, s.remove); err != nil {
			return err
		}
		if err := t.membersAre(group, s.want, s.when); err != nil {
			return err
		}
	}
	return t.holds(group, t.attrs("displayName", "Sales"))
}

func membersMany(t *trial) error {
	w, group, ids, err := t.team(250)
	if err != nil {
		return err
	}
	if err := t.change(w, group, ids, nil); err != nil {
		return err
	}
	if err := t.membersAre(group, ids, "after adding 250 at once"); err != nil {
		return err
	}
	if err := t.change(w, group, nil, ids[:201]); err != nil {
		return err
	}
	return t.membersAre(group, ids[201:], "after removing 201 of 250 at once")
}

func membersRefused(t *trial) error {
	w, group, ids, err := t.team(2)
	if err != nil {
		return err
	}
	refused, err := w.ChangeMembers(t.ctx, group, []string{ids[0], noSuchID, ids[1]}, nil)
	if err != nil {
		return fmt.Errorf("returned an error for a call of which one member of three is unknown, want the member in the result: %w", err)
	}
	want := append([]string(nil), ids...)
	switch {
	case len(refused) == 0:
		t.tb.Log("your application takes members that do not exist; naming the refused could not be tested")
		want = append(want, noSuchID)
	case len(refused) != 1 || refused[0].ID != noSuchID:
		return fmt.Errorf("refused %v, want the unknown id %s alone", refused, noSuchID)
	case refused[0].Err == nil:
		return fmt.Errorf("gave no reason for refusing a member; people read MemberError.Err")
	}
	got, ok, err := t.members(group)
	if err != nil || !ok {
		return err
	}
	// An application may take an unknown id and keep quiet about it.
	if got := slices.DeleteFunc(got, func(id string) bool { return id == noSuchID }); len(got) != 2 {
		return fmt.Errorf("wrote %d of the two good members next to an unknown one: %s", len(got), brief(want))
	}
	return nil
}

func membersOfNoGroup(t *trial) error {
	w, _, ids, err := t.team(1)
	if err != nil {
		return err
	}
	_, err = w.ChangeMembers(t.ctx, target.Ref{Kind: target.Group, ID: noSuchID}, ids, nil)
	return code(err, target.NotFound, "ChangeMembers of a group that does not exist")
}

func membersOfTheDeleted(t *trial) error {
	w, group, ids, err := t.team(3)
	if err != nil {
		return err
	}
	if err := t.change(w, group, ids, nil); err != nil {
		return err
	}
	if err := t.a.Delete(t.ctx, target.Ref{Kind: target.User, ID: ids[1]}); err != nil {
		return fmt.Errorf("could not delete a member: %w", err)
	}
	return t.membersAre(group, []string{ids[0], ids[2]}, "after deleting one of three")
}
