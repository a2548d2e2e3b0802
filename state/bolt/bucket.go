package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"

	"go.etcd.io/bbolt"

	"entrasync/state/kv"
)

// checksumSize is the length of the CRC-32C that ends each stored value. It covers the path of the
// bucket, the key and the value, so that neither a changed bit nor a value that has come under
// another key is read as state. bbolt has checksums for its two meta pages only.
const checksumSize = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A bucket is a bucket of the file whose values carry checksums. A wrong one is a badRecord, and so
// is a neighbour out of order: without it, a damaged key could hide the records behind it, and an
// account that is not found is a decision.
type bucket struct {
	b     *bbolt.Bucket
	tx    *tx
	path  string // names, with NUL between them
	seed  uint32 // checksum of path
	plain bool   // the file is older than checksums
}

func seedOf(path string) uint32 { return crc32.Checksum([]byte(path), castagnoli) }

// fill is how full pages are left that are written in the order of their keys. bbolt leaves half of each free by
// default, for keys that come in between.
const fill = 0.9

// Pack has the bucket fill the pages that it writes in this transaction.
func (b *bucket) Pack(fill float64) { b.b.FillPercent = fill }

// checksum covers the key's length, too: a key that took a byte from its value is another key.
func checksum(seed uint32, key, value []byte) uint32 {
	return crc32.Update(crc32.Update(seed^uint32(len(key)), castagnoli, key), castagnoli, value)
}

// Get returns the value of a key, nil when there is none.
func (b *bucket) Get(key []byte) []byte {
	if b.plain {
		return b.b.Get(key)
	}
	c := b.b.Cursor()
	k, stored := c.Seek(key)
	if bytes.Equal(k, key) && k != nil {
		return b.verified(k, stored)
	}
	b.verifyGap(c, key, k, stored)
	return nil
}

// verifyGap verifies that a key is not there, with a cursor that looked for it and came to the entry
// next. The entries on both sides are intact, and two on each side are in order: one that is out of
// order has misled the search.
func (b *bucket) verifyGap(c *bbolt.Cursor, key, next, stored []byte) {
	if next != nil {
		b.verified(next, stored)
		b.inOrder(key, next)
		if after, _ := c.Next(); after != nil {
			b.inOrder(next, after)
			c.Prev()
		}
	}
	before, stored := c.Prev()
	if before == nil {
		return
	}
	b.verified(before, stored)
	b.inOrder(before, key)
	if first, _ := c.Prev(); first != nil {
		b.inOrder(first, before)
	}
}

func (b *bucket) inOrder(before, after []byte) {
	if bytes.Compare(before, after) >= 0 {
		b.damaged(after, "is out of order")
	}
}

// verified returns a stored value without its checksum.
func (b *bucket) verified(key, stored []byte) []byte {
	if b.plain || b.path == kv.Meta && slices.Contains(headerKeys, string(key)) {
		return stored
	}
	n := len(stored) - checksumSize
	if n < 0 || binary.BigEndian.Uint32(stored[n:]) != checksum(b.seed, key, stored[:n]) {
		b.damaged(key, "does not have its checksum")
	}
	return stored[:n:n]
}

func (b *bucket) damaged(key []byte, what string) {
	panic(kv.BadRecord{What: fmt.Sprintf("the record %.40x of %s %s", key, kv.Readable(b.path), what)})
}

// Put stores a value, which must not be changed until the transaction ends.
func (b *bucket) Put(key, value []byte) error {
	if b.plain {
		return b.b.Put(key, value)
	}
	sum := checksum(b.seed, key, value)
	value = b.tx.arena.Extend(value, checksumSize)
	binary.BigEndian.PutUint32(value[len(value)-checksumSize:], sum)
	return b.b.Put(key, value)
}

// Append stores a value. Pages are filled when its key is behind all others: what comes in the order of the keys
// leaves no room that others need.
func (b *bucket) Append(key, value []byte) error {
	if last, _ := b.last(b.b.Cursor()); bytes.Compare(last, key) < 0 {
		b.b.FillPercent = fill
	}
	return b.Put(key, value)
}

// last moves a cursor to the last entry. bbolt's own Last does not end in a bucket of several pages of which this
// transaction has deleted all entries.
func (b *bucket) last(c *bbolt.Cursor) (key, value []byte) {
	if first, _ := c.First(); first == nil {
		return nil, nil
	}
	return c.Last()
}

// Delete removes a key; none is fine.
func (b *bucket) Delete(key []byte) error { return b.b.Delete(key) }

// Sequence is the bucket's own counter.
func (b *bucket) Sequence() uint64 { return b.b.Sequence() }

// SetSequence sets the counter.
func (b *bucket) SetSequence(n uint64) error { return b.b.SetSequence(n) }

// Warm does nothing: the file is in memory as far as it is used.
func (b *bucket) Warm(iter.Seq[[]byte]) {}

// Scan yields the entries whose key begins with prefix and is greater than after, in order.
func (b *bucket) Scan(prefix, after []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := b.b.Cursor()
		from := prefix
		if bytes.Compare(after, from) > 0 {
			from = after
		}
		k, v := c.Seek(from)
		if !b.plain && len(from) > 0 && !bytes.Equal(k, from) {
			at := b.b.Cursor()
			at.Seek(from)
			b.verifyGap(at, from, k, v)
		}
		if k != nil && after != nil && bytes.Equal(k, after) {
			k, v = c.Next()
		}
		var last []byte
		for ; k != nil; k, v = c.Next() {
			value := b.verified(k, v)
			if !b.plain && last != nil {
				b.inOrder(last, k)
			}
			if !bytes.HasPrefix(k, prefix) || !yield(k, value) {
				return
			}
			last = k
		}
	}
}

// Floor returns what to scan after to begin with the greatest key that is not behind the one given; nil begins
// with the first.
func (b *bucket) Floor(key []byte) (before []byte) {
	c := b.b.Cursor()
	k, v := c.Seek(key)
	if !bytes.Equal(k, key) || k == nil {
		if !b.plain {
			at := b.b.Cursor()
			at.Seek(key)
			b.verifyGap(at, key, k, v)
		}
		k, _ = c.Prev()
	}
	if k == nil {
		return nil
	}
	before, _ = c.Prev()
	return before
}

// Backward yields all entries, the greatest key first.
func (b *bucket) Backward() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := b.b.Cursor()
		for k, v := b.last(c); k != nil && yield(k, b.verified(k, v)); k, v = c.Prev() {
		}
	}
}
