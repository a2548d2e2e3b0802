package reconcile

import (
	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Pin has nothing change the account of an object until it is unpinned. It may run during a cycle.
func Pin(tenant *state.Tenant, sync *Sync, kind graphsync.Kind, id graphsync.ID, by plan.Decision) (pin links.Record, err error) {
	err = tenant.Update(func(tx *state.Tx) error {
		pin, err = pinIn(tx, sync, links.Object{Kind: kind, ID: id}, by)
		return err
	})
	return pin, err
}

func pinIn(tx *state.Tx, sync *Sync, of links.Object, by plan.Decision) (links.Record, error) {
	object, known := tx.Objects().Get(of.Kind, of.ID)
	link, linked, err := tx.Links(sync.Name).Get(of.Kind, of.ID)
	if err != nil {
		return links.Record{}, err
	}
	if !known && !linked {
		return links.Record{}, ErrUnknownSubject
	}
	var last *state.Link
	if linked {
		last = &link
	}
	pin := links.Record{Object: of, Decision: by, Key: desired.KeyOf(&object, last), Account: link.TargetID}
	if err := links.In(tx, sync.Name).PutPin(pin); err != nil {
		return pin, err
	}
	return pin, auditLink(tx, sync, pinnedEvent, pin, pin.Account, pin.Account)
}

// Unpin has the next cycle carry out what is due to an object again. It returns the pin that it had.
func Unpin(tenant *state.Tenant, sync *Sync, kind graphsync.Kind, id graphsync.ID, by plan.Decision) (was links.Record, err error) {
	of := links.Object{Kind: kind, ID: id}
	err = tenant.Update(func(tx *state.Tx) error {
		pin := links.In(tx, sync.Name).Pin(of)
		if pin == nil {
			return ErrNotPinned
		}
		was = *pin
		if err := links.In(tx, sync.Name).DeletePin(of); err != nil {
			return err
		}
		if err := pendAll(tx, sync.Name, of, membershipsOf(tx, sync.Name, of)); err != nil {
			return err
		}
		done := was
		done.Decision = by
		return auditLink(tx, sync, unpinnedEvent, done, pin.Account, pin.Account)
	})
	return was, err
}
