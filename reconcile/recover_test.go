package reconcile_test

import (
	"testing"

	"entrasync/reconcile"
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
func (c *customer) intents() (n int) {
	c.tx(func(tx *state.Tx) error {
		for range tx.Intents(c.sync).All() {
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
