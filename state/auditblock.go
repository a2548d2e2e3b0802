package state

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"
	"time"

	"entrasync/state/kv"
)

// The lines of the audit log lie in blocks. A commit of few lines makes an open block, which holds them as they
// are. When there are enough of them they are packed: compressed together they take a tenth of the room. Each
// block has the hash of the line before it, so that the log can be verified from any block on, and of each of its
// lines the first bytes of the hash, which tell which line is not as it was written.
const (
	auditPacked     = 1 // the first byte of a block: its lines are compressed
	auditOpen       = 2
	auditBlockLines = 256     // bounds what reading one line decompresses
	auditBlockBytes = 1 << 20 // of lines
	auditMarkSize   = 8       // of the hash of a line
)

// An auditStored is a line as it lies in a block.
type auditStored struct {
	text   []byte
	hash   AuditHash // of it the first auditMarkSize bytes are stored
	at     int64     // Unix milliseconds
	prints []uint32  // fingerprints of what the line can be found by
}

func newAuditStored(e *AuditEntry, seq uint64, prev AuditHash, log string) auditStored {
	line := auditStored{text: e.text(seq, log), at: e.At.UnixMilli()}
	line.hash = prev.after(line.text)
	for _, id := range e.Objects {
		line.prints = append(line.prints, fingerprint(id[:]))
	}
	if e.Run != "" {
		line.prints = append(line.prints, fingerprint([]byte("run "+e.Run)))
	}
	return line
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fingerprint is what a block is found by: two keys of one fingerprint cost reading a block in vain.
func fingerprint(key []byte) uint32 { return crc32.Checksum(key, castagnoli) }

// store puts lines behind those of the log. prev is the hash before the first of them; the head has the last.
func (a Audit) store(h *auditHead, prev AuditHash, lines []auditStored) error {
	firstSeq := h.seq - uint64(len(lines)) + 1
	if h.seq-h.open+1 >= auditBlockLines {
		before, opened, err := a.takeOpen(h)
		if err != nil {
			return err
		}
		if len(opened) > 0 {
			prev, firstSeq = before, h.open
			lines = append(opened, lines...)
		}
		for len(lines) >= auditBlockLines {
			n := blockLength(lines)
			if err := a.putPacked(h, firstSeq, prev, lines[:n]); err != nil {
				return err
			}
			prev, firstSeq, lines = lines[n-1].hash, firstSeq+uint64(n), lines[n:]
		}
		h.open = firstSeq
	}
	if len(lines) == 0 {
		return nil
	}
	return a.putBlock(h, firstSeq, encodeOpen(prev, lines))
}

// blockLength is how many of the lines make the next block.
func blockLength(lines []auditStored) int {
	size := 0
	for i := range lines[:min(len(lines), auditBlockLines)] {
		if size += len(lines[i].text); size > auditBlockBytes {
			return max(i, 1)
		}
	}
	return min(len(lines), auditBlockLines)
}

// takeOpen takes the open blocks out of the log and returns their lines with the hash before them.
func (a Audit) takeOpen(h *auditHead) (prev AuditHash, lines []auditStored, err error) {
	b := a.tx.kv.bucket(bucketAudit)
	if b == nil {
		return prev, nil, nil
	}
	var keys [][]byte
	for key, raw := range scan(b, nil, before(auditKey(h.open))) {
		block := decodeAuditBlock(raw)
		if len(keys) == 0 {
			prev = block.prev
		}
		keys = append(keys, bytes.Clone(key))
		h.bytes -= uint64(len(raw))
		hash := block.prev
		for _, line := range block.lines() {
			line.text = bytes.Clone(line.text)
			hash = hash.after(line.text)
			line.hash = hash
			lines = append(lines, line)
		}
	}
	for _, key := range keys {
		if err := b.Delete(key); err != nil {
			return prev, nil, err
		}
	}
	return prev, lines, nil
}

// before is what to scan after to begin with a key.
func before(key []byte) []byte {
	n := binary.BigEndian.Uint64(key)
	if n == 0 {
		return nil
	}
	return auditKey(n - 1)
}

func auditKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func (a Audit) putBlock(h *auditHead, seq uint64, raw []byte) error {
	h.bytes += uint64(len(raw))
	return a.tx.kv.append(auditKey(seq), raw, bucketAudit)
}

func (a Audit) putPacked(h *auditHead, seq uint64, prev AuditHash, lines []auditStored) error {
	raw, err := encodePacked(prev, lines)
	if err != nil {
		return err
	}
	if err := a.putBlock(h, seq, raw); err != nil {
		return err
	}
	marks := encodeMarks(lines)
	h.bytes += uint64(len(marks))
	return a.tx.kv.append(auditKey(seq), marks, bucketAuditMarks)
}

// beginBlock is what both kinds of blocks begin with.
func beginBlock(kind byte, prev AuditHash, lines []auditStored) []byte {
	raw := binary.AppendUvarint([]byte{kind}, uint64(len(lines)))
	raw = append(raw, prev[:]...)
	for i := range lines {
		raw = append(raw, lines[i].hash[:auditMarkSize]...)
	}
	return raw
}

func encodeOpen(prev AuditHash, lines []auditStored) []byte {
	e := encoder{buf: beginBlock(auditOpen, prev, lines)}
	for i := range lines {
		e.uvarint(uint64(len(lines[i].prints)))
		for _, p := range lines[i].prints {
			e.buf = binary.BigEndian.AppendUint32(e.buf, p)
		}
		e.buf = binary.AppendVarint(e.buf, lines[i].at)
		e.uvarint(uint64(len(lines[i].text)))
		e.buf = append(e.buf, lines[i].text...)
	}
	return e.buf
}

// packers compress blocks. One takes more memory than a block.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(io.Discard, flate.BestSpeed) // fails for unknown levels only
	return w
}}

