package targettest

import (
	"errors"
	"fmt"
	"slices"

	"entrasync/target"
)

// A Quirk is a way in which applications in the field differ from what their protocol says.
type Quirk string

// The quirks. An adapter has to serve an application with each of them.
const (
	HidesTitle    Quirk = "never shows title, and keeps it"
	DropsTypes    Quirk = "drops the type of a list's elements"
	Respells      Quirk = "keeps texts without white space around them"
	OddForEve     Quirk = "answers what mentions eve with something else altogether"
	Busy          Quirk = "refuses every other change for being asked too often"
	SmallPages    Quirk = "refuses to list more than 20 resources at once"
	StrictMembers Quirk = "refuses to add a member who is there"
	WholeGroups   Quirk = "takes groups as a whole only, and shows no members of an empty one"
	LateGroups    Quirk = "does not know a group at first that it has just made"
)

var quirkRules = []rule{
	{"quirk-hidden", "what an application hides is written, nothing else is, and it is no failure: an error has a Remark", quirkHidden},
	{"quirk-types", "a value that a filter chooses makes no list longer where the application drops what the filter asks for", quirkTypes},
	{"quirk-spelling", "an application's own spelling of a value is no failure: an error has a Remark", quirkSpelling},
	{"quirk-odd", "one odd answer about one person is about that person: its error must not stop a sync", quirkOdd},
	{"quirk-busy", "being asked to slow down, in whatever words, is obeyed and is no failure", quirkBusy},
	{"quirk-pages", "a listing is complete where the application refuses large pages", quirkPages},
	{"quirk-members", "adding a member who is there is success where the application says that it is an error", quirkMembers},
	{"quirk-whole-groups", "a group that was just made gets its members where groups are written as a whole", quirkWholeGroups},
	{"quirk-late-groups", "a group that was just made gets its members where the application does not know it at once", quirkLateGroups},
}

// quirky replaces the application by one with a quirk.
func (t *trial) quirky(quirk Quirk) error {
	if t.quirk == nil {
		return notOffered("an application that " + string(quirk) + " (Harness.Quirky)")
	}
	a, readBack := t.quirk(quirk)
	if a == nil {
		return notOffered("an application that " + string(quirk))
	}
	t.a, t.readBack = a, readBack
	return nil
}

// onlyRemarks returns those errors of an update that are failures.
func onlyRemarks(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			if failure := onlyRemarks(part); failure != nil {
				return failure
			}
		}
		return nil
	}
	var e *target.Error
	if errors.As(err, &e) && e.Remark != target.NoRemark {
		return nil
	}
	return err
}

func (t *trial) updates(ref target.Ref, changes []target.Attribute) error {
	if _, err := t.a.Update(t.ctx, ref, changes); onlyRemarks(err) != nil {
		return fmt.Errorf("could not update a user: %w", err)
	}
	return nil
}

