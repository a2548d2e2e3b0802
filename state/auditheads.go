package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// The lines of a log that was replaced by an older copy of itself are all as they were written. So the registry
// notes how far the log of each tenant has come when its file is closed. A tenant's file that does not have the
// line that was noted is another one than the registry last saw: it was restored from a copy, and what is appended
// from then on is a fork. That is written into the log, and into that of the service.

// bucketAuditHeads holds tenant id → number uint64 and hash of the last line.
const bucketAuditHeads = "auditheads"

// logForked is the event of the line that says that the log does not have the line that was noted.
const logForked = "log_forked"

// auditHeads are the registry's notes of how far the logs of the tenants have come.
type auditHeads struct{ registry *database }

// An auditNote is what the registry has noted of the log of a tenant, and what there is of it.
type auditNote struct {
	seq    uint64 // 0: nothing is noted
	hash   AuditHash
	head   auditHead
	forked bool // the log does not have the line
}

// compare compares the log of a tenant's file with what is noted of it.
func (a auditHeads) compare(id graphsync.ID, f *database) (n auditNote, err error) {
	err = a.registry.view(func(tx *Tx) error {
		raw := tx.kv.get(id[:], bucketAuditHeads)
		if raw == nil {
			return nil
		}
		if len(raw) != 8+len(n.hash) {
			panic(kv.BadRecord{What: "a noted head of an audit log cannot be read"})
		}
		n.seq = binary.BigEndian.Uint64(raw)
		copy(n.hash[:], raw[8:])
		return nil
	})
	if err != nil {
		return n, err
	}
	err = f.view(func(tx *Tx) error {
		switch n.head = tx.Audit().head(); {
		case n.head.seq == n.seq:
			n.forked = n.head.hash != n.hash
		case n.head.seq < n.seq:
			n.forked = true
		case n.seq > 0: // the process that wrote the lines behind it was killed before it noted them
			known, kept := tx.Audit().HashOf(n.seq)
			n.forked = kept && known != n.hash
		}
		return nil
	})
	return n, err
}

// note notes how far the log of a tenant has come, unless it is another log than the one that was noted.
func (a auditHeads) note(id graphsync.ID, f *database) error {
	n, err := a.compare(id, f)
	if err != nil || n.forked || n.head.seq == n.seq {
		return err
	}
	return a.put(id, f)
}

func (a auditHeads) put(id graphsync.ID, f *database) error {
	var head auditHead
	if err := f.view(func(tx *Tx) error { head = tx.Audit().head(); return nil }); err != nil {
		return err
	}
	return a.registry.update(func(tx *Tx) error {
		return tx.kv.put(bytes.Clone(id[:]), append(auditKey(head.seq), head.hash[:]...), bucketAuditHeads)
	})
}

// forget forgets how far the log of a tenant had come.
func (a auditHeads) forget(id graphsync.ID) error {
	return a.registry.update(func(tx *Tx) error {
		_, err := tx.kv.delete(id[:], bucketAuditHeads)
		return err
	})
}

// check reports a log that is another one than was noted, of a tenant's file that was just opened.
func (a auditHeads) check(id graphsync.ID, f *database) error {
	n, err := a.compare(id, f)
	if err != nil || !n.forked {
		return err
	}
	entry := AuditEntry{At: time.Now(), Event: logForked, Actor: Actor{Kind: ActorService}, Tenant: id, Result: "done",
		About: fmt.Appendf(nil, `{"noted":"%d:%s","found":"%d:%s"}`, n.seq, n.hash, n.head.seq, n.head.hash)}
	if err := f.update(func(tx *Tx) error { return tx.Audit().Append(entry) }); err != nil {
		return err
	}
	if err := a.put(id, f); err != nil {
		return err
	}
	return ServiceAudit(a).Append(entry)
}
