package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"entrasync/reconcile"
	"entrasync/target"
)

func (g *gateway) groupNamed(name string) *provisionedGroup {
	for _, group := range g.groups {
		if group.attributes["displayName"] == name {
			return group
		}
	}
	return nil
}

// writesMembers counts the changes of members that are asked for from now on.
func (g *gateway) writesMembers() *int {
	n := new(int)
	g.before = func(method, _ string) error {
		if method == "members" {
			*n++
		}
		return nil
	}
	return n
}

// A member who was removed or added by hand is put right by a complete compare, and by nothing less.
// Accounts of others are left in the group, and a dry run changes nothing.
func TestMembersChangedByHand(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	stranger := g.seed("root@elsewhere.example")
	g.groupNamed("Sales").members = []string{"2", "3", stranger} // Ada was removed, Cyd and a stranger were added
	if c.cycle(); g.membersOf("Sales") != "bob cyd root" {
		t.Errorf("an incremental cycle left %s", g.membersOf("Sales"))
	}
	for range 2 {
		report, err := c.run(reconcile.Options{Full: true})
		if err != nil || report.Summary.Members != 1 || g.membersOf("Sales") != "bob cyd root" {
			t.Fatalf("a dry run: %v, %s, members %s", err, summary(report), g.membersOf("Sales"))
		}
	}
	if report, err := c.run(reconcile.Options{Full: true, Apply: true}); err != nil || report.Result != reconcile.OK {
		t.Fatalf("%v, %s", err, summary(report))
	}
	want(t, "put right", g.membersOf("Sales"), "ada bob root")
	want(t, "the other group", g.membersOf("Support"), "cyd")
	for range 2 {
		report, err := c.run(reconcile.Options{Full: true, Apply: true})
		if err != nil || report.Summary.Members != 0 {
			t.Fatalf("again: %v, %s", err, summary(report))
		}
	}
}

// Changes by hand that the directory has made too are taken note of: nothing is written for them.
func TestMembersChangedOnBothSides(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	c.source.join(1, 3)
	c.source.leave(1, 2)
	g.groupNamed("Sales").members = []string{"1", "3"}
	writes := g.writesMembers()
	if report, err := c.run(reconcile.Options{Full: true, Apply: true}); err != nil || report.Result != reconcile.OK || *writes != 0 {
		t.Fatalf("%v, %s, %d writes", err, summary(report), *writes)
	}
	c.source.leave(1, 3)
	c.cycle()
	want(t, "who was added by hand and left since", g.membersOf("Sales"), "ada")
}

// An application that shows every group without members may hide them. They are written once on its
// word, and not with each compare.
func TestMembersThatAreHidden(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	g.bare = true
	writes := g.writesMembers()
	for cycle, most := range []int{2, 2, 2} {
		if report, err := c.run(reconcile.Options{Full: true, Apply: true}); err != nil || report.Result != reconcile.OK || *writes != most {
			t.Fatalf("compare %d: %v, %s, %d writes", cycle, err, summary(report), *writes)
		}
	}
	g.visible, g.bare = false, false
	if report, err := c.run(reconcile.Options{Full: true, Apply: true}); err != nil || *writes != 2 {
		t.Fatalf("members that are not shown at all: %v, %s, %d writes", err, summary(report), *writes)
	}
}

// The last members of the only group were removed by hand.
func TestTheOnlyGroupIsEmptiedByHand(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	for _, group := range g.groups {
		group.members = nil
	}
	if report, err := c.run(reconcile.Options{Full: true, Apply: true}); err != nil || report.Result != reconcile.OK {
		t.Fatalf("%v, %s", err, summary(report))
	}
	want(t, "Sales", g.membersOf("Sales"), "ada bob")
	want(t, "Support", g.membersOf("Support"), "cyd")
}

// What an application does with an attribute is reported once for a sync, not once a user, and by
// the next process neither. The value counts as written.
func TestRemarksAreReportedOnce(t *testing.T) {
	t.Parallel()
	for remark, failing := range map[target.Remark]bool{target.NotShown: true, target.NotTaken: true, target.Spelled: false} {
		c := newService(t).customer("contoso")
		c.source.hire("Ada", "Bob")
		g := c.behindGateway()
		c.cycle()
		g.after = func(method, _ string) error {
			if method != "update" {
				return nil
			}
			return errors.Join(&target.Error{Code: target.Unverified, Remark: remark, Attribute: "displayName", Message: "displayName is as the application has it"})
		}
		c.source.person(1, "ada@example.com", "Ada L")
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil || (len(report.Errors) == 1) != failing || report.Summary.Update != 1 || failing && report.Errors[0].RetryAt != "" {
			t.Fatalf("%s: %v, %s", remark, err, summary(report))
		}
		if notes := strings.Join(report.Notes, "\n"); !failing && !strings.Contains(notes, "not reported again") {
			t.Errorf("%s: notes %q", remark, notes)
		}
		want(t, string(remark)+", again", c.cycle(), "2 unchanged")
		c.restart(func() error { return nil })
		c.source.person(2, "bob@example.com", "Bob B")
		report, err = c.run(reconcile.Options{Apply: true})
		if err != nil || report.Result != reconcile.OK || len(report.Errors) != 0 || len(report.Notes) != 0 || report.Summary.Update != 1 {
			t.Fatalf("%s, of another user: %v, %s, %v", remark, err, summary(report), report.Notes)
		}
	}
}

// A refusal together with a remark is a refusal: the record is tried again.
func TestARefusalWithARemark(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.source.hire("Ada")
	g := c.behindGateway()
	c.cycle()
	g.after = func(method, _ string) error {
		if method != "update" {
			return nil
		}
		return errors.Join(&target.Error{Code: target.Unverified, Remark: target.NotShown, Attribute: "title", Message: "hidden"}, refusal(target.Rejected, 400))
	}
	c.source.person(1, "ada@example.com", "Ada L")
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || report.Result != reconcile.Partial || len(report.Errors) != 1 || report.Errors[0].Code != string(target.Rejected) || report.Errors[0].RetryAt == "" {
		t.Fatalf("%v, %s", err, summary(report))
	}
}
