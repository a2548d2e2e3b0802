package targettest

import (
	"errors"
	"fmt"

	"entrasync/target"
)

var basicRules = []rule{
	{"probe", "Probe tests the connection and changes nothing, for `check` runs against production", probeChangesNothing},
	{"create", "Create returns the resource with the id that the application gave it", createReturnsID},
	{"find", "Find returns the resources that have a value, and an empty slice when none has", findWhatIsThere},
	{"find-any-case", "Find compares userName in any case (RFC 7643 section 4.1.1), or a person would get a second account", findAnyCase},
	{"find-honest", "Find returns only resources that really have the value, whatever characters it has, or a stranger's account would be taken over", findHonest},
	{"create-twice", "Create of a userName that is taken is an error of code Conflict, so that the account is looked up and adopted", createTwice},
	{"update", "Update writes the attributes it is given and no others", updateOnlyWhatIsAsked},
	{"rename", "Update of userName renames the account: it is found by the new name and not by the old one", rename},
	{"rename-taken", "Update of userName to a taken one is an error of code Conflict and changes neither account", renameTaken},
	{"deactivate", "active alone can be set false and true again, and nothing else changes", deactivate},
	{"delete", "Delete removes the resource; doing it again is success", deleteTwice},
	{"missing", "Update and Get of what does not exist are errors of code NotFound, Delete of it is success", missingResources},
	{"groups", "a group is created, found by displayName, renamed and deleted as a user is", groupLifeCycle},
}

func probeChangesNothing(t *trial) error {
	made, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	before, err := t.read(made.Ref)
	if err != nil {
		return err
	}
	paths := []target.Path{at("userName"), at("name.givenName"), at(`emails[type eq "work"].value`)}
	profile, err := t.a.Probe(t.ctx, map[target.Kind][]target.Path{target.User: paths})
	if err != nil {
		return fmt.Errorf("could not probe: %w", err)
	}
	if profile == nil || !profile.Kinds[target.User] {
		return errors.New("did not say in Profile.Kinds that the application keeps users")
	}
	after, err := t.read(made.Ref)
	if err != nil {
		return err
	}
	if err := unchanged(before, after); err != nil {
		return err
	}
	return t.count(target.User, 1, "after Probe")
}

func createReturnsID(t *trial) error {
	person := append(t.person("ada@example.com"), t.h.More...)
	a, err := t.createWith(target.User, person)
	if err != nil {
		return err
	}
	b, err := t.create("bob@example.com")
	if err != nil {
		return err
	}
	if a.ID == b.ID {
		return fmt.Errorf("gave two users the id %q", a.ID)
	}
	return t.holds(a.Ref, person)
}

