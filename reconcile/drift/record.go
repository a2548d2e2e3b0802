package drift

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// The spaces of a sync in which differences are kept over cycles.
const (
	accountSpace = "drift"         // kind, source id → Record
	memberSpace  = "drift-members" // group id, member id → Membership
	shownSpace   = "drift-shown"   // kind, attribute → nothing: the application is known to show it
	infoSpace    = "drift-info"    // infoKey → Compare
)

var infoKey = []byte("compare")

// A Difference is one value that is not what was applied. nil stands for no value.
type Difference struct {
	Attribute string          `json:"attribute"`
	Applied   json.RawMessage `json:"applied"`
	Shown     json.RawMessage `json:"shown"`
	Compare
}

// A Compare is one look at the application.
type Compare struct {
	Since time.Time `json:"since"`
	Run   string    `json:"run"`
}

// Same reports whether a difference is the one that was seen before.
func (d Difference) same(other Difference) bool {
	return d.Attribute == other.Attribute && bytes.Equal(d.Applied, other.Applied) && bytes.Equal(d.Shown, other.Shown)
}

// A Record is how an account or group differs.
type Record struct {
	Account     string       `json:"account"`
	Key         string       `json:"key"`
	Missing     *Compare     `json:"missing,omitempty"` // it is gone since
	Differences []Difference `json:"differences,omitempty"`
}

// Of returns the difference of an attribute, nil when there is none.
func (r *Record) Of(attribute string) *Difference {
	if r == nil {
		return nil
	}
	for i := range r.Differences {
		if r.Differences[i].Attribute == attribute {
			return &r.Differences[i]
		}
	}
	return nil
}

func (r *Record) empty() bool { return r.Missing == nil && len(r.Differences) == 0 }

// keepTimes takes over from an earlier record when what differs was first seen, and returns what is new.
func (r *Record) keepTimes(before *Record) (news []Difference, gone bool) {
	for i := range r.Differences {
		d := &r.Differences[i]
		if known := before.Of(d.Attribute); known != nil && before.Account == r.Account && known.same(*d) {
			d.Compare = known.Compare
			continue
		}
		news = append(news, *d)
	}
	if r.Missing == nil {
		return news, false
	}
	if before != nil && before.Missing != nil && before.Account == r.Account {
		r.Missing = before.Missing
		return news, false
	}
	return news, true
}

// A Membership is one that is in the application and was not applied, or the other way round.
type Membership struct {
	Account string `json:"account"` // of the member
	Shown   bool   `json:"shown"`   // it is in the application
	Compare
}

// Records are the differences of a sync.
type Records struct {
	tx   *state.Tx
	sync string
}

// In returns the differences of a sync.
func In(tx *state.Tx, sync string) Records { return Records{tx, sync} }

// Count returns how many accounts and groups differ, and how many memberships. It reads two counters.
func (r Records) Count() (accounts, members int) {
	return r.tx.Space(r.sync, accountSpace).Count(), r.tx.Space(r.sync, memberSpace).Count()
}

// Get returns how an object's account differs, nil when it does not, or when another account is linked by now.
func (r Records) Get(link *state.Link) *Record {
	record := r.get(link.Kind, link.Source)
	if record == nil || record.Account != link.TargetID {
		return nil
	}
	return record
}

func (r Records) get(kind graphsync.Kind, id graphsync.ID) *Record {
	raw := r.tx.Space(r.sync, accountSpace).Get(plan.LinkKey(kind, id))
	if raw == nil {
		return nil
	}
	var record Record
	if plan.Decode(raw, &record) != nil {
		return nil
	}
	return &record
}

// Put notes how an account differs, or that it does not, and returns what was not known before.
func (r Records) Put(link *state.Link, record *Record) (news []Difference, gone bool, err error) {
	space, key := r.tx.Space(r.sync, accountSpace), plan.LinkKey(link.Kind, link.Source)
	if record.empty() {
		return nil, false, r.Forget(link.Kind, link.Source)
	}
	news, gone = record.keepTimes(r.get(link.Kind, link.Source))
	return news, gone, space.Put(key, plan.Encode(record))
}

// Forget drops what is known of an object.
func (r Records) Forget(kind graphsync.Kind, id graphsync.ID) error {
	space, key := r.tx.Space(r.sync, accountSpace), plan.LinkKey(kind, id)
	if !space.Has(key) {
		return nil
	}
	return space.Delete(key)
}

