package state

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"entrasync/state/kv"
)

// names is the file's dictionary: records hold an attribute's index instead of its name. Two
// spellings that differ by case are one attribute.
type names struct {
	list  []string
	index map[string]uint32 // by the name as first met, and by its lower-case form

	checked atomic.Uint64 // number of the last commit of which these are all names, plus one; 0: not known
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

func (d *names) name(i uint64) string {
	if i >= uint64(len(d.list)) {
		panic(kv.BadRecord{What: fmt.Sprintf("a record names attribute %d of %d", i, len(d.list))})
	}
	return d.list[i]
}

// A dictionary is the file's dictionary as a transaction sees and extends it.
type dictionary struct {
	kv     *buckets
	shared *atomic.Pointer[names] // of the file
	list   *names                 // nil: not needed so far
	own    bool                   // list was copied to be extended
	reads  bool                   // the transaction writes nothing
}

// names returns the dictionary as far as this transaction needs it. The file's shared copy
// may lag behind a commit that is just ending; it is never ahead of what can be read.
func (d *dictionary) names() *names {
	if d.list != nil {
		return d.list
	}
	if list := d.shared.Load(); list != nil && d.reads && list.checked.Load() == d.kv.tx.Number()+1 {
		d.list = list
		return list
	}
	b := d.kv.bucket(bucketNames)
	stored := 0
	for last := range backward(b) {
		stored = int(parseUint32(last)) + 1
		break
	}
	list := d.shared.Load()
	if list == nil || len(list.list) < stored {
		list = &names{index: make(map[string]uint32, 2*stored)}
		for _, name := range scan(b, nil, nil) {
			list.add(string(name))
		}
		d.shared.Store(list)
	}
	if d.reads && len(list.list) == stored {
		list.checked.Store(d.kv.tx.Number() + 1)
	}
	d.list = list
	return list
}

// index returns an attribute's index, entering it into the dictionary when it is new.
func (d *dictionary) index(attribute string) (uint32, error) {
	list := d.names()
	if i, ok := list.find(attribute); ok {
		return i, nil
	}
	if attribute == "" {
		return 0, fmt.Errorf("store attribute: it has no name")
	}
	if !d.own {
		list = &names{list: slices.Clone(list.list), index: maps.Clone(list.index)}
		d.list, d.own = list, true
	}
	i := uint32(len(list.list))
	if err := d.kv.put(binary.BigEndian.AppendUint32(nil, i), []byte(attribute), bucketNames); err != nil {
		return 0, err
	}
	list.add(attribute)
	return i, nil
}
