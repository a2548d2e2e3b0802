package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"entrasync/state/osfile"
	"entrasync/target"
)

// The index keeps, next to a large file, where its lines are, so that the next cycle need not read them all. It
// belongs to one content of the file; with any other it is of no use and the file is read. Runs of records come
// first; the last of several directories behind them, and a trailer at the end, name those that count.

const (
	indexVersion = "entrasync file index 2\n"
	trailerSize  = 8 + 4 + len(indexVersion)
	maxIndexRuns = 12   // that are searched for a value before they become one
	keptLevel    = 1000 // of runs in the index: no other run is merged with them
)

var checksum = crc32.MakeTable(crc32.Castagnoli)

func indexPath(path string) string { return path + ".index" }

// openIndexed opens the file with its index; nil when that does not belong to the file as it is.
func openIndexed(path string, sizes sizes) (p *published, err error) {
	index, err := osfile.Open(indexPath(path), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p == nil {
			index.Close()
		}
	}()
	directory, err := readDirectory(index)
	if err != nil {
		return nil, err
	}
	f, err := osfile.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	now, err := stampOfOpen(f)
	if err == nil {
		p, err = decodeDirectory(directory, path, index, now, sizes)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	p.file = f
	return p, nil
}

var errForeignIndex = errors.New("the index is not that of the file as it is")

func readDirectory(index *os.File) ([]byte, error) {
	info, err := index.Stat()
	if err != nil {
		return nil, err
	}
	var trailer [trailerSize]byte
	end := info.Size() - int64(trailerSize)
	if end < 0 {
		return nil, errForeignIndex
	}
	if _, err := index.ReadAt(trailer[:], end); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint64(trailer[:]))
	if string(trailer[12:]) != indexVersion || length < 0 || length > end {
		return nil, errForeignIndex
	}
	directory := make([]byte, length)
	if _, err := index.ReadAt(directory, end-length); err != nil {
		return nil, err
	}
	if crc32.Checksum(directory, checksum) != binary.LittleEndian.Uint32(trailer[8:]) {
		return nil, errForeignIndex
	}
	return directory, nil
}

// encodeDirectory writes what is in memory of a published file.
func (p *published) encodeDirectory() []byte {
	b := binary.AppendUvarint(nil, uint64(p.stamp.modified))
	b = binary.AppendUvarint(b, uint64(p.stamp.size))
	b = binary.AppendUvarint(b, p.stamp.inode)
	b = binary.AppendUvarint(b, uint64(p.stale))
	odd := uint64(0)
	if p.odd {
		odd = 1
	}
	b = binary.AppendUvarint(b, odd)
	b = binary.AppendUvarint(b, uint64(len(p.starts)))
	for i := range p.starts {
		start, end := p.span(i)
		b = append(binary.AppendUvarint(b, uint64(end-start)), p.marks[i])
	}
	for _, kind := range []target.Kind{target.User, target.Group} {
		b = binary.AppendUvarint(b, uint64(len(p.paths[kind])))
		for _, k := range p.paths[kind] {
			b = append(binary.AppendUvarint(b, uint64(len(k.name))), k.name...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p.keys.runs)))
	for _, r := range p.keys.runs {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.at)), uint64(r.n))
		for i, fence := range r.fences {
			b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(b, fence), r.sums[i])
		}
	}
	return b
}

// A directoryReader reads numbers until one is missing.
type directoryReader struct {
	rest   []byte
	broken bool
}

func (d *directoryReader) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.broken, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *directoryReader) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.broken, d.rest = true, nil
		return nil
	}
	part := d.rest[:n]
	d.rest = d.rest[n:]
	return part
}

func decodeDirectory(directory []byte, path string, index *os.File, now stamp, sizes sizes) (*published, error) {
	d := &directoryReader{rest: directory}
	p := newPublished(path, sizes)
	p.index = index
	p.stamp = stamp{modified: int64(d.number()), size: int64(d.number()), inode: d.number()}
	if p.stamp != now {
		return nil, errForeignIndex
	}
	p.stale = int(d.number())
	p.odd = d.number() == 1
	blocks := d.number()
	for ; blocks > 0 && !d.broken; blocks-- {
		length, mark := d.number(), d.bytes(1)
		if len(mark) == 1 {
			p.begin(mark[0])
			p.size += int64(length)
		}
	}
	for _, kind := range []target.Kind{target.User, target.Group} {
		p.paths[kind] = nil
		for n := d.number(); n > 0 && !d.broken; n-- {
			name := string(d.bytes(d.number()))
			by, err := target.ParsePath(name)
			if err != nil || d.broken {
				return nil, errForeignIndex
			}
			p.paths[kind] = append(p.paths[kind], keyed{by, name})
		}
	}
	for n := d.number(); n > 0 && !d.broken; n-- {
		r := &run{file: index, at: int64(d.number()), n: int(d.number()), level: keptLevel}
		for range (r.n + fenceStride - 1) / fenceStride {
			if page := d.bytes(12); page != nil {
				r.fences = append(r.fences, binary.LittleEndian.Uint64(page))
				r.sums = append(r.sums, binary.LittleEndian.Uint32(page[8:]))
			} else {
				break
			}
		}
		p.keys.runs = append(p.keys.runs, r)
	}
	if d.broken || len(d.rest) > 0 || p.size != now.size || !p.keyedBy(target.User, userName.String()) {
		return nil, errForeignIndex
	}
	return p, nil
}

