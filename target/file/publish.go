package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"entrasync/state/osfile"
	"entrasync/target"
)

// A publication writes the published file, with its index, from what a store has.
type publication struct{ store *store }

// publish replaces the file by a rename; readers that have the old one open keep reading that. Blocks without
// a change are copied as they are.
func (p publication) publish() (err error) {
	if err := p.store.saveGroups(); err != nil {
		return err
	}
	if err := p.store.log.flush(); err != nil {
		return err
	}
	path := p.store.base.path
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if before, err := os.Stat(path); err == nil {
		if err := f.Chmod(before.Mode().Perm()); err != nil {
			return err
		}
	}
	next, homes, err := p.writeTo(f)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if next.stamp, err = stampOfOpen(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := osfile.Replace(f.Name(), path); err != nil {
		return err
	}
	if err := osfile.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	// The file is published. Without an index the next cycle reads it.
	if err := p.writeIndex(next, homes); err != nil {
		if err := os.Remove(indexPath(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writeTo writes the whole content.
func (p publication) writeTo(f *os.File) (*published, []firstHome, error) {
	next := newPublished(p.store.base.path, p.store.base.sizes)
	next.paths, next.odd, next.stale = p.store.base.paths, p.store.base.odd, p.store.base.stale
	w := bufio.NewWriterSize(f, 1<<16)
	put := func(line []byte) (n int, err error) {
		if p.store.deleted {
			if line, err = p.withoutDeleted(line); err != nil {
				return 0, err
			}
		}
		w.Write(line)
		return len(line) + 1, w.WriteByte('\n')
	}
	for block := 0; block < len(p.store.base.starts); {
		if p.changes(block) {
			next.begin(p.store.base.marks[block] &^ untidy)
			lines := 0
			err := p.store.eachCurrent(block, func(line []byte) error {
				lines++
				n, err := put(line)
				next.size += int64(n)
				return err
			})
			if err != nil {
				return nil, nil, err
			}
			start, end := next.span(block)
			next.outgrown = next.outgrown || lines > 1 && end-start > 4*int64(next.sizes.block)
			block++
			continue
		}
		start, _ := p.store.base.span(block)
		end := start
		for ; block < len(p.store.base.starts) && !p.changes(block); block++ {
			next.begin(p.store.base.marks[block])
			from, to := p.store.base.span(block)
			next.size, end = next.size+to-from, to
		}
		if err := errors.Join(w.Flush(), copyRange(f, p.store.base.file, start, end)); err != nil {
			return nil, nil, err
		}
	}
	homes, err := p.writeNew(next, put)
	return next, homes, errors.Join(err, w.Flush())
}

// writeNew writes the lines that the file did not have.
func (p publication) writeNew(next *published, put func(line []byte) (int, error)) (homes []firstHome, err error) {
	if p.store.log == nil {
		return nil, nil
	}
	err = p.store.eachNew(0, func(at, _ int64, line []byte) error {
		kind := plainKind(line)
		if kind == "" {
			e, err := parseLine(line)
			if err != nil {
				return err
			}
			kind = e.ref.Kind
		}
		n, err := put(line)
		next.extend(n, false)
		block := len(next.starts) - 1
		next.marks[block] |= markOf(kind)
		if len(homes) == 0 || homes[len(homes)-1].block != block {
			homes = append(homes, firstHome{at, block})
		}
		return err
	})
	return homes, err
}

// changes reports whether a block is not written back as it is.
func (p publication) changes(block int) bool {
	mark := p.store.base.marks[block]
	return p.store.touched[block] || mark&untidy != 0 || p.store.deleted && mark&hasGroups != 0
}

// withoutDeleted returns a line without members that were deleted.
func (p publication) withoutDeleted(line []byte) ([]byte, error) {
	if plainKind(line) == target.User && !p.store.base.odd || !bytes.Contains(line, []byte(`"members"`)) {
		return line, nil
	}
	e, err := parseLine(line)
	if err != nil {
		return nil, err
	}
	if before := len(e.members); before > 0 {
		if err := p.store.dropDeleted(e); err != nil {
			return nil, err
		}
		if len(e.members) < before {
			return e.line(), nil
		}
	}
	return line, nil
}

// copyRange copies a part of a file to the end of another, in the kernel where that can.
func copyRange(to, from *os.File, start, end int64) error {
	if _, err := from.Seek(start, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, end-start)
	return err
}
