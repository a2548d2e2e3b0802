package reconcile_test

import (
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// lostUpdates has the responses to updates of an account lost, after they were carried out.
func (g *gateway) lostUpdates(id string) {
	g.after = func(method, about string) error {
		if method == "update" && about == id {
			return refusal(target.Unavailable, 503)
		}
		return nil
	}
}

// intents counts what the last cycle left open.
func (s stored) intents() (n int) {
	s.tx(func(tx *state.Tx) error {
		for range tx.Intents(s.c.sync).All() {
			n++
		}
		return nil
	})
	return n
}

// An account that is deleted by hand after the response to a write of it was lost is made again.
func TestAccountGoneAfterALostUpdate(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.source.hire("Ada", "Bob")
	g := c.behindGateway()
	want(t, "first cycle", c.cycle(), "2 created")
	g.lostUpdates("1")
	c.source.person(1, "ada@example.com", "Ada L.")
	want(t, "the lost update", c.partial(reconcile.Options{Apply: true}), "1 unchanged, failed to update ada@example.com: target_unavailable")
	g.after = nil
	c.app().lose(1)
	want(t, "the account is gone", c.cycle(), "1 created, 1 unchanged")
	want(t, "accounts", c.app().String(), "bob=Bob ada=Ada L.")
	want(t, "and then", c.cycle(), "2 unchanged")
}

// An account that is found after a lost creation is brought to what it should be in the same cycle,
// although the next attempt to create it is not due yet.
func TestFoundBeforeTheNextAttempt(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.source.hire("Ada", "Bob")
	g := c.behindGateway()
	lost := refusal(target.Unavailable, 503)
	hidden := true
	g.after = on("create", "ada@example.com", lost)
	g.before = func(method, about string) error {
		if method == "find" && about == "ada@example.com" && hidden && g.accounts["1"] != nil {
			return errDown
		}
		return nil
	}
	for range 2 {
		c.partial(reconcile.Options{Apply: true})
	}
	hidden = false
	g.accounts["1"]["displayName"] = "not as it was sent"
	want(t, "found", c.cycle(), "1 updated, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
}

// An account whose adoption or creation was carried out while its response was lost has what was written then: a value
// that is to be cleared since is cleared, also when no page and no complete compare comes.
func TestRecoveredAccountKeepsNoFormerValue(t *testing.T) {
	t.Parallel()
	for method, seeded := range map[string]bool{"update": true, "create": false} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) {
				m, faults := mapping.New(target.User, []mapping.Spec{
					{Path: "externalId", Expr: "[objectId]"},
					{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
					{Path: "displayName", Expr: "[displayName]"},
					{Path: "title", Expr: "[jobTitle]", OnNull: "clear"},
				})
				if len(faults) > 0 {
					t.Fatal(faults)
				}
				s.Users.Mapping, s.Users.Match = m, []string{"userName"}
			}
			c.source.person(1, "ada@example.com", "Ada")
			c.source.set(1, "jobTitle", `"Administrator"`)
			if seeded {
				c.app().seed("ada@example.com")
			}
			g := c.behindGateway()
			broken := &target.Error{Code: target.Unavailable, Op: method, Message: "the connection broke", Indeterminate: true}
			g.after = func(at, _ string) error {
				if at != method {
					return nil
				}
				g.before = func(string, string) error { return broken } // nor can it be looked up
				return broken
			}
			if report, err := c.run(reconcile.Options{Apply: true}); err != nil || len(report.Errors) != 1 {
				t.Fatalf("%v, errors %v", err, report.Errors)
			}
			g.before, g.after = nil, nil
			c.source.set(1, "jobTitle", "null")
			for range 2 {
				c.cycle()
			}
			for id, account := range c.app().accounts {
				if account["title"] == "Administrator" {
					t.Errorf("account %s still has the title of before: %v", id, account)
				}
			}
		})
	}
}
