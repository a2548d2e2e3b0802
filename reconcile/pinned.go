package reconcile

import (
	"context"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// pinnedCode is the code of what is due and not done because its object, or its account, is pinned.
const pinnedCode = "pinned"

// A pinKeeper leaves alone what operators pinned.
type pinKeeper struct {
	sync   *Sync
	opts   Options
	tenant *state.Tenant
	ledger *ledger
	plans  *plan.Store
}

// leave takes out of the plan what would change an account or group that is pinned, and reports it as skipped.
// Guards count what is left. Without pins it reads one counter.
func (p *pinKeeper) leave(ctx context.Context) error {
	pins, err := pinsOf(p.tenant, p.sync.Name)
	if err != nil || len(pins.objects) == 0 && len(pins.others) == 0 {
		return err
	}
	return p.plans.Entries(ctx, plan.ActionSpace, func(tx *state.Tx, key, raw []byte) error { return p.leaveOne(tx, pins, key, raw) })
}

// leaveOne takes one action out of the plan, or the pinned users out of a change of members.
func (p *pinKeeper) leaveOne(tx *state.Tx, pins pins, place, raw []byte) error {
	key, err := plan.ParseKey(place)
	if err != nil {
		return err
	}
	if !pins.mayConcern(key, plan.OpOf(raw)) {
		return nil
	}
	a, err := plan.DecodeAction(raw)
	if err != nil {
		return err
	}
	if pin := pins.of(&a); pin != nil {
		return p.dropAction(tx, place, &a, pin)
	}
	if a.Op != plan.Members {
		return nil
	}
	left := pins.takeMembers(&a)
	if len(left) == 0 {
		return nil
	}
	for _, m := range left {
		if err := p.skip(tx, plan.Skipped{Kind: graphsync.User, SourceID: m.pin.Object.ID, Key: m.pin.Key, Code: pinnedCode,
			Why: fmt.Sprintf("due to %s group %s, but %s", m.change, a.Key, pinWords(m.pin))}); err != nil {
			return err
		}
		if err := p.lookAgain(tx, state.Membership(a.SourceID, m.pin.Object.ID)); err != nil {
			return err
		}
	}
	if len(a.Add)+len(a.Remove) > 0 {
		a.Why = plan.MembersWhy(a.Add, a.Remove)
		return plan.In(tx, p.sync.Name).Put(place, &a)
	}
	p.ledger.planned(a.Kind, a.Op, -1)
	return plan.In(tx, p.sync.Name).Delete(place)
}

// dropAction takes an action out of the plan.
func (p *pinKeeper) dropAction(tx *state.Tx, place []byte, a *plan.StoredAction, pin *links.Record) error {
	if a.Op != plan.Unlink || !a.Gone && a.MovesTo == "" { // those others are not counted
		p.ledger.planned(a.Kind, a.Op, -1)
	}
	if err := plan.In(tx, p.sync.Name).Delete(place); err != nil {
		return err
	}
	if a.Op == plan.Unlink { // the link stays
		if err := tx.Space(p.sync.Name, plan.DetachedSpace).Delete(plan.LinkKey(a.Kind, a.SourceID)); err != nil {
			return err
		}
	}
	for _, member := range slices.Concat(a.Add, a.Remove) {
		if a.Op != plan.Members {
			break
		}
		if err := p.lookAgain(tx, state.Membership(a.SourceID, member)); err != nil {
			return err
		}
	}
	return p.skip(tx, plan.Skipped{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Code: pinnedCode,
		Why: fmt.Sprintf("due to %s (%s), but %s", a.Op, a.Why, pinWords(pin))})
}

// skip reports what is left alone. What happens to an account is said rather than what happens to its memberships.
func (p *pinKeeper) skip(tx *state.Tx, s plan.Skipped) error {
	key := plan.SkippedKey(state.PendingKey{Kind: s.Kind, ID: s.SourceID})
	if tx.Space(p.sync.Name, plan.SkippedSpace).Has(key) {
		return nil
	}
	return p.ledger.skip(tx, s)
}

// lookAgain keeps a membership pending: the directory reports it once.
func (p *pinKeeper) lookAgain(tx *state.Tx, key state.PendingKey) error {
	if !p.opts.Apply {
		return nil
	}
	return requeue(tx, p.sync.Name, key)
}

// pins are the pins of a sync, by object and by account. There are few: operators set them one by one.
type pins struct {
	objects  map[links.Object]*links.Record
	accounts map[pinnedAccount]*links.Record
	others   map[state.Owner]*links.Record // of other syncs of the tenant, which may no longer be configured
}

type pinnedAccount struct {
	kind graphsync.Kind
	id   string
}

// pinsOf reads the pins of a sync.
func pinsOf(tenant *state.Tenant, sync string) (p pins, err error) {
	err = tenant.View(func(tx *state.Tx) error { p, err = pinsIn(tx, tenant.ID(), sync); return err })
	return p, err
}

func pinsIn(tx *state.Tx, tenant graphsync.ID, sync string) (pins, error) {
	p := pins{objects: map[links.Object]*links.Record{}, accounts: map[pinnedAccount]*links.Record{}, others: map[state.Owner]*links.Record{}}
	for _, name := range tx.Syncs() {
		if name == sync || !links.In(tx, name).Pinned() {
			continue
		}
		for pin := range links.In(tx, name).Pins() {
			p.others[state.Owner{Tenant: tenant, Sync: name, Kind: pin.Object.Kind, Source: pin.Object.ID}] = &pin
		}
	}
	if !links.In(tx, sync).Pinned() {
		return p, nil
	}
	for pin := range links.In(tx, sync).Pins() {
		p.objects[pin.Object] = &pin
		link, linked, err := tx.Links(sync).Get(pin.Object.Kind, pin.Object.ID)
		if err != nil {
			return p, err
		}
		for _, id := range []string{pin.Account, link.TargetID} {
			if id != "" && (linked || id == pin.Account) {
				p.accounts[pinnedAccount{pin.Object.Kind, id}] = &pin
			}
		}
	}
	return p, nil
}

// mayConcern reports whether an action has to be read to see whether it concerns what is pinned: one on a pinned
// object, and those that are about another account than the linked one or about several.
func (p *pins) mayConcern(key plan.Key, op plan.Op) bool {
	of := key.PendingKey()
	return p.objects[links.Object{Kind: of.Kind, ID: of.ID}] != nil || op == plan.Adopt || op == plan.Members || key.Phase == plan.LeavePhase && key.Part > 0
}

// of returns the pin that keeps an action from being carried out, nil when there is none.
func (p *pins) of(a *plan.StoredAction) *links.Record {
	if pin := p.objects[links.Object{Kind: a.Kind, ID: a.SourceID}]; pin != nil {
		return pin
	}
	if pin := p.others[a.FormerOwner]; pin != nil {
		return pin
	}
	if a.TargetID == nil {
		return nil
	}
	return p.accounts[pinnedAccount{a.Kind, *a.TargetID}]
}

// A leftMember is a pinned user whose membership stays as it is.
type leftMember struct {
	pin    *links.Record
	change string // join or leave
}

// takeMembers takes the pinned users out of a change of members.
func (p *pins) takeMembers(a *plan.StoredAction) (left []leftMember) {
	take := func(ids []graphsync.ID, change string) []graphsync.ID {
		return slices.DeleteFunc(slices.Clone(ids), func(id graphsync.ID) bool {
			pin := p.objects[links.Object{Kind: graphsync.User, ID: id}]
			if pin != nil {
				left = append(left, leftMember{pin, change})
			}
			return pin != nil
		})
	}
	a.Add, a.Remove = take(a.Add, "join"), take(a.Remove, "leave")
	return left
}

// pinWords says who pinned what, when and why.
func pinWords(pin *links.Record) string { return "pinned" + pin.Words() }
