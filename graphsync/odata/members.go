package odata

import (
	"entrasync/graphsync"

	"github.com/go-json-experiment/json/jsontext"
)

// DecodeMembers reads a page of a group's members that are users or groups, or may be. Entries that
// cannot be understood are returned in skipped.
func DecodeMembers(group graphsync.ID, body []byte) (page []graphsync.MemberChange, skipped []graphsync.BadRecord, l List, err error) {
	l, err = DecodeList(body, func(dec *jsontext.Decoder) error {
		m, other, bad, err := ReadMember(dec)
		switch {
		case err != nil:
			return err
		case bad == nil && m.Removed:
			bad = &graphsync.BadRecord{ID: m.ID.String(), Reason: "it is removed, in a list of members"}
			fallthrough
		case bad != nil:
			bad.Object = group
			skipped = append(skipped, *bad)
		case !other:
			page = append(page, m)
		}
		return nil
	})
	return page, skipped, l, err
}
