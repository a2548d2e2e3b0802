package file

import (
	"bytes"
	"errors"

	"entrasync/target"
)

var errPageFull = errors.New("page is full")

// A walk is how far a list has come.
type walk struct {
	block int
	at    int64 // in the journal
}

// page returns the next resources of a list, without members; none at its end.
func (s *store) page(w *walk, kind target.Kind, size int) (page []target.Resource, err error) {
	take := func(line []byte) error {
		if known := plainKind(line); known != "" && known != kind && !s.base.odd {
			return nil
		}
		e, err := parseLine(line)
		if err != nil {
			return err
		}
		if e.ref.Kind == kind {
			page = append(page, e.resource(false))
		}
		return nil
	}
	for ; w.block < len(s.base.marks) && len(page) < size; w.block++ {
		if s.base.marks[w.block]&markOf(kind) == 0 {
			continue
		}
		if err := s.eachCurrent(w.block, take); err != nil {
			return nil, err
		}
	}
	if len(page) >= size || s.log == nil {
		return page, nil
	}
	err = s.eachNew(w.at, func(_, next int64, line []byte) error {
		w.at = next
		if err := take(line); err != nil {
			return err
		}
		if len(page) >= size {
			return errPageFull
		}
		return nil
	})
	if errors.Is(err, errPageFull) {
		err = nil
	}
	return page, err
}

// eachCurrent calls f with the lines of a block as they are now.
func (s *store) eachCurrent(block int, f func(line []byte) error) error {
	if !s.touched[block] {
		return s.base.eachOf(block, func(_ int64, line []byte) error { return f(line) })
	}
	var lines [][]byte
	if err := s.base.eachOf(block, func(_ int64, line []byte) error { lines = append(lines, bytes.Clone(line)); return nil }); err != nil {
		return err
	}
	for _, line := range lines {
		home, logged, err := s.logged(s.base.idOf(line))
		if err == nil && logged {
			line, err = s.current(home)
		}
		if err != nil {
			return err
		}
		if line == nil {
			continue
		}
		if err := f(line); err != nil {
			return err
		}
	}
	return nil
}

// eachNew calls f with the lines, as they are now, of resources that the published file does not have and that
// were made at an offset in the journal or after it. next is the offset behind the one where the resource was made.
func (s *store) eachNew(from int64, f func(at, next int64, line []byte) error) error {
	return s.log.each(from, func(at int64, text []byte) error {
		next := at + int64(len(text)) + 1
		r, err := parseRecord(text)
		if err != nil || r.Put == nil {
			return err
		}
		line := []byte(r.Put)
		if s.again {
			home, _, err := s.logged(recordID(text))
			if err != nil {
				return err
			}
			if home&inFile != 0 || home.offset() != at {
				return nil
			}
			if line, err = s.current(home); err != nil || line == nil {
				return err
			}
		}
		return f(at, next, line)
	})
}