// Written drops the differences of attributes that were written since.
func (r Records) Written(kind graphsync.Kind, id graphsync.ID, changes []plan.Change) error {
	record := r.get(kind, id)
	if record == nil {
		return nil
	}
	record.Differences = slices.DeleteFunc(record.Differences, func(d Difference) bool {
		return slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Attribute == d.Attribute })
	})
	if record.empty() {
		return r.Forget(kind, id)
	}
	return r.tx.Space(r.sync, accountSpace).Put(plan.LinkKey(kind, id), plan.Encode(record))
}

// All yields the differences of accounts and groups.
func (r Records) All() iter.Seq2[state.PendingKey, *Record] {
	return func(yield func(state.PendingKey, *Record) bool) {
		for key, raw := range r.tx.Space(r.sync, accountSpace).All(nil) {
			var record Record
			if len(key) != 1+len(graphsync.ID{}) || plan.Decode(raw, &record) != nil {
				continue
			}
			if !yield(state.PendingKey{Kind: graphsync.Kind(key[0]), ID: graphsync.ID(key[1:])}, &record) {
				return
			}
		}
	}
}

// Member returns how a membership differs, nil when it does not.
func (r Records) Member(group, member graphsync.ID) *Membership {
	raw := r.tx.Space(r.sync, memberSpace).Get(memberKey(group, member))
	if raw == nil {
		return nil
	}
	var m Membership
	if plan.Decode(raw, &m) != nil {
		return nil
	}
	return &m
}

// PutMember notes that a membership differs, and reports whether that was not known before.
func (r Records) PutMember(group, member graphsync.ID, m Membership) (news bool, err error) {
	if known := r.Member(group, member); known != nil && known.Account == m.Account && known.Shown == m.Shown {
		return false, nil
	}
	return true, r.tx.Space(r.sync, memberSpace).Put(memberKey(group, member), plan.Encode(&m))
}

// ForgetMember drops what is known of a membership.
func (r Records) ForgetMember(group, member graphsync.ID) error {
	space, key := r.tx.Space(r.sync, memberSpace), memberKey(group, member)
	if !space.Has(key) {
		return nil
	}
	return space.Delete(key)
}

// Members yields the memberships of a group that differ, in the order of the members; those of all groups for the zero id.
func (r Records) Members(of graphsync.ID) iter.Seq2[state.PendingKey, Membership] {
	return func(yield func(state.PendingKey, Membership) bool) {
		prefix := of[:]
		if of.IsZero() {
			prefix = nil
		}
		for key, raw := range r.tx.Space(r.sync, memberSpace).Prefix(prefix) {
			var m Membership
			if len(key) != 2*len(graphsync.ID{}) || plan.Decode(raw, &m) != nil {
				continue
			}
			if !yield(state.Membership(graphsync.ID(key[:16]), graphsync.ID(key[16:])), m) {
				return
			}
		}
	}
}

// Shows reports whether the application is known to show an attribute. One that it never showed may be one that it does
// not return, so that its absence says nothing.
func (r Records) Shows(kind graphsync.Kind, attribute string) bool {
	return r.tx.Space(r.sync, shownSpace).Has(shownKey(kind, attribute))
}

// PutShown notes that the application shows an attribute.
func (r Records) PutShown(kind graphsync.Kind, attribute string) error {
	return r.tx.Space(r.sync, shownSpace).Put(shownKey(kind, attribute), nil)
}

// Compared returns when everything was compared last; zero: never.
func (r Records) Compared() (last Compare) {
	if raw := r.tx.Space(r.sync, infoSpace).Get(infoKey); raw != nil {
		_ = plan.Decode(raw, &last)
	}
	return last
}

// PutCompared notes a compare that came to its end.
func (r Records) PutCompared(last Compare) error {
	return r.tx.Space(r.sync, infoSpace).Put(infoKey, plan.Encode(&last))
}

func memberKey(group, member graphsync.ID) []byte {
	return append(slices.Clone(group[:]), member[:]...)
}

func shownKey(kind graphsync.Kind, attribute string) []byte {
	return append([]byte{byte(kind)}, attribute...)
}