// writeIndex writes the index of what was just published, or removes one that is of no use any more.
func (p publication) writeIndex(next *published, homes []firstHome) error {
	path := indexPath(next.path)
	records := p.store.base.keys.count() + p.store.keys.count()
	if next.size < p.store.base.sizes.indexed || next.outgrown || p.store.base.stale > max(p.store.base.sizes.fresh, records/2) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if p.store.base.index != nil && len(p.store.base.keys.runs) < maxIndexRuns && p.store.base.keys.scratch == nil && len(p.store.base.keys.fresh) == 0 {
		return p.appendIndex(next, homes)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = p.writeIndexRun(f, 0, next, homes, true)
	if err = errors.Join(err, f.Close()); err == nil {
		err = osfile.Replace(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// appendIndex adds a run of what is new and a directory to the index that the file had.
func (p publication) appendIndex(next *published, homes []firstHome) error {
	f, err := osfile.Open(indexPath(next.path), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	mine, err1 := p.store.base.index.Stat()
	there, err2 := f.Stat()
	err = errors.Join(err1, err2)
	if err == nil && !os.SameFile(mine, there) {
		err = fmt.Errorf("%s was replaced", indexPath(next.path))
	}
	if err == nil {
		for _, r := range p.store.base.keys.runs {
			kept := *r
			kept.file = f
			next.keys.runs = append(next.keys.runs, &kept)
		}
		err = p.writeIndexRun(f, there.Size(), next, homes, false)
	}
	return errors.Join(err, f.Close())
}

// writeIndexRun writes a run with the records of the journal, and with those of the file when they are not in the
// index already, the directory and the trailer.
func (p publication) writeIndexRun(f *os.File, at int64, next *published, homes []firstHome, all bool) error {
	r := &run{file: f, at: at, level: keptLevel}
	w := newRunWriter(f, at, r)
	var last record
	add := func(one record) error {
		if r.n > 0 && one == last {
			return nil
		}
		last = one
		return w.add(one)
	}
	translate := func(one record) error {
		block, id, err := p.blockOf(place(one.value), homes)
		if err != nil || block < 0 || place(one.value)&inFile != 0 && one.key == id {
			return err // deleted, or in the index already
		}
		if place(one.value)&inFile != 0 {
			next.stale++ // the value before is another record
		}
		return add(record{one.key, uint64(block)<<idHashBits | place(one.value).idHash()})
	}
	if all {
		if err := p.store.base.keys.each(func(one record) error { return add(one) }); err != nil {
			return err
		}
		if err := w.flush(); err != nil {
			return err
		}
		if r.n > 0 {
			next.keys.runs, at = append(next.keys.runs, r), at+int64(r.n)*recordSize
		}
		r = &run{file: f, at: at, level: keptLevel}
		w = newRunWriter(f, at, r)
	}
	// A directory on disk must not name records that are not.
	if err := errors.Join(p.store.keys.each(translate), w.flush(), f.Sync()); err != nil {
		return err
	}
	if r.n > 0 {
		next.keys.runs = append(next.keys.runs, r)
	}
	end := at + int64(r.n)*recordSize
	directory := next.encodeDirectory()
	trailer := binary.LittleEndian.AppendUint64(nil, uint64(len(directory)))
	trailer = binary.LittleEndian.AppendUint32(trailer, crc32.Checksum(directory, checksum))
	trailer = append(trailer, indexVersion...)
	_, err := io.Copy(io.NewOffsetWriter(f, end), io.MultiReader(bytes.NewReader(directory), bytes.NewReader(trailer)))
	return errors.Join(err, f.Sync())
}

// A firstHome says from which offset in the journal on new lines are in a block.
type firstHome struct {
	offset int64
	block  int
}

// blockOf returns the block in which the file that was just written has a resource, and the key of its id when
// the file had it before; -1 for one that it does not have.
func (p publication) blockOf(home place, homes []firstHome) (block int, id uint64, err error) {
	if home&inFile == 0 {
		i, exact := slices.BinarySearchFunc(homes, home.offset(), func(h firstHome, offset int64) int { return int(h.offset - offset) })
		if !exact {
			i--
		}
		if i < 0 {
			return -1, 0, nil
		}
		return homes[i].block, 0, nil
	}
	text, err := p.store.log.record(home.offset())
	if err != nil {
		return -1, 0, err
	}
	name := recordID(text)
	line, err := p.store.base.lookup(name)
	if err != nil || line == nil {
		return -1, 0, err
	}
	return line.block, idKey(name), nil
}
