package file

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"os"
	"slices"
	"sort"

	"entrasync/state/osfile"
	"entrasync/target"
)

const (
	runFanOut   = 16  // runs of one level before they become one of the next
	recordSize  = 16  // bytes of a record in a run
	fenceStride = 256 // records between two keys of a run that are in memory
)

// errDamagedIndex means that a page is not as it was written: it would hide an account, or name one that is not there.
var errDamagedIndex = errors.New("a page of the index does not have its checksum")

// A record leads from the hash of a value to a number: where in the file or the journal the value is.
type record struct{ key, value uint64 }

// A table finds the numbers that were added under a key, newest first. It keeps the last
// records in memory and the others sorted in a scratch file without a name, with two bytes of memory for
// each of those.
type table struct {
	dir     string // where the scratch file is made
	max     int    // records in memory
	fresh   []chained
	head    map[uint64]int32 // the newest of fresh, by key
	runs    []*run           // oldest first
	scratch *os.File
	end     int64 // of the scratch file
}

type chained struct {
	record
	before int32 // an older record of the same key, or -1
}

func newTable(dir string, max int) *table {
	return &table{dir: dir, max: max, head: map[uint64]int32{}}
}

func (t *table) add(key, value uint64) error {
	before, known := t.head[key]
	if !known {
		before = -1
	}
	t.head[key] = int32(len(t.fresh))
	t.fresh = append(t.fresh, chained{record{key, value}, before})
	if len(t.fresh) < t.max {
		return nil
	}
	return t.spill()
}

// find returns the numbers of a key, newest first.
func (t *table) find(key uint64) (values []uint64, err error) {
	if at, known := t.head[key]; known {
		for ; at >= 0; at = t.fresh[at].before {
			values = append(values, t.fresh[at].value)
		}
	}
	for _, r := range slices.Backward(t.runs) {
		if values, err = r.find(key, values); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// count is how many records there are.
func (t *table) count() int {
	n := len(t.fresh)
	for _, r := range t.runs {
		n += r.n
	}
	return n
}

// each calls f for every record by key, the newest of a key first.
func (t *table) each(f func(record) error) error { return merge(t.runs, t.sorted(), f) }

func (t *table) empty() bool { return len(t.fresh) == 0 && len(t.runs) == 0 }

// sorted returns the records in memory by key, the newest of a key first.
func (t *table) sorted() []record {
	order := make([]int32, len(t.fresh))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch x, y := t.fresh[a].key, t.fresh[b].key; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return int(b - a)
	})
	records := make([]record, len(order))
	for i, at := range order {
		records[i] = t.fresh[at].record
	}
	return records
}

