package state

import (
	"encoding/binary"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

func parseID(b []byte) (id graphsync.ID) {
	if len(b) != len(id) {
		panic(kv.BadRecord{What: fmt.Sprintf("an id has %d bytes", len(b))})
	}
	return graphsync.ID(b)
}

func parseUint32(b []byte) uint32 {
	if len(b) != 4 {
		panic(kv.BadRecord{What: fmt.Sprintf("a number has %d bytes", len(b))})
	}
	return binary.BigEndian.Uint32(b)
}

// An encoder writes the fields of a record one behind the other.
type encoder struct{ buf []byte }

func (e *encoder) uvarint(n uint64) { e.buf = binary.AppendUvarint(e.buf, n) }

func (e *encoder) text(s string) {
	e.uvarint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// time keeps nanoseconds in UTC; the zero time stays the zero time.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.buf = binary.AppendVarint(e.buf, 0)
		return
	}
	e.buf = binary.AppendVarint(e.buf, t.UnixNano())
}

// A decoder reads what an encoder wrote. After a fault every read is zero and bad is set.
type decoder struct {
	buf []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.buf)
	if size <= 0 {
		d.buf, d.bad = nil, true
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.buf)) {
		d.buf, d.bad = nil, true
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) text() string { return string(d.bytes(d.uvarint())) }

func (d *decoder) time() time.Time {
	n, size := binary.Varint(d.buf)
	if size <= 0 {
		d.buf, d.bad = nil, true
		return time.Time{}
	}
	d.buf = d.buf[size:]
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
