package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// An AuditQuery chooses lines of an audit log. The zero value chooses all.
type AuditQuery struct {
	After        uint64       // lines behind the one of this number
	Since, Until time.Time    // from Since on, before Until; zero: no bound
	Object       graphsync.ID // lines that can be found by it
	Run          string       // lines of this run
}

// Lines yields the lines that a query chooses in the order of the log. Blocks that hold none of them are not
// unpacked.
func (a Audit) Lines(q AuditQuery) iter.Seq[AuditLine] {
	return func(yield func(AuditLine) bool) {
		b := a.tx.kv.bucket(bucketAudit)
		if b == nil {
			return
		}
		h := a.head()
		m := newAuditMatcher(q)
		if m.selective() {
			marks := a.tx.kv.bucket(bucketAuditMarks)
			var after []byte
			if marks != nil && q.After > 0 {
				after = marks.Floor(auditKey(q.After + 1))
			}
			for key, raw := range scan(marks, nil, after) {
				if !m.inBlock(raw) {
					continue
				}
				block := a.tx.kv.get(key, bucketAudit)
				if block == nil {
					panic(kv.BadRecord{What: "a block of the audit log is missing"})
				}
				if !m.yield(keySeq(key), block, yield) {
					return
				}
			}
		}
		from := max(q.After, h.first-1)
		var after []byte
		switch {
		case m.selective() && h.open > 0:
			after = auditKey(h.open - 1)
		case from > 0:
			after = b.Floor(auditKey(from + 1))
		}
		for key, raw := range scan(b, nil, after) {
			if !m.yield(keySeq(key), raw, yield) {
				return
			}
		}
	}
}

func keySeq(key []byte) uint64 {
	if len(key) != 8 {
		panic(kv.BadRecord{What: "a block of the audit log has no number"})
	}
	return binary.BigEndian.Uint64(key)
}

// An auditMatcher decides which blocks and lines a query chooses.
type auditMatcher struct {
	AuditQuery
	prints []uint32 // of what a line must be found by
	member []byte   // the member of the line that names the run
}

func newAuditMatcher(q AuditQuery) *auditMatcher {
	m := &auditMatcher{AuditQuery: q}
	if !q.Object.IsZero() {
		m.prints = append(m.prints, fingerprint(q.Object[:]))
	}
	if q.Run != "" {
		m.prints = append(m.prints, fingerprint([]byte("run "+q.Run)))
		m.member = appendMember(nil, "run", q.Run)
	}
	return m
}

// selective reports whether most blocks can be left out.
func (m *auditMatcher) selective() bool {
	return len(m.prints) > 0 || !m.Since.IsZero() || !m.Until.IsZero()
}

func (m *auditMatcher) inBlock(raw []byte) bool {
	marks := decodeMarks(raw)
	if !m.Since.IsZero() && marks.to.Before(m.Since) || !m.Until.IsZero() && !marks.from.Before(m.Until) {
		return false
	}
	for _, p := range m.prints {
		if !marks.has(p) {
			return false
		}
	}
	return true
}

// yield yields the lines of a block that the query chooses.
func (m *auditMatcher) yield(seq uint64, raw []byte, yield func(AuditLine) bool) bool {
	block := decodeAuditBlock(raw)
	if seq+uint64(block.count) <= m.After+1 {
		return true
	}
	prev := block.prev
	for _, stored := range block.lines() {
		line := AuditLine{Seq: seq, Prev: prev, Hash: prev.after(stored.text), text: stored.text}
		prev, seq = line.Hash, seq+1
		if m.chooses(&line) && !yield(line) {
			return false
		}
	}
	return true
}

func (m *auditMatcher) chooses(line *AuditLine) bool {
	if line.Seq <= m.After {
		return false
	}
	if !m.Since.IsZero() || !m.Until.IsZero() {
		at, ok := line.at()
		if ok && (!m.Since.IsZero() && at.Before(m.Since) || !m.Until.IsZero() && !at.Before(m.Until)) {
			return false
		}
	}
	if m.member != nil && !bytes.Contains(line.text, m.member) {
		return false
	}
	return m.Object.IsZero() || bytes.Contains(line.text, []byte(m.Object.String()))
}

