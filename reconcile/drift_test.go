package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/reconcile"
	"entrasync/reconcile/drift"
	"entrasync/state"
)

// drifts compares and returns what differs, sorted.
func (c *customer) drifts() (lines []string) {
	c.t.Helper()
	c.syncing(func(s *reconcile.Syncer) {
		report, err := s.Drift(context.Background(), reconcile.Options{})
		if err != nil || report.Result != reconcile.OK {
			c.t.Fatalf("compare: %v %s", err, summary(report))
		}
		lines = c.known(s)
	})
	return lines
}

// known is what the last compare found.
func (c *customer) known(s *reconcile.Syncer) (lines []string) {
	err := s.Tenant.View(func(tx *state.Tx) error {
		for d, err := range reconcile.Drifts(tx, s.Sync) {
			if err != nil {
				return err
			}
			name, _, _ := strings.Cut(d.Key, "@")
			what := d.Difference
			if d.Member != nil {
				member, _, _ := strings.Cut(d.Member.Key, "@")
				what += " " + member
			} else if d.Difference == "attribute" {
				what = d.Attribute
			}
			lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", name, what, d.Applied, d.Shown))
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// clone is what the application holds, to tell that nothing changed.
func (g *gateway) clone() any {
	accounts, groups := map[string]map[string]any{}, map[string][]string{}
	for id, account := range g.accounts {
		accounts[id] = maps.Clone(account)
	}
	for id, group := range g.groups {
		groups[id] = append([]string{fmt.Sprint(group.attributes)}, slices.Sorted(slices.Values(group.members))...)
	}
	return [2]any{accounts, groups}
}

// edits draws changes by hand of different things, makes them and returns what a compare has to say.
func edits(t *rapid.T, g *gateway, names []string) (said []string) {
	members := map[string][]string{"Sales": {"1", "2"}, "Support": {"3"}}
	for i, name := range names {
		account := g.accounts[fmt.Sprint(i+1)]
		lower := strings.ToLower(name)
		switch rapid.SampledFrom([]string{"", "", "name", "clear", "off", "both"}).Draw(t, "edit of "+name) {
		case "name":
			account["displayName"] = name + " by hand"
			said = append(said, fmt.Sprintf("%s displayName: %q -> %q", lower, name, name+" by hand"))
		case "clear":
			delete(account, "displayName")
			said = append(said, fmt.Sprintf("%s displayName: %q -> null", lower, name))
		case "off":
			account["active"] = false
			said = append(said, lower+" active: true -> false")
		case "both":
			account["active"], account["displayName"] = false, "x"
			said = append(said, lower+" active: true -> false", fmt.Sprintf("%s displayName: %q -> \"x\"", lower, name))
		}
	}
	for _, group := range []string{"Sales", "Support"} {
		of := g.groupNamed(group)
		for i, name := range names {
			id := fmt.Sprint(i + 1)
			if !rapid.Bool().Draw(t, "membership of "+name+" in "+group) {
				continue
			}
			if was := slices.Contains(members[group], id); was {
				of.members = slices.DeleteFunc(of.members, func(m string) bool { return m == id })
				said = append(said, fmt.Sprintf("%s membership %s: true -> false", group, strings.ToLower(name)))
			} else {
				of.members = append(of.members, id)
				said = append(said, fmt.Sprintf("%s membership %s: false -> true", group, strings.ToLower(name)))
			}
		}
	}
	slices.Sort(said)
	return said
}

// A compare names exactly what was changed by hand, also when it is made again, and changes nothing. With report no
// cycle does, complete or not. Put back by hand, nothing differs any more.
func TestDriftNamesExactlyTheEdits(t *testing.T) {
	t.Parallel()
	names := []string{"Ada", "Bob", "Cyd", "Dan"}
	rapid.Check(t, func(rt *rapid.T) {
		c, g := teams(t, func(s *reconcile.Sync) { s.Drift = &drift.Policy{Mode: drift.Report} })
		c.drifts() // the application is seen to show what it was given
		before := g.clone()
		said := edits(rt, g, names)
		emptied := len(g.groupNamed("Sales").members)+len(g.groupNamed("Support").members) == 0
		edited := g.clone()
		for range 2 {
			got := c.drifts()
			if !emptied && !slices.Equal(got, said) {
				rt.Fatalf("a compare says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(said, "\n"))
			}
			for _, line := range got {
				if !slices.Contains(said, line) {
					rt.Fatalf("a compare says %q, which was not done", line)
				}
			}
		}
		for _, opts := range []reconcile.Options{{Apply: true, Full: true}, {Apply: true, Drift: true}} {
			if report, err := c.run(opts); err != nil || report.Summary.Changes() != 0 || report.Summary.Held != 0 {
				rt.Fatalf("%+v: %v %s", opts, err, summary(report))
			}
		}
		if !reflect.DeepEqual(g.clone(), edited) {
			rt.Fatalf("the application was changed from %v to %v", edited, g.clone())
		}

		c.change = configured(withGroups, func(s *reconcile.Sync) { s.Drift = &drift.Policy{Mode: drift.Repair, Active: drift.Repair} })
		if report, err := c.run(reconcile.Options{Apply: true, Drift: true}); err != nil || report.Result != reconcile.OK {
			rt.Fatalf("repair: %v %s", err, summary(report))
		}
		if got := c.drifts(); !emptied && (len(got) > 0 || !reflect.DeepEqual(g.clone(), before)) {
			rt.Fatalf("repaired, the application holds %v, want %v; a compare says %v", g.clone(), before, got)
		}
	})
}

// What a policy says of single attributes, of active and of what is gone.
func TestDriftPolicies(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	g.accounts["1"]["displayName"], g.accounts["2"]["active"] = "By hand", false
	g.groupNamed("Support").attributes["displayName"] = "Help"
	with := func(p drift.Policy) {
		c.change = configured(withGroups, func(s *reconcile.Sync) { s.Drift = &p })
	}
	with(drift.Policy{Mode: drift.Repair, Attributes: map[string]drift.Mode{"displayname": drift.Report}})
	want(t, "an attribute that is only reported, and one who is blocked", c.must(reconcile.Options{Apply: true, Full: true}), "6 unchanged")
	with(drift.Policy{Mode: drift.Hold})
	want(t, "held", c.must(reconcile.Options{Apply: true, Drift: true}), "4 unchanged, held by drift: update ada@example.com, held by drift: update Support")
	want(t, "and held on", c.must(reconcile.Options{Apply: true}), "4 unchanged, held by drift: update ada@example.com, held by drift: update Support")
	g.accounts["1"]["displayName"] = "Ada"
	want(t, "put back by hand", c.must(reconcile.Options{Apply: true, Drift: true}), "5 unchanged, held by drift: update Support")
	with(drift.Policy{Mode: drift.Repair, Active: drift.Hold})
	want(t, "repaired", c.must(reconcile.Options{Apply: true, Drift: true}), "1 updated, 4 unchanged, held by drift: reactivate bob@example.com")
	want(t, "the name of the group", fmt.Sprint(g.groupNamed("Support") != nil), "true")
	with(drift.Policy{Mode: drift.Repair, Active: drift.Repair})
	want(t, "unblocked", c.must(reconcile.Options{Apply: true, Drift: true}), "1 reactivated, 5 unchanged")
}

// An account of a leaver that is switched on by hand is switched off again, unless differences are only reported.
func TestDriftOfALeaver(t *testing.T) {
	t.Parallel()
	c, g := teams(t, func(s *reconcile.Sync) { s.Drift = &drift.Policy{Mode: drift.Report} })
	c.source.leaveAll("Dan")
	c.cycle()
	g.accounts["4"]["active"] = true
	c.must(reconcile.Options{Apply: true, Drift: true})
	want(t, "reported", strings.Join(c.drifts(), ", "), "dan active: false -> true")
	want(t, "left", fmt.Sprint(g.accounts["4"]["active"]), "true")
	c.change = configured(withGroups, func(s *reconcile.Sync) { s.Drift = &drift.Policy{Mode: drift.Hold} })
	want(t, "held", c.must(reconcile.Options{Apply: true, Drift: true}), "5 unchanged, held by drift: deactivate dan@example.com")
	c.change = configured(withGroups, func(s *reconcile.Sync) { s.Drift = &drift.Policy{Mode: drift.Repair} })
	c.must(reconcile.Options{Apply: true, Drift: true})
	want(t, "switched off again", fmt.Sprint(g.accounts["4"]["active"]), "false")
	want(t, "and no longer told", strings.Join(c.drifts(), ", "), "")
}
