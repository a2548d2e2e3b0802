package reconcile

import (
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

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