// spill moves the records in memory to the scratch file.
func (t *table) spill() error {
	if t.scratch == nil {
		f, err := scratchFile(t.dir)
		if err != nil {
			return err
		}
		t.scratch = f
	}
	records := t.sorted()
	r, err := t.write(0, len(records), func(yield func(record) error) error {
		for _, one := range records {
			if err := yield(one); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.runs, t.fresh = append(t.runs, r), t.fresh[:0]
	clear(t.head)
	return t.compact()
}

// compact makes one run of the newest runs of one level when they are many.
func (t *table) compact() error {
	for {
		last := len(t.runs) - 1
		level, n := t.runs[last].level, 0
		for i := last; i >= 0 && t.runs[i].level == level; i-- {
			n++
		}
		if n < runFanOut {
			return nil
		}
		old := t.runs[len(t.runs)-n:]
		total := 0
		for _, r := range old {
			total += r.n
		}
		r, err := t.write(level+1, total, func(yield func(record) error) error { return merge(old, nil, yield) })
		if err != nil {
			return err
		}
		t.runs = append(t.runs[:len(t.runs)-n], r)
	}
}

// write appends a run of n records to the scratch file.
func (t *table) write(level, n int, all func(yield func(record) error) error) (*run, error) {
	r := &run{file: t.scratch, at: t.end, level: level, filter: newFilter(n)}
	w := newRunWriter(t.scratch, t.end, r)
	if err := all(w.add); err != nil {
		return nil, err
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	t.end += int64(r.n) * recordSize
	return r, nil
}

func (t *table) close() {
	if t.scratch != nil {
		t.scratch.Close()
	}
}

// scratchFile makes a file without a name in dir, or where temporary files are when dir cannot be written.
func scratchFile(dir string) (*os.File, error) {
	f, err := osfile.Nameless(dir)
	if err != nil {
		return osfile.Nameless(os.TempDir())
	}
	return f, nil
}

// A run is a part of a file with records by key, the newest of a key first.
type run struct {
	file   *os.File
	at     int64
	n      int
	level  int
	fences []uint64 // the key of every fenceStride-th record, which begins a page
	sums   []uint32 // checksum of each page
	filter filter
}

// find appends the numbers of a key.
func (r *run) find(key uint64, values []uint64) ([]uint64, error) {
	if !r.filter.may(key) {
		return values, nil
	}
	first, _ := slices.BinarySearch(r.fences, key) // equal keys may begin before their first fence
	first = max(0, first-1)
	var buffer [fenceStride * recordSize]byte
	for ; first < len(r.fences) && r.fences[first] <= key; first++ {
		n := min(fenceStride, r.n-first*fenceStride)
		part := buffer[:n*recordSize]
		if _, err := r.file.ReadAt(part, r.at+int64(first)*fenceStride*recordSize); err != nil {
			return nil, err
		}
		if crc32.Checksum(part, checksum) != r.sums[first] {
			return nil, errDamagedIndex
		}
		i := sort.Search(n, func(i int) bool { return decodeRecord(part[i*recordSize:]).key >= key })
		for ; i < n; i++ {
			one := decodeRecord(part[i*recordSize:])
			if one.key != key {
				return values, nil
			}
			values = append(values, one.value)
		}
	}
	return values, nil
}

// merge yields the records of runs, oldest first, and of records, which are newer, by key; of one key the newest first.
func merge(runs []*run, newer []record, yield func(record) error) error {
	cursors := make([]cursor, 0, len(runs)+1)
	if len(newer) > 0 {
		cursors = append(cursors, cursor{records: newer})
	}
	for _, r := range slices.Backward(runs) {
		c := cursor{rest: io.NewSectionReader(r.file, r.at, int64(r.n)*recordSize), sums: r.sums}
		if err := c.fill(); err != nil {
			return err
		}
		if len(c.records) > 0 {
			cursors = append(cursors, c)
		}
	}
	for len(cursors) > 0 {
		least := 0
		for i := 1; i < len(cursors); i++ {
			if cursors[i].records[0].key < cursors[least].records[0].key {
				least = i
			}
		}
		c := &cursors[least]
		if err := yield(c.records[0]); err != nil {
			return err
		}
		if c.records = c.records[1:]; len(c.records) == 0 {
			if err := c.fill(); err != nil {
				return err
			}
			if len(c.records) == 0 {
				cursors = slices.Delete(cursors, least, least+1)
			}
		}
	}
	return nil
}

// A cursor reads a run from its beginning.
type cursor struct {
	records []record
	rest    *io.SectionReader
	sums    []uint32 // of the pages of rest
}

func (c *cursor) fill() error {
	if c.rest == nil {
		return nil
	}
	buffer := make([]byte, 2*fenceStride*recordSize)
	n, err := io.ReadFull(c.rest, buffer)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	for page := range slices.Chunk(buffer[:n], fenceStride*recordSize) {
		if crc32.Checksum(page, checksum) != c.sums[0] {
			return errDamagedIndex
		}
		c.sums = c.sums[1:]
	}
	c.records = make([]record, n/recordSize)
	for i := range c.records {
		c.records[i] = decodeRecord(buffer[i*recordSize:])
	}
	return nil
}

// A runWriter writes a run and fills in what is kept of it in memory.
type runWriter struct {
	run    *run
	file   *os.File
	at     int64
	buffer []byte
}

func newRunWriter(f *os.File, at int64, r *run) *runWriter {
	return &runWriter{run: r, file: f, at: at, buffer: make([]byte, 0, 1<<16)}
}

func (w *runWriter) add(one record) error {
	if w.run.n%fenceStride == 0 {
		w.run.fences, w.run.sums = append(w.run.fences, one.key), append(w.run.sums, 0)
	}
	w.run.n++
	w.run.filter.add(one.key)
	w.buffer = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(w.buffer, one.key), one.value)
	sum := &w.run.sums[len(w.run.sums)-1]
	*sum = crc32.Update(*sum, checksum, w.buffer[len(w.buffer)-recordSize:])
	if len(w.buffer) < cap(w.buffer)-recordSize {
		return nil
	}
	return w.flush()
}

func (w *runWriter) flush() error {
	n, err := w.file.WriteAt(w.buffer, w.at)
	w.at, w.buffer = w.at+int64(n), w.buffer[:0]
	return err
}

func decodeRecord(b []byte) record {
	return record{key: binary.LittleEndian.Uint64(b), value: binary.LittleEndian.Uint64(b[8:])}
}

// A filter says of most keys that a run does not have them (a Bloom filter of twelve bits a record, wrong
// for one key in 150). nil may hold every key.
type filter []uint64

func newFilter(n int) filter { return make(filter, max(1, n*12/64)) }

func (f filter) add(key uint64) {
	if f == nil {
		return
	}
	for i := range uint64(4) {
		word, bit := f.place(key, i)
		f[word] |= bit
	}
}

func (f filter) may(key uint64) bool {
	if f == nil {
		return true
	}
	for i := range uint64(4) {
		if word, bit := f.place(key, i); f[word]&bit == 0 {
			return false
		}
	}
	return true
}

// place draws the i-th bit of a key: keys are hashes already.
func (f filter) place(key, i uint64) (word int, bit uint64) {
	h := key + i*(bits.RotateLeft64(key, 32)|1)
	high, _ := bits.Mul64(h, uint64(len(f)))
	return int(high), 1 << (h & 63)
}

// keyOf is the hash of a value at a path, in the writing in which it is compared.
func keyOf(kind target.Kind, path, value string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for _, part := range [...]string{string(kind), path, value} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	return mix(h)
}

func idKey(id string) uint64 { return keyOf("", "id", id) }

// mix spreads a hash over all 64 bits (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
