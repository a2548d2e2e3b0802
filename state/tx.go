package state

import (
	"encoding/json"
	"fmt"

	"entrasync/state/kv"
)

// The buckets of a tenant's file. Nested ones are named where they are used.
const (
	bucketNames        = "names"        // index uint32 → attribute name
	bucketCounts       = "counts"       // counter → uint64
	bucketCursors      = "cursors"      // stream → Cursor as JSON
	bucketObjects      = "objects"      // kind, id → record
	bucketMembers      = "members"      // group, kind, member → round uint32
	bucketMemberOf     = "memberof"     // member, group → nothing
	bucketApps         = "apps"         // app id → App as JSON
	bucketAssignments  = "assignments"  // app id/ → see AssignmentRound
	bucketSyncs        = "syncs"        // sync/ → what belongs to one sync
	bucketDoubts       = "doubts"       // kind, id → reason; see Doubt
	bucketOrganization = "organization" // one key → Organization as JSON
	bucketListing      = "listing"      // prefix → Part as JSON; see Cursors.BeginListing
	bucketOpenMembers  = "openmembers"  // group, member → nothing; see Members.PlaceOpen
)

// A Tx is a transaction on one tenant's state. It must not be used after the function it was
// given to has returned, nor by several goroutines.
type Tx struct {
	kv         *buckets
	db         *database
	counts     counters
	attributes dictionary
	hints      *linkHints
}

// Number orders the commits to a tenant's state: that of a writer is what readers see after its commit, until the next one.
func (tx *Tx) Number() uint64 { return tx.kv.tx.Number() }

// fromJSON decodes a record that putJSON stored.
func fromJSON[T any](what string, text []byte) T {
	var record T
	if err := json.Unmarshal(text, &record); err != nil {
		panic(kv.BadRecord{What: fmt.Sprintf("%s: %v", what, err)})
	}
	return record
}
