package reconcile

import (
	"bytes"
	"errors"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// remarksOf parts what an adapter says of attributes that were accepted, but are not shown as they
// were written, from the errors of a write. Such attributes count as written: to write them again
// is of no use.
func remarksOf(err error) (remarks []*target.Error, rest error) {
	if err == nil {
		return nil, nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var others []error
		for _, part := range joined.Unwrap() {
			more, other := remarksOf(part)
			remarks = append(remarks, more...)
			if other != nil {
				others = append(others, other)
			}
		}
		if len(remarks) == 0 {
			return nil, err
		}
		return remarks, errors.Join(others...)
	}
	var remark *target.Error
	if errors.As(err, &remark) && remark.Remark != target.NoRemark {
		return []*target.Error{remark}, nil
	}
	return nil, err
}

// recordRemarks reports what an application does with an attribute, once for each attribute of a
// sync: what was reported is kept in the state. A spelling of the application's own, and a deleted
// account that it keeps, is a note, anything else an error. The values it keeps instead of those that were written are kept
// too, so that a complete compare does not take them for changes made by hand.
func (r *recorder) recordRemarks(tx *state.Tx, done *result) (*plan.Failure, error) {
	if err := r.keepShown(tx, done); err != nil {
		return nil, err
	}
	told := tx.Space(r.sync.Name, toldSpace)
	var first *plan.Failure
	for _, remark := range done.remarks {
		key := []byte(remarkKey(done.action.Kind, remark.Attribute, remark.Remark))
		if told.Has(key) {
			continue
		}
		if err := told.Put(key, plan.Encode(r.now)); err != nil {
			return nil, err
		}
		if remark.Remark == target.Spelled || remark.Remark == target.Kept {
			r.ledger.note("%s; this is not reported again", remark.Message)
			continue
		}
		failure := r.ledger.reportRemark(done.action, remark)
		if first == nil {
			first = &failure
		}
	}
	return first, nil
}

// remarkKey is the key of a remark among those that were reported.
func remarkKey(kind graphsync.Kind, attribute string, remark target.Remark) string {
	return kind.String() + "\x00" + attribute + "\x00" + string(remark)
}

// keepShown keeps, of each attribute that was written, the value that the application has instead.
func (r *recorder) keepShown(tx *state.Tx, done *result) error {
	kept := tx.Space(r.sync.Name, shownSpace)
	if done.shown == nil || done.link == nil || len(done.remarks) == 0 && kept.Count() == 0 {
		return nil
	}
	for _, attribute := range r.sync.rules(done.action.Kind).Mapping.Attributes() {
		path := attribute.Path.String()
		if _, written := done.link.Applied[path]; !written || attribute.Redact {
			continue
		}
		key := shownKey(done.link, path)
		var err error
		if value := attribute.Own(done.shown.Value(attribute.Path)); remarkedOn(done.remarks, path) && value != nil {
			err = kept.Put(key, desired.Canonical(done.link.Source, attribute, value))
		} else if changes(done.action, path) {
			err = kept.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func remarkedOn(remarks []*target.Error, path string) bool {
	for _, remark := range remarks {
		if remark.Attribute == path {
			return true
		}
	}
	return false
}

func changes(a *plan.StoredAction, path string) bool {
	for _, change := range a.Changes {
		if change.Attribute == path {
			return true
		}
	}
	return false
}

// knownShown returns the test whether an application shows of an attribute what it is known to
// have instead of what was written.
func knownShown(tx *state.Tx, sync string, link *state.Link) func(*mapping.Attribute, any) bool {
	kept := tx.Space(sync, shownSpace)
	if kept.Count() == 0 {
		return nothingShown
	}
	return func(attribute *mapping.Attribute, shown any) bool {
		known := kept.Get(shownKey(link, attribute.Path.String()))
		return known != nil && bytes.Equal(known, desired.Canonical(link.Source, attribute, shown))
	}
}

func nothingShown(*mapping.Attribute, any) bool { return false }
