package reconcile

import (
	"bytes"
	"errors"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
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

// remarkKey is the key of a remark among those that were reported.
func remarkKey(kind graphsync.Kind, attribute string, remark target.Remark) string {
	return kind.String() + "\x00" + attribute + "\x00" + string(remark)
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
