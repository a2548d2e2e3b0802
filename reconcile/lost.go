package reconcile

import (
	"entrasync/graphsync"
)

// loseLink drops the link of an account that is gone from the application. That an active one was
// there is remembered: a guard looks at how many would be made again.
func (r records) loseLink(kind graphsync.Kind, source graphsync.ID) error {
	if err := r.rememberLost(kind, source); err != nil {
		return err
	}
	return r.forgetLink(kind, source)
}

// rememberLost notes that the active account of a link is gone from the application.
func (r records) rememberLost(kind graphsync.Kind, source graphsync.ID) error {
	link, linked, err := r.tx.Links(r.sync).Get(kind, source)
	if err != nil {
		return err
	}
	if !linked || !link.Active {
		return nil
	}
	return r.put(lostSpace, lostKey(kind, source), []byte(link.TargetID))
}

// clearLost forgets that an account was lost: it is there again, or no user is to have it.
func (r records) clearLost(kind graphsync.Kind, source graphsync.ID) error {
	return r.delete(lostSpace, lostKey(kind, source))
}

// lostSpace remembers active accounts and groups that were gone from the application until they
// are there again: kind, source id → the target id they had.
const lostSpace = "lost"