func quirkHidden(t *trial) error {
	if err := t.quirky(HidesTitle); err != nil {
		return err
	}
	if t.readBack == nil {
		return notOffered("a way to see what is hidden (App.ReadBack)")
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	for _, step := range [][]target.Attribute{
		t.attrs("displayName", "Ada"), t.attrs("title", "Countess", "name.givenName", "Augusta"), t.attrs("title", "Countess of Lovelace"),
		t.attrs("active", false), t.attrs("displayName", "Ada L", "active", true),
	} {
		want := overlay(t.person("ada@example.com"), step)
		if err := t.updates(ada.Ref, step); err != nil {
			return err
		}
		for _, a := range step {
			if err := t.holds(ada.Ref, []target.Attribute{a}); err != nil {
				return err
			}
		}
		held, err := t.read(ada.Ref)
		if err != nil || held == nil || held.Value(at("title")) == nil {
			return fmt.Errorf("took away what the application hides, while it wrote %d attributes (error: %v)", len(want), err)
		}
	}
	return nil
}

func quirkTypes(t *trial) error {
	if err := t.quirky(DropsTypes); err != nil {
		return err
	}
	const work = `emails[type eq "work"].value`
	if slices.Contains(t.h.Without, work) {
		return notOffered("emails")
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	old := "ada@example.com"
	for _, address := range []string{"a1@example.com", "a2@example.com", "a3@example.com"} {
		change := t.attrs(work, address)
		change[0].Old = old
		if err := t.updates(ada.Ref, change); err != nil {
			return err
		}
		old = address
		held, err := t.read(ada.Ref)
		if err != nil || held == nil {
			return fmt.Errorf("lost the user (error: %w)", err)
		}
		list, _ := held.Attributes["emails"].([]any)
		if len(list) != 1 || !at("emails.value").Same([]any{address}, held.Value(at("emails.value"))) {
			return fmt.Errorf("left the addresses %v, want %s alone", list, address)
		}
	}
	return nil
}

func quirkSpelling(t *trial) error {
	if err := t.quirky(Respells); err != nil {
		return err
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	for _, title := range []string{" Countess ", "Countess  of Lovelace "} {
		if err := t.updates(ada.Ref, t.attrs("title", title)); err != nil {
			return err
		}
	}
	return t.holds(ada.Ref, t.attrs("displayName", "Person ada@example.com"))
}

func quirkOdd(t *trial) error {
	if err := t.quirky(OddForEve); err != nil {
		return err
	}
	if _, err := t.a.Create(t.ctx, target.User, t.person("eve@example.com")); err != nil && target.CodeOf(err).Stops() {
		return fmt.Errorf("returned an error from Create that ends the whole sync: %w", err)
	}
	if _, err := t.a.Find(t.ctx, target.User, at("userName"), "eve@example.com"); err != nil && target.CodeOf(err).Stops() {
		return fmt.Errorf("returned an error from Find that ends the whole sync: %w", err)
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	if _, err := t.a.Update(t.ctx, ada.Ref, t.attrs("title", "eve")); err == nil || target.CodeOf(err).Stops() {
		return fmt.Errorf("returned from an Update that was answered with something else: %v", err)
	}
	return t.updates(ada.Ref, t.attrs("title", "Countess"))
}

func quirkBusy(t *trial) error {
	if err := t.quirky(Busy); err != nil {
		return err
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	for _, title := range []string{"One", "Two", "Three"} {
		change := t.attrs("title", title)
		if err := t.updates(ada.Ref, change); err != nil {
			return err
		}
		if err := t.holds(ada.Ref, change); err != nil {
			return err
		}
	}
	return nil
}

func quirkPages(t *trial) error {
	if err := t.quirky(SmallPages); err != nil {
		return err
	}
	const many = 45
	for i := range many {
		if _, err := t.create(fmt.Sprintf("user%d@example.com", i)); err != nil {
			return err
		}
	}
	all, err := listAll(t.ctx, t.a, target.User)
	if err != nil {
		return err
	}
	if len(all) != many {
		return fmt.Errorf("listed %d users, want %d", len(all), many)
	}
	return nil
}

// groupOf makes a group in an application with a quirk, and two users.
func (t *trial) groupOf(quirk Quirk) (w target.MemberWriter, group target.Ref, ids []string, err error) {
	if err := t.quirky(quirk); err != nil {
		return nil, group, nil, err
	}
	w, ok := ability[target.MemberWriter](t.a)
	if !ok {
		return nil, group, nil, notOffered("MemberWriter")
	}
	for _, name := range []string{"ada@example.com", "bob@example.com", "cleo@example.com"} {
		r, err := t.create(name)
		if err != nil {
			return nil, group, nil, err
		}
		ids = append(ids, r.ID)
	}
	r, err := t.createGroup("Sales")
	if err != nil {
		return nil, group, nil, err
	}
	return w, r.Ref, ids, nil
}

func (t *trial) adds(w target.MemberWriter, group target.Ref, ids []string) error {
	refused, err := w.ChangeMembers(t.ctx, group, ids, nil)
	if err != nil || len(refused) > 0 {
		return fmt.Errorf("could not add %d members: %v, error: %w", len(ids), refused, err)
	}
	return nil
}

func quirkMembers(t *trial) error {
	w, group, ids, err := t.groupOf(StrictMembers)
	if err != nil {
		return err
	}
	if err := t.adds(w, group, ids[:2]); err != nil {
		return err
	}
	if err := t.adds(w, group, ids); err != nil {
		return err
	}
	return t.membersAre(group, ids, "after adding some again")
}

func quirkWholeGroups(t *trial) error {
	w, group, ids, err := t.groupOf(WholeGroups)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.adds(w, group, []string{id}); err != nil {
			return err
		}
	}
	return t.membersAre(group, ids, "after adding three, one by one")
}

func quirkLateGroups(t *trial) error {
	w, group, ids, err := t.groupOf(LateGroups)
	if err != nil {
		return err
	}
	if err := t.adds(w, group, ids); err != nil {
		return err
	}
	return t.membersAre(group, ids, "after adding three to a new group")
}
