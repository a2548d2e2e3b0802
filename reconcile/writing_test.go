package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// mappedTo has a sync write exactly these attributes, and match by userName.
func mappedTo(specs ...mapping.Spec) func(*reconcile.Sync) {
	m, faults := mapping.New(target.User, append([]mapping.Spec{{Path: "userName", Expr: "[userPrincipalName]", Required: true}}, specs...))
	if len(faults) > 0 {
		panic(faults)
	}
	return func(s *reconcile.Sync) { s.Users.Mapping = m }
}

// An action that is interrupted has not failed: nothing is counted against the record, and the next
// cycle does what is left.
func TestInterruptedActionHasNotFailed(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.source.hire("Ada", "Bob")
	g := c.behindGateway()
	want(t, "first cycle", c.cycle(), "2 created")
	ctx, cancel := context.WithCancel(t.Context())
	g.before = func(method, _ string) error {
		if method != "update" {
			return nil
		}
		cancel()
		return fmt.Errorf("update user: %w", ctx.Err())
	}
	c.source.hire("Ada L.", "Bob M.")
	c.source.rename(1, "ada@example.com")
	c.source.rename(2, "bob@example.com")
	report, err := c.runIn(ctx, reconcile.Options{Apply: true})
	if err == nil || report.Result != reconcile.Failed || len(report.Errors) > 0 || len(c.stored().retries()) > 0 {
		t.Errorf("%v, result %s, errors %v, retried %v", err, report.Result, report.Errors, c.stored().retries())
	}
	g.before = nil
	want(t, "next cycle", c.cycle(), "2 updated")
	want(t, "accounts", c.app().String(), "ada=Ada L. bob=Bob M.")
}

// A user whose account could not be made refers to no manager, although the manager has one by then.
// The reference comes with the account.
func TestReferenceOfAUserWithoutAnAccount(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = withManager
	c.source.hire("Ada", "Bob")
	c.source.set(1, "manager", strconv.Quote(userID(2).String()))
	g := c.behindGateway()
	g.before = on("create", "ada@example.com", refusal(target.Rejected, 400))
	want(t, "first cycle", c.partial(reconcile.Options{Apply: true}), "1 created, failed to create ada@example.com: target_rejected")
	g.before = nil
	want(t, "waiting", strings.Join(c.stored().retries(), ", "), "ada@example.com target_rejected")
	want(t, "next cycle", c.cycle(), "1 created, 1 unchanged")
	want(t, "the manager of ada", fmt.Sprint(c.app().accounts["2"]["manager"]), "map[value:1]")
}

// A member whose account could not be made is not put into the group, the others are.
func TestMemberWithoutAnAccount(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = withGroups
	c.source.hire("Ada", "Bob")
	c.source.team(1, "Sales", 1, 2)
	g := c.behindGateway()
	var joined []string
	g.before = func(method, about string) error {
		switch {
		case method == "create" && about == "ada@example.com":
			return refusal(target.Rejected, 400)
		case method == "join":
			joined = append(joined, about)
		}
		return nil
	}
	c.partial(reconcile.Options{Apply: true})
	if !slices.Equal(joined, []string{"1"}) {
		t.Errorf("put into the group: %q", joined)
	}
	want(t, "members", g.membersOf("Sales"), "bob")
	want(t, "waiting", strings.Join(c.stored().retries(), ", "), "ada@example.com target_rejected, Sales unknown_reference")

	// When the user leaves, nothing is waited for any more.
	c.source.leaveAll("Ada")
	c.must(reconcile.Options{Apply: true, Scheduled: true})
	want(t, "waiting, when she left", strings.Join(c.stored().retries(), ", "), "")
}

// Where the application cannot show an account, an update that finds none drops the link, and the next
// cycle makes an account, also when the record has failed before.
func TestGoneWhereNothingIsShown(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.through = func(a *application) target.Adapter { return blind{a} }
	c.source.hire("Ada", "Bob")
	want(t, "first cycle", c.cycle(), "2 created")
	c.app().refuse = func(method, id string) error {
		if method == "update" && c.app().accounts[id] != nil {
			return refusal(target.Rejected, 400)
		}
		return nil
	}
	c.source.person(1, "ada@example.com", "Ada L.")
	want(t, "refused", c.partial(reconcile.Options{Apply: true}), "1 unchanged, failed to update ada@example.com: target_rejected")
	c.app().lose(1)
	want(t, "gone", c.partial(reconcile.Options{Apply: true}), "failed to update ada@example.com: target_missing")
	want(t, "made again", c.cycle(), "1 created, 1 unchanged")
	want(t, "accounts", c.app().String(), "bob=Bob ada=Ada L.")
}