func findWhatIsThere(t *trial) error {
	none, err := t.a.Find(t.ctx, target.User, at("userName"), "ada@example.com")
	if err != nil || len(none) != 0 {
		return fmt.Errorf("found %d users in an empty application (error: %v)", len(none), err)
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	if _, err := t.create("ada@example.co"); err != nil {
		return err
	}
	if err := t.findsOne(target.User, "userName", "ada@example.com", ada.ID); err != nil {
		return err
	}
	none, err = t.a.Find(t.ctx, target.User, at("userName"), "unknown@example.com")
	if err != nil || len(none) != 0 {
		return fmt.Errorf("found %d users of a name that no user has (error: %v)", len(none), err)
	}
	return nil
}

func (t *trial) findsOne(kind target.Kind, by, value, id string) error {
	found, err := t.a.Find(t.ctx, kind, at(by), value)
	switch {
	case err != nil:
		return fmt.Errorf("could not find a %s by %s: %w", kind, by, err)
	case len(found) != 1:
		return fmt.Errorf("found %d %ss whose %s is %q, want 1", len(found), kind, by, value)
	case found[0].ID != id || found[0].Kind != kind:
		return fmt.Errorf("found %s %q by %s %q, want %s %q", found[0].Kind, found[0].ID, by, value, kind, id)
	case !at(by).Holds(found[0].Attributes, value):
		return fmt.Errorf("found a %s by %s %q whose attributes do not show it: %v", kind, by, value, found[0].Attributes)
	}
	return nil
}

func findAnyCase(t *trial) error {
	ada, err := t.create("Ada.Lovelace@example.com")
	if err != nil {
		return err
	}
	for _, name := range []string{"ada.lovelace@example.com", "ADA.LOVELACE@EXAMPLE.COM"} {
		if err := t.findsOne(target.User, "userName", name, ada.ID); err != nil {
			return err
		}
	}
	return nil
}

func findHonest(t *trial) error {
	names := []string{"ada@example.com", "a+b@example.com", `o'neil "the\fox"`, "100%@example.com", "żółć@example.com"}
	ids := map[string]string{}
	for _, name := range names {
		r, err := t.createWith(target.User, t.attrs("userName", name, "active", true))
		if err != nil {
			if target.CodeOf(err) == target.Rejected {
				t.tb.Logf("the application refuses the userName %q: %v", name, err)
				continue
			}
			return err
		}
		ids[name] = r.ID
	}
	lookUps := append(names, `ada@example.com" or userName pr or userName eq "x`, "*", "")
	for _, by := range []string{"userName", "externalId", "displayName"} {
		for _, value := range lookUps {
			found, err := t.a.Find(t.ctx, target.User, at(by), value)
			if err != nil {
				t.tb.Logf("%s %q cannot be looked up here: %v", by, value, err)
			}
			for _, r := range found {
				if !at(by).Holds(r.Attributes, value) {
					return fmt.Errorf("found user %q by %s %q, which it does not have", r.ID, by, value)
				}
			}
			if by == "userName" && err == nil && ids[value] != "" && len(found) == 0 {
				t.tb.Logf("the application does not find its own userName %q", value)
			}
		}
	}
	return t.findsOne(target.User, "userName", "a+b@example.com", ids["a+b@example.com"])
}

func createTwice(t *trial) error {
	first, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	for _, name := range []string{"ada@example.com", "ADA@example.com"} {
		_, err := t.a.Create(t.ctx, target.User, t.attrs("userName", name, "active", true, "title", "Impostor"))
		if err := code(err, target.Conflict, "Create of the taken userName "+name); err != nil {
			return err
		}
	}
	if err := t.count(target.User, 1, "after creating one twice"); err != nil {
		return err
	}
	return t.holds(first.Ref, t.person("ada@example.com"))
}

func updateOnlyWhatIsAsked(t *trial) error {
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	bob, err := t.create("bob@example.com")
	if err != nil {
		return err
	}
	changes := t.attrs("title", "Countess", "name.givenName", "Ada", `emails[type eq "work"].value`, "lovelace@example.com", enterprise+"department", "Research")
	if _, err := t.a.Update(t.ctx, ada.Ref, changes); err != nil {
		return fmt.Errorf("could not update a user: %w", err)
	}
	if err := t.holds(ada.Ref, overlay(t.person("ada@example.com"), changes)); err != nil {
		return err
	}
	return t.holds(bob.Ref, t.person("bob@example.com"))
}

// overlay returns the attributes with later values for the same paths.
func overlay(base, changes []target.Attribute) []target.Attribute {
	all := append([]target.Attribute{}, base...)
next:
	for _, c := range changes {
		for i := range all {
			if all[i].Path.Equal(c.Path) {
				all[i].Value = c.Value
				continue next
			}
		}
		all = append(all, c)
	}
	return all
}

func rename(t *trial) error {
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	if _, err := t.a.Update(t.ctx, ada.Ref, t.attrs("userName", "lovelace@example.com")); err != nil {
		return fmt.Errorf("could not rename a user: %w", err)
	}
	if err := t.findsOne(target.User, "userName", "lovelace@example.com", ada.ID); err != nil {
		return err
	}
	old, err := t.a.Find(t.ctx, target.User, at("userName"), "ada@example.com")
	if err != nil || len(old) != 0 {
		return fmt.Errorf("still found %d users by the old name (error: %v)", len(old), err)
	}
	return nil
}

func renameTaken(t *trial) error {
	if _, err := t.create("ada@example.com"); err != nil {
		return err
	}
	bob, err := t.create("bob@example.com")
	if err != nil {
		return err
	}
	_, err = t.a.Update(t.ctx, bob.Ref, t.attrs("userName", "ada@example.com"))
	if err := code(err, target.Conflict, "Update to a taken userName"); err != nil {
		return err
	}
	return t.holds(bob.Ref, t.person("bob@example.com"))
}

func deactivate(t *trial) error {
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	for _, active := range []bool{false, true} {
		change := t.attrs("active", active)
		if _, err := t.a.Update(t.ctx, ada.Ref, change); err != nil {
			return fmt.Errorf("could not set active to %v: %w", active, err)
		}
		if err := t.holds(ada.Ref, overlay(t.person("ada@example.com"), change)); err != nil {
			return err
		}
		if err := t.findsOne(target.User, "userName", "ada@example.com", ada.ID); err != nil {
			return err
		}
	}
	return nil
}

func deleteTwice(t *trial) error {
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	if _, err := t.create("bob@example.com"); err != nil {
		return err
	}
	for _, time := range []string{"the first", "the second"} {
		if err := t.a.Delete(t.ctx, ada.Ref); err != nil {
			return fmt.Errorf("could not delete a user %s time: %w", time, err)
		}
	}
	if err := t.count(target.User, 1, "after deleting one of two"); err != nil {
		return err
	}
	if found, err := t.a.Find(t.ctx, target.User, at("userName"), "ada@example.com"); err != nil || len(found) != 0 {
		return fmt.Errorf("found %d deleted users (error: %v)", len(found), err)
	}
	again, err := t.create("ada@example.com")
	if err != nil {
		return fmt.Errorf("did not let a deleted userName be used again: %w", err)
	}
	return t.holds(again.Ref, t.person("ada@example.com"))
}

func missingResources(t *trial) error {
	gone := target.Ref{Kind: target.User, ID: noSuchID}
	_, err := t.a.Update(t.ctx, gone, t.attrs("title", "Unknown"))
	if err := code(err, target.NotFound, "Update of what does not exist"); err != nil {
		return err
	}
	if err := t.a.Delete(t.ctx, gone); err != nil {
		return fmt.Errorf("returned an error from Delete of what does not exist, want success: %w", err)
	}
	if err := t.count(target.User, 0, "after writing to what does not exist"); err != nil {
		return err
	}
	g, ok := ability[target.Getter](t.a)
	if !ok {
		return notOffered("Getter")
	}
	_, err = g.Get(t.ctx, gone)
	if err := code(err, target.NotFound, "Get of what does not exist"); err != nil {
		return err
	}
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	got, err := g.Get(t.ctx, ada.Ref)
	if err != nil || got == nil || got.Ref != ada.Ref || !at("userName").Holds(got.Attributes, "ada@example.com") {
		return fmt.Errorf("returned %+v from Get of a user, want %+v (error: %v)", got, ada.Ref, err)
	}
	return nil
}

func groupLifeCycle(t *trial) error {
	sales, err := t.createGroup("Sales Europe")
	if err != nil {
		return err
	}
	if err := t.findsOne(target.Group, "displayName", "Sales Europe", sales.ID); err != nil {
		return err
	}
	if found, err := t.a.Find(t.ctx, target.Group, at("displayName"), "Sales"); err != nil || len(found) != 0 {
		return fmt.Errorf("found %d groups by half a name (error: %v)", len(found), err)
	}
	change := t.attrs("displayName", "Sales EMEA")
	if _, err := t.a.Update(t.ctx, sales.Ref, change); err != nil {
		return fmt.Errorf("could not rename a group: %w", err)
	}
	if err := t.holds(sales.Ref, change); err != nil {
		return err
	}
	_, err = t.a.Update(t.ctx, target.Ref{Kind: target.Group, ID: noSuchID}, change)
	if err := code(err, target.NotFound, "Update of a group that does not exist"); err != nil {
		return err
	}
	for range 2 {
		if err := t.a.Delete(t.ctx, sales.Ref); err != nil {
			return fmt.Errorf("could not delete a group: %w", err)
		}
	}
	if err := t.count(target.Group, 0, "after deleting the only one"); err != nil {
		return err
	}
	return t.count(target.User, 0, "after dealing with groups only")
}