func encodePacked(prev AuditHash, lines []auditStored) ([]byte, error) {
	packed := bytes.NewBuffer(beginBlock(auditPacked, prev, lines))
	packer := packers.Get().(*flate.Writer)
	defer packers.Put(packer)
	packer.Reset(packed)
	for i := range lines {
		var size [binary.MaxVarintLen64]byte
		if _, err := packer.Write(size[:binary.PutUvarint(size[:], uint64(len(lines[i].text)))]); err != nil {
			return nil, err
		}
		if _, err := packer.Write(lines[i].text); err != nil {
			return nil, err
		}
	}
	err := packer.Close()
	return packed.Bytes(), err
}

// encodeMarks says what a packed block holds without its being unpacked: the times between which its lines are
// and the fingerprints of what they can be found by, sorted.
func encodeMarks(lines []auditStored) []byte {
	var prints []uint32
	from, to := lines[0].at, lines[0].at
	for i := range lines {
		from, to = min(from, lines[i].at), max(to, lines[i].at)
		prints = append(prints, lines[i].prints...)
	}
	slices.Sort(prints)
	raw := binary.AppendVarint(binary.AppendVarint(nil, from), to)
	for _, p := range slices.Compact(prints) {
		raw = binary.BigEndian.AppendUint32(raw, p)
	}
	return raw
}

// An auditMarks is what encodeMarks wrote.
type auditMarks struct {
	from, to time.Time
	prints   []byte
}

func decodeMarks(raw []byte) auditMarks {
	from, n := binary.Varint(raw)
	to, m := int64(0), 0
	if n > 0 {
		to, m = binary.Varint(raw[n:])
	}
	if n <= 0 || m <= 0 || (len(raw)-n-m)%4 != 0 {
		panic(kv.BadRecord{What: "the marks of the audit log cannot be read"})
	}
	return auditMarks{time.UnixMilli(from), time.UnixMilli(to), raw[n+m:]}
}

// has reports whether a fingerprint is among those of the block.
func (m *auditMarks) has(print uint32) bool {
	low, high := 0, len(m.prints)/4
	for low < high {
		mid := (low + high) / 2
		switch at := binary.BigEndian.Uint32(m.prints[4*mid:]); {
		case at == print:
			return true
		case at < print:
			low = mid + 1
		default:
			high = mid
		}
	}
	return false
}

// An auditBlock is a decoded block. Its lines are read when they are asked for.
type auditBlock struct {
	kind  byte
	count int
	prev  AuditHash
	marks []byte // auditMarkSize of each line
	rest  []byte
}

func decodeAuditBlock(raw []byte) (b auditBlock) {
	d := decoder{buf: raw}
	if kind := d.bytes(1); !d.bad {
		b.kind = kind[0]
	}
	n := d.uvarint()
	copy(b.prev[:], d.bytes(uint64(len(b.prev))))
	b.marks = d.bytes(n * auditMarkSize)
	b.count, b.rest = int(n), d.buf
	if d.bad || n == 0 || n > uint64(len(raw)) || b.kind != auditPacked && b.kind != auditOpen {
		panic(kv.BadRecord{What: "a block of the audit log cannot be read"})
	}
	return b
}

// lines reads the lines of a block, without their hashes. Those of an open block are the file's own bytes.
func (b *auditBlock) lines() []auditStored {
	d := decoder{buf: b.rest}
	if b.kind == auditPacked {
		text, err := io.ReadAll(flate.NewReader(bytes.NewReader(b.rest)))
		if err != nil {
			panic(kv.BadRecord{What: fmt.Sprintf("a block of the audit log cannot be read: %v", err)})
		}
		d.buf = text
	}
	lines := make([]auditStored, b.count)
	for i := range lines {
		if b.kind == auditOpen {
			for range d.uvarint() {
				raw := d.bytes(4)
				if d.bad {
					break
				}
				lines[i].prints = append(lines[i].prints, binary.BigEndian.Uint32(raw))
			}
			at, n := binary.Varint(d.buf)
			d.bytes(uint64(max(n, 0)))
			lines[i].at = at
		}
		lines[i].text = d.bytes(d.uvarint())
		if d.bad || len(lines[i].text) == 0 {
			panic(kv.BadRecord{What: "a line of the audit log cannot be read"})
		}
	}
	if len(d.buf) > 0 {
		panic(kv.BadRecord{What: "a block of the audit log has more than its lines"})
	}
	return lines
}
