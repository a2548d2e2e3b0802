package state

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// The claims on accounts are in the registry, and what they are made for is in the tenants' files.
// Each of these files can be lost, or come from a backup or another machine, without the others. A
// generation tells: the registry advances that of a tenant with every change of its claims, in the
// same transaction, and a tenant's file takes it over when it is closed. Whatever the file does not
// have at the next start, after a crash or because a file was exchanged, has its claims compared with
// its links, see rebuilder.

// bucketGenerations holds tenant id → generation.
const bucketGenerations = "generations"

// keyClaims is in the meta bucket of a tenant's file.
var keyClaims = []byte("claims")

// A generation is how often the claims of a tenant have changed, in one line of files. The zero
// value says that none was ever made.
type generation struct {
	count uint64
	line  [16]byte // random: two files that went apart have another one each
}

func (g generation) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, g.count), g.line[:]...)
}

func decodeGeneration(rec []byte) (g generation) {
	if len(rec) == 0 {
		return g
	}
	if len(rec) != 24 {
		panic(kv.BadRecord{What: "a generation cannot be read"})
	}
	g.count = binary.BigEndian.Uint64(rec)
	copy(g.line[:], rec[8:])
	return g
}

// after is a generation that neither of two files has.
func (g generation) after(other generation) generation {
	next := generation{count: max(g.count, other.count) + 1}
	rand.Read(next.line[:]) // never fails
	return next
}

// generation is that of a tenant's claims.
func (c claims) generation(tenant graphsync.ID) generation {
	return decodeGeneration(c.kv.get(tenant[:], bucketGenerations))
}

// advance notes that claims of a tenant change in this transaction.
func (c claims) advance(tenant graphsync.ID) error {
	g := c.generation(tenant)
	if g == (generation{}) {
		rand.Read(g.line[:])
	}
	g.count++
	return c.kv.put(bytes.Clone(tenant[:]), g.encode(), bucketGenerations)
}

// stamp writes what is due to a tenant's file before that is closed: index entries of its links, and the
// generation of its claims.
func (s *Store) stamp(id graphsync.ID, f *database) error {
	if s.accounts.direct || f.broken() {
		return nil
	}
	if err := errors.Join(f.writeIndexes(), s.accounts.settleClaims(id), auditHeads{s.registry}.note(id, f)); err != nil {
		return err
	}
	var claims, known generation
	err := s.registry.view(func(tx *Tx) error { claims = claimsOf(tx).generation(id); return nil })
	if err == nil {
		err = f.view(func(tx *Tx) error { known = decodeGeneration(tx.kv.get(keyClaims, kv.Meta)); return nil })
	}
	if err != nil || claims == known || claims == (generation{}) {
		return err
	}
	return f.update(func(tx *Tx) error { return tx.kv.put(keyClaims, claims.encode(), kv.Meta) })
}
