package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	kv       *buckets
	db       *database
	counters map[string]uint64 // changed so far, written before the commit
	dict     *names
	dictOwn  bool // dict was copied to be extended
	hints    *linkHints
}

// Number orders the commits to a tenant's state: that of a writer is what readers see after its commit, until the next one.
func (tx *Tx) Number() uint64 { return tx.kv.tx.Number() }

// names is the file's dictionary: records hold an attribute's index instead of its name. Two
// spellings that differ by case are one attribute.
type names struct {
	list  []string
	index map[string]uint32 // by the name as first met, and by its lower-case form
}

// find returns the index of an attribute in any spelling.
func (d *names) find(attribute string) (uint32, bool) {
	if i, ok := d.index[attribute]; ok {
		return i, true
	}
	i, ok := d.index[strings.ToLower(attribute)]
	return i, ok
}

// add enters an attribute under the next index.
func (d *names) add(attribute string) {
	i := uint32(len(d.list))
	d.list = append(d.list, attribute)
	d.index[attribute] = i
	if lower := strings.ToLower(attribute); lower != attribute {
		d.index[lower] = i
	}
}

// count reads a counter.
func (tx *Tx) count(key string) uint64 {
	if n, ok := tx.counters[key]; ok {
		return n
	}
	if v := tx.kv.get([]byte(key), bucketCounts); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// bump adds to a counter. The sums are written once, at the end of the transaction.
func (tx *Tx) bump(key string, delta int) {
	if delta == 0 {
		return
	}
	if tx.counters == nil {
		tx.counters = map[string]uint64{}
	}
	tx.counters[key] = tx.count(key) + uint64(delta)
}

func (tx *Tx) flush() error {
	for _, key := range slices.Sorted(maps.Keys(tx.counters)) {
		n, err := tx.counters[key], error(nil)
		if n == 0 {
			_, err = tx.kv.delete([]byte(key), bucketCounts)
		} else {
			err = tx.kv.put([]byte(key), binary.BigEndian.AppendUint64(nil, n), bucketCounts)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// names returns the dictionary as far as this transaction needs it. The file's shared copy
// may lag behind a commit that is just ending; it is never ahead of what can be read.
func (tx *Tx) names() *names {
	if tx.dict != nil {
		return tx.dict
	}
	b := tx.kv.bucket(bucketNames)
	stored := 0
	for last := range backward(b) {
		stored = int(parseUint32(last)) + 1
		break
	}
	d := tx.db.names.Load()
	if d == nil || len(d.list) < stored {
		d = &names{index: make(map[string]uint32, 2*stored)}
		for _, name := range scan(b, nil, nil) {
			d.add(string(name))
		}
		tx.db.names.Store(d)
	}
	tx.dict = d
	return d
}

// name returns an attribute's index, entering it into the dictionary when it is new.
func (tx *Tx) name(attribute string) (uint32, error) {
	d := tx.names()
	if i, ok := d.find(attribute); ok {
		return i, nil
	}
	if attribute == "" {
		return 0, fmt.Errorf("store attribute: it has no name")
	}
	if !tx.dictOwn {
		d = &names{list: slices.Clone(d.list), index: maps.Clone(d.index)}
		tx.dict, tx.dictOwn = d, true
	}
	i := uint32(len(d.list))
	if err := tx.kv.put(binary.BigEndian.AppendUint32(nil, i), []byte(attribute), bucketNames); err != nil {
		return 0, err
	}
	d.add(attribute)
	return i, nil
}

func (d *names) name(i uint64) string {
	if i >= uint64(len(d.list)) {
		panic(kv.BadRecord{What: fmt.Sprintf("a record names attribute %d of %d", i, len(d.list))})
	}
	return d.list[i]
}

// fromJSON decodes a record that putJSON stored.
func fromJSON[T any](what string, text []byte) T {
	var record T
	if err := json.Unmarshal(text, &record); err != nil {
		panic(kv.BadRecord{What: fmt.Sprintf("%s: %v", what, err)})
	}
	return record
}