// at reads the time of a line from where text puts it.
func (l *AuditLine) at() (time.Time, bool) {
	_, rest, found := bytes.Cut(l.text, []byte(`,"at":"`))
	if !found || len(rest) < len(auditTime) {
		return time.Time{}, false
	}
	at, err := time.Parse(auditTime, string(rest[:len(auditTime)]))
	return at, err == nil
}

// An AuditCheck is what verifying an audit log has found.
type AuditCheck struct {
	First, Last uint64    // numbers of the lines; Last is 0 when there is none
	Head        AuditHash // of the last line
	Faults      []AuditFault
}

// An AuditFault is a line that is not as it was written.
type AuditFault struct {
	Seq  uint64 `json:"seq"`
	What string `json:"what"`
}

// maxAuditFaults bounds how many faults are listed.
const maxAuditFaults = 20

// Verify reads the whole log and says which lines are not as they were written. It cannot tell a log that was
// replaced by an older copy of itself, whose lines are all as they were: compare its head with one that is kept
// elsewhere, see HashOf.
func (a Audit) Verify() AuditCheck {
	h := a.head()
	check := AuditCheck{First: h.first, Last: h.seq, Head: h.hash}
	next, prev, known := h.first, AuditHash{}, h.first == 1
	pruned, begin := known, AuditHash{}
	for key, raw := range scan(a.tx.kv.bucket(bucketAudit), nil, nil) {
		seq, block := keySeq(key), decodeAuditBlock(raw)
		switch {
		case seq != next:
			check.fault(next, fmt.Sprintf("lines %d to %d are missing", next, seq-1))
		case known && block.prev != prev:
			check.fault(seq, "it does not follow the line before it")
		}
		if !known {
			known, begin = true, block.prev
		}
		for _, line := range block.lines() {
			pruned = pruned || prunedThrough(line.text, h.first-1, begin)
		}
		prev = check.lines(seq, &block)
		next = seq + uint64(block.count)
	}
	if !pruned {
		check.fault(1, fmt.Sprintf("lines 1 to %d are missing, and no line says that they were pruned", h.first-1))
	}
	switch {
	case next <= h.seq:
		check.fault(next, fmt.Sprintf("lines %d to %d are missing", next, h.seq))
	case next != h.seq+1:
		check.fault(h.seq+1, "there are lines behind the end of the log")
	case h.seq > 0 && prev != h.hash:
		check.fault(h.seq, "it is not the line that the log ends with")
	}
	return check
}

// prunedThrough reports whether a line says that the log was pruned up to a line of this number and hash.
func prunedThrough(text []byte, seq uint64, hash AuditHash) bool {
	return bytes.Contains(text, []byte(`"event":"`+logPruned+`"`)) && bytes.HasSuffix(text, append([]byte(","), throughMembers(seq, hash)...))
}

// throughMembers are the members, and the end, of a line about pruning.
func throughMembers(seq uint64, hash AuditHash) []byte {
	return fmt.Appendf(nil, `"through":%d,"through_hash":"%s"}`, seq, hash)
}

// lines verifies the lines of a block and returns the hash of the last.
func (c *AuditCheck) lines(seq uint64, block *auditBlock) AuditHash {
	prev, sound := block.prev, true
	for i, line := range block.lines() {
		prev = prev.after(line.text)
		if sound && !bytes.Equal(prev[:auditMarkSize], block.marks[i*auditMarkSize:(i+1)*auditMarkSize]) {
			c.fault(seq+uint64(i), "it is not as it was written")
			sound = false // the hashes of those behind it follow from it
		}
		if sound && !bytes.HasPrefix(line.text, fmt.Appendf(nil, `{"seq":%d,`, seq+uint64(i))) {
			c.fault(seq+uint64(i), "it has another number")
		}
	}
	return prev
}

func (c *AuditCheck) fault(seq uint64, what string) {
	if len(c.Faults) < maxAuditFaults {
		c.Faults = append(c.Faults, AuditFault{seq, what})
	}
}

// HashOf returns the hash of a line, and whether the line is kept.
func (a Audit) HashOf(seq uint64) (AuditHash, bool) {
	if seq == 0 {
		return AuditHash{}, false
	}
	for line := range a.Lines(AuditQuery{After: seq - 1}) {
		return line.Hash, line.Seq == seq
	}
	return AuditHash{}, false
}
