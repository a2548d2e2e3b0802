package state

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// counters are the numbers that a database keeps so that nothing has to be counted, as a transaction sees them.
type counters struct {
	kv      *buckets
	changed map[string]uint64 // so far, written before the commit
}

// get reads a counter.
func (c *counters) get(key string) uint64 {
	if n, ok := c.changed[key]; ok {
		return n
	}
	if v := c.kv.get([]byte(key), bucketCounts); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// add adds to a counter. The sums are written once, at the end of the transaction.
func (c *counters) add(key string, delta int) {
	if delta == 0 {
		return
	}
	if c.changed == nil {
		c.changed = map[string]uint64{}
	}
	c.changed[key] = c.get(key) + uint64(delta)
}

// reset sets all counters to zero whose keys begin with prefix.
func (c *counters) reset(prefix string) {
	var stale []string
	for k := range scan(c.kv.bucket(bucketCounts), []byte(prefix), nil) {
		stale = append(stale, string(k))
	}
	for key := range c.changed {
		if strings.HasPrefix(key, prefix) {
			stale = append(stale, key)
		}
	}
	for _, key := range stale {
		c.add(key, -int(c.get(key)))
	}
}

// write stores what was changed.
func (c *counters) write() error {
	for _, key := range slices.Sorted(maps.Keys(c.changed)) {
		n, err := c.changed[key], error(nil)
		if n == 0 {
			_, err = c.kv.delete([]byte(key), bucketCounts)
		} else {
			err = c.kv.put([]byte(key), binary.BigEndian.AppendUint64(nil, n), bucketCounts)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
