package state

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

	"entrasync/state/kv"
)

// The lines of a run lie in its bucket by the number of the first line of each record. A record is one line,
// or a block of lines, which are much alike and so a tenth of their size when they are compressed together.

const (
	lineBlock     = 0       // the first byte of a block; a line is JSON and begins with another
	linesPerBlock = 256     // bounds what reading one line decompresses
	smallestBlock = 4 << 10 // bytes of lines; fewer are stored as they are
)

// AppendLine adds a line to a run's record. It may come before the run is put.
func (t Runs) AppendLine(runID string, line []byte) error {
	return t.AppendLines(runID, [][]byte{line})
}

// AppendLines adds lines to a run's record, of which none is empty or begins with a NUL. Many at once take
// much less room than one by one.
func (t Runs) AppendLines(runID string, lines [][]byte) error {
	if len(lines) == 0 {
		return nil
	}
	b, err := t.tx.kv.createBucket(bucketSyncs, t.sync, inLines, runID)
	if err != nil {
		return err
	}
	b.Pack(1) // only ever appended to
	var packer *flate.Writer
	for len(lines) > 0 {
		block := lines[:min(len(lines), linesPerBlock)]
		lines = lines[len(block):]
		var text []byte
		for _, line := range block {
			text = append(binary.AppendUvarint(text, uint64(len(line))), line...)
		}
		if len(text) < smallestBlock {
			for _, line := range block {
				if err := putLines(b, 1, line); err != nil {
					return err
				}
			}
			continue
		}
		packed := bytes.NewBuffer([]byte{lineBlock})
		if packer == nil {
			packer, _ = flate.NewWriter(packed, flate.BestSpeed) // fails for unknown levels only
		} else {
			packer.Reset(packed)
		}
		_, err := packer.Write(text)
		if err == nil {
			err = packer.Close()
		}
		if err == nil {
			err = putLines(b, len(block), packed.Bytes())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putLines stores a record of n lines behind the last one. The bucket's sequence is the number of the last line.
func putLines(b kv.Bucket, n int, record []byte) error {
	last := b.Sequence()
	if err := b.SetSequence(last + uint64(n)); err != nil {
		return err
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, last+1), record)
}

// Lines yields a run's lines in the order they were added.
func (t Runs) Lines(runID string) iter.Seq[[]byte] { return t.LinesAfter(runID, 0) }

// LinesAfter yields the lines behind the first n, which costs no reading of those but for the block that the
// first one yielded is in.
func (t Runs) LinesAfter(runID string, n int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := t.tx.kv.bucket(bucketSyncs, t.sync, inLines, runID)
		if b == nil {
			return
		}
		wanted := uint64(max(n, 0)) + 1
		from := b.Floor(binary.BigEndian.AppendUint64(nil, wanted))
		for key, record := range scan(b, nil, from) {
			if len(key) != 8 {
				panic(kv.BadRecord{What: "a run has a line without a number"})
			}
			number := binary.BigEndian.Uint64(key)
			for line := range linesOf(record) {
				if number >= wanted && !yield(line) {
					return
				}
				number++
			}
		}
	}
}

// linesOf yields the lines of a record.
func linesOf(record []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(record) == 0 || record[0] != lineBlock {
			yield(record)
			return
		}
		text, err := io.ReadAll(flate.NewReader(bytes.NewReader(record[1:])))
		if err != nil {
			panic(kv.BadRecord{What: fmt.Sprintf("the lines of a run cannot be read: %v", err)})
		}
		for d := (decoder{buf: text}); len(d.buf) > 0; {
			line := d.bytes(d.uvarint())
			if d.bad {
				panic(kv.BadRecord{What: "the lines of a run cannot be read"})
			}
			if !yield(line) {
				return
			}
		}
	}
}

// CountLines returns how many lines a run has.
func (t Runs) CountLines(runID string) int {
	b := t.tx.kv.bucket(bucketSyncs, t.sync, inLines, runID)
	if b == nil {
		return 0
	}
	return int(b.Sequence())
}
