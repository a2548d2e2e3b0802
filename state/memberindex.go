package state

import (
	"bytes"
	"encoding/binary"
	"slices"

	"entrasync/graphsync"
)

// The members of a first round of groups come by group. Kept by member at the same time, each would write another page of
// the file. So that index is written when the round is complete, in the order of its keys: the memberships are
// scanned once for each range of members that fits into memory.

const (
	indexedTogether = 500_000 // memberships of a range
	indexedAtOnce   = 50_000  // memberships of a commit
)

// IndexMembers writes the memberships by member where a first round of groups has left that open.
func (t *Tenant) IndexMembers() error { return t.indexMembers(indexedTogether) }

func (t *Tenant) indexMembers(together int) error {
	open, count := false, 0
	err := t.View(func(tx *Tx) error {
		if open = tx.Cursors().Get(graphsync.Groups).Unindexed; open {
			for range scan(tx.kv.bucket(bucketMembers), nil, nil) {
				count++
			}
		}
		return nil
	})
	if err != nil || !open {
		return err
	}
	ranges := count/together + 1
	for i := range ranges {
		pairs, err := t.membersBetween(1<<16*i/ranges, 1<<16*(i+1)/ranges, count/ranges)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(pairs, indexedAtOnce) {
			if err := t.Update(func(tx *Tx) error { return putMemberIndex(tx, chunk) }); err != nil {
				return err
			}
		}
	}
	return t.Update(func(tx *Tx) error {
		c := tx.Cursors().Get(graphsync.Groups)
		c.Unindexed = false
		return tx.Cursors().put(graphsync.Groups, c)
	})
}

// indexFewMembers writes the index in the transaction that completes the round, when there are not many memberships.
func indexFewMembers(tx *Tx, c *Cursor) error {
	var pairs []memberPair
	for k := range scan(tx.kv.bucket(bucketMembers), nil, nil) {
		if pairs = append(pairs, indexKey(k)); len(pairs) > indexedAtOnce {
			return nil
		}
	}
	sortPairs(pairs)
	c.Unindexed = false
	return putMemberIndex(tx, pairs)
}

// A memberPair is a key of the index: member, group.
type memberPair [2 * len(graphsync.ID{})]byte

// membersBetween returns the memberships of the members whose ids begin with two bytes from from to below to,
// sorted by member.
func (t *Tenant) membersBetween(from, to, about int) ([]memberPair, error) {
	pairs := make([]memberPair, 0, about+about/8)
	err := t.View(func(tx *Tx) error {
		for k := range scan(tx.kv.bucket(bucketMembers), nil, nil) {
			pair := indexKey(k)
			if begin := int(binary.BigEndian.Uint16(pair[:])); begin >= from && begin < to {
				pairs = append(pairs, pair)
			}
		}
		return nil
	})
	sortPairs(pairs)
	return pairs, err
}

// indexKey is the key of the index for a key of the members.
func indexKey(k []byte) (pair memberPair) {
	group, member := parseMemberKey(k)
	copy(pair[:], member.ID[:])
	copy(pair[len(member.ID):], group[:])
	return pair
}

func sortPairs(pairs []memberPair) {
	slices.SortFunc(pairs, func(a, b memberPair) int { return bytes.Compare(a[:], b[:]) })
}

func putMemberIndex(tx *Tx, pairs []memberPair) error {
	index := tx.kv.bucket(bucketMemberOf)
	index.Pack(0.9) // in the order of the keys
	for i := range pairs {
		if err := index.Put(pairs[i][:], []byte{}); err != nil {
			return err
		}
	}
	return nil
}
