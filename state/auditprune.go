package state

import (
	"bytes"
	"time"

	"entrasync/state/kv"
)

// logPruned is the event of a line about pruning.
const logPruned = "log_pruned"

// pruneMost bounds how many blocks one transaction deletes.
const pruneMost = 256

// prunable reports whether there is a block that Prune would delete.
func (a Audit) prunable(before time.Time, bytesKept uint64) bool {
	for _, raw := range scan(a.tx.kv.bucket(bucketAuditMarks), nil, nil) {
		marks := decodeMarks(raw)
		return bytesKept > 0 && a.head().bytes > bytesKept || marks.to.Before(before)
	}
	return false
}

// Prune deletes packed blocks from the beginning of the log: those whose lines are all older than before, and as
// many as make it no larger than bytes; 0 sets no bound. A line says up to which line the log was pruned, and
// with which hash, so that lines which are missing for another reason can be told from these. It reports whether
// there is more to prune.
func (a Audit) Prune(now, before time.Time, bytesKept uint64, entry AuditEntry) (more bool, err error) {
	h := a.head()
	var keys [][]byte
	size, pruned := h.bytes, uint64(0)
	var end auditBlock
	for key, raw := range scan(a.tx.kv.bucket(bucketAuditMarks), nil, nil) {
		marks := decodeMarks(raw)
		if !(bytesKept > 0 && size > bytesKept) && !marks.to.Before(before) {
			break
		}
		if len(keys) == pruneMost {
			more = true
			break
		}
		stored := a.tx.kv.get(key, bucketAudit)
		if stored == nil {
			panic(kv.BadRecord{What: "a block of the audit log is missing"})
		}
		keys = append(keys, bytes.Clone(key))
		size -= uint64(len(raw) + len(stored))
		end = decodeAuditBlock(stored)
		pruned = keySeq(key) + uint64(end.count) - 1
	}
	if len(keys) == 0 {
		return false, nil
	}
	hash := end.prev
	for _, line := range end.lines() {
		hash = hash.after(line.text)
	}
	for _, key := range keys {
		for _, bucket := range []string{bucketAudit, bucketAuditMarks} {
			if _, err := a.tx.kv.delete(key, bucket); err != nil {
				return false, err
			}
		}
	}
	h.bytes, h.first = size, pruned+1
	if err := a.putHead(h); err != nil {
		return false, err
	}
	entry.At, entry.Event = now, logPruned
	entry.About = append([]byte("{"), throughMembers(pruned, hash)...)
	return more, a.Append(entry)
}
