// Package links keeps what operators decide about links: pins, broken links and chosen accounts.
//
// They are records of a sync that outlive its cycles. The package stores and lists them; that a pinned account
// is left alone, that a broken link is not made again without an approval and that a chosen account is the one that
// is matched is up to the cycle.
//
// A pin and a choice are of a user or group of the directory, a broken link is of a user or group and an account.
package links

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// The spaces of a sync that hold the records.
const (
	pinSpace    = "pins"         // kind, source id → Pin
	brokenSpace = "broken-links" // kind, source id, account → Broken
	choiceSpace = "chosen-links" // kind, source id → Choice
)

// An Object names a user or group of the directory.
type Object struct {
	Kind graphsync.Kind
	ID   graphsync.ID
}

// A Record is who decided something about a link, when and why.
type Record struct {
	Object Object `json:"-"`
	plan.Decision
	Key     string `json:"key"`               // what people called the object
	Account string `json:"account,omitempty"` // id of the account in the target; of a pin "" when the object had none
}

// A Table holds the records of one sync within a transaction.
type Table struct {
	tx   *state.Tx
	sync string
}

// In returns the records of a sync.
func In(tx *state.Tx, sync string) Table { return Table{tx, sync} }

// Pin returns the pin of an object, nil when it has none. What is pinned is not changed until it is unpinned.
func (t Table) Pin(of Object) *Record { return t.get(pinSpace, of, key(of, "")) }

// PutPin pins the object of a record.
func (t Table) PutPin(r Record) error { return t.put(pinSpace, key(r.Object, ""), r) }

// DeletePin unpins an object.
func (t Table) DeletePin(of Object) error { return t.delete(pinSpace, key(of, "")) }

// Pinned reports whether anything is pinned.
func (t Table) Pinned() bool { return t.CountPins() > 0 }

// CountPins returns how many objects are pinned.
func (t Table) CountPins() int { return t.tx.Space(t.sync, pinSpace).Count() }

// Pins yields the pins, by kind and source id.
func (t Table) Pins() iter.Seq[Record] { return t.all(pinSpace, nil) }

// Broken returns who broke the link of an object to an account, nil when no one did.
func (t Table) Broken(of Object, account string) *Record {
	return t.get(brokenSpace, of, key(of, account))
}

// PutBroken records that the link of an object to an account was broken.
func (t Table) PutBroken(r Record) error { return t.put(brokenSpace, key(r.Object, r.Account), r) }

// DeleteBroken forgets that a link was broken: it is made again.
func (t Table) DeleteBroken(of Object, account string) error {
	return t.delete(brokenSpace, key(of, account))
}

// BrokenOf yields the broken links of an object.
func (t Table) BrokenOf(of Object) iter.Seq[Record] { return t.all(brokenSpace, key(of, "")) }

// AllBroken yields the broken links, by kind, source id and account.
func (t Table) AllBroken() iter.Seq[Record] { return t.all(brokenSpace, nil) }

// Choice returns the account that was chosen for an object, nil when none was.
func (t Table) Choice(of Object) *Record { return t.get(choiceSpace, of, key(of, "")) }

// PutChoice records which account was chosen for an object.
func (t Table) PutChoice(r Record) error { return t.put(choiceSpace, key(r.Object, ""), r) }

// DeleteChoice forgets which account was chosen: it is linked, or no longer wanted.
func (t Table) DeleteChoice(of Object) error { return t.delete(choiceSpace, key(of, "")) }

// Choices yields the chosen accounts, by kind and source id.
func (t Table) Choices() iter.Seq[Record] { return t.all(choiceSpace, nil) }

// Linked forgets what the link to an account fulfils: the choice of it, and that it was broken before.
func (t Table) Linked(of Object, account string) error {
	if err := t.DeleteBroken(of, account); err != nil {
		return err
	}
	if choice := t.Choice(of); choice == nil || choice.Account != account {
		return nil
	}
	return t.DeleteChoice(of)
}

func key(of Object, account string) []byte {
	return append(plan.LinkKey(of.Kind, of.ID), account...)
}

func objectOf(key []byte) Object {
	return Object{graphsync.Kind(key[0]), graphsync.ID(key[1:17])}
}

func (t Table) get(space string, of Object, key []byte) *Record {
	raw := t.tx.Space(t.sync, space).Get(key)
	if raw == nil {
		return nil
	}
	r := decode(raw)
	r.Object = of
	return &r
}

// decode reads a record. One that cannot be read still counts, without who decided and why: what is pinned stays so.
func decode(raw []byte) Record {
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{Decision: plan.Decision{Reason: fmt.Sprintf("the record cannot be read: %v", err)}}
	}
	return r
}

func (t Table) put(space string, key []byte, r Record) error {
	return t.tx.Space(t.sync, space).Put(key, plan.Encode(&r))
}

func (t Table) delete(space string, key []byte) error {
	of := t.tx.Space(t.sync, space)
	if of.Count() == 0 {
		return nil
	}
	return of.Delete(key)
}

func (t Table) all(space string, prefix []byte) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for key, raw := range t.tx.Space(t.sync, space).Prefix(prefix) {
			r := decode(slices.Clone(raw))
			if r.Object = objectOf(key); !yield(r) {
				return
			}
		}
	}
}