// What others have given an account in a list that is shared with them stays when ours changes.
func TestRolesOfOthersStay(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	role := func(name, role string) mapping.MappingRole {
		return mapping.MappingRole{Name: name, Scopes: []mapping.RoleScope{{Scope: "account", Roles: []string{role}}}}
	}
	c.change = mappedTo(mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "[department]", Roles: []mapping.MappingRole{role("Sales", "Editor"), role("IT", "Admin")}}})
	c.source.hire("Ada")
	c.source.set(1, "department", `"Sales"`)
	want(t, "first cycle", c.cycle(), "1 created")
	account := c.app().accounts["1"]
	account["entitlements"] = append(account["entitlements"].([]any), map[string]any{"type": "vault", "value": "Keeper"})
	c.source.set(1, "department", `"IT"`)
	want(t, "another department", c.cycle(), "1 updated")
	want(t, "roles", fmt.Sprint(c.app().accounts["1"]["entitlements"]), "[map[type:account value:Admin] map[type:vault value:Keeper]]")
}

// Users whose names differ in case alone want one account: of two new ones neither gets it, and who has
// it keeps it.
func TestNamesThatDifferInCase(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = mappedTo()
	c.source.person(1, "Ada@example.com", "Ada")
	c.source.person(2, "ada@Example.com", "Another Ada")
	c.source.person(3, "bob@example.com", "Bob")
	want(t, "first cycle", c.cycle(), "1 created, skipped Ada@example.com: duplicate_source, skipped ada@Example.com: duplicate_source")
	c.source.person(4, "BOB@example.com", "Another Bob")
	c.source.gone("Ada@example.com", graphsync.SoftDeleted)
	c.source.gone("ada@Example.com", graphsync.SoftDeleted)
	want(t, "next cycle", c.cycle(), "1 unchanged, skipped BOB@example.com: duplicate_source")
}

// Only what says true makes an account active, in whatever words a mapping of active says something else.
func TestActiveInOtherWords(t *testing.T) {
	t.Parallel()
	for _, no := range []string{`"inactive"`, `"no"`, `0`, `"False"`} {
		c := newService(t).customer("contoso")
		c.change = mappedTo(mapping.Spec{Path: "active", Expr: fmt.Sprintf(`IIF([displayName] = "Bob", %s, "True")`, no)})
		c.source.hire("Ada", "Bob", "Cyd")
		want(t, no, c.cycle(), "2 created")
	}
}

// A plan does not show the values of redacted attributes, neither before nor after the change.
func TestPlanShowsNoRedactedValue(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = mappedTo(mapping.Spec{Path: "nickName", Expr: "[displayName]", Redact: true})
	c.source.person(1, "ada@example.com", "planted-value")
	for _, op := range []string{"create", "update"} {
		text := c.document(reconcile.Options{})
		if strings.Contains(text, "planted") || !strings.Contains(text, `"new":"[Redact]"`) || !strings.Contains(text, op) {
			t.Errorf("the plan says %s", text)
		}
		c.cycle()
		c.source.person(1, "ada@example.com", "planted-again")
	}
}

// A user whose externalId is the object id of another wants the account of that one, whichever of the two comes
// first in the plan, and also when a third has kept one of them from it.
func TestTheObjectIDOfAnotherIsADuplicate(t *testing.T) {
	t.Parallel()
	mapped := mappedTo(mapping.Spec{Path: "externalId", Expr: `IIF(IsPresent([department]), [department], [objectId])`})
	external := func(s *reconcile.Sync) {
		mapped(s)
		s.Users.Match = []string{"externalId", "userName"}
	}
	for name, pair := range map[string][2]int{"the other comes first": {1, 2}, "the other comes last": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other, same := pair[0], pair[1]
			c := newService(t).customer("contoso")
			c.change = external
			c.source.person(other, "ada@example.com", "Ada")
			c.source.person(same, "bob@example.com", "Bob")
			c.source.person(3, "cyd@example.com", "Cyd")
			c.source.set(same, "department", strconv.Quote(strings.ToUpper(userID(other).String())))
			got := c.cycle()
			for _, part := range []string{"1 created", "skipped ada@example.com: duplicate_source", "skipped bob@example.com: duplicate_source"} {
				if !strings.Contains(got, part) {
					t.Errorf("the first cycle says %s, want %s", got, part)
				}
			}
		})
		t.Run(name+", with a third", func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = external
			c.source.person(pair[0], "ada@example.com", "Ada")
			c.source.person(pair[1], "ADA@example.com", "Other Ada")
			c.source.person(3, "cyd@example.com", "Cyd")
			c.source.set(3, "department", strconv.Quote(userID(pair[0]).String()))
			got := c.cycle()
			for _, name := range []string{"ada@example.com", "ADA@example.com", "cyd@example.com"} {
				if !strings.Contains(got, "skipped "+name+": duplicate_source") {
					t.Errorf("%s is not skipped: %s", name, got)
				}
			}
		})
	}
}
