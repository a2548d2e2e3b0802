package file

import (
	"bytes"
	"encoding/json"
	"fmt"

	"entrasync/target"
)

// replay takes up what the journal has.
func (s *store) replay(log *journal) error {
	s.log = log
	if err := log.trim(); err != nil {
		return err
	}
	n := 0
	return log.each(0, func(at int64, text []byte) error {
		n++
		r, err := parseRecord(text)
		if err == nil {
			err = s.take(r, at)
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w; correct the line, or remove it and run a full cycle", log.file.Name(), n, err)
		}
		return nil
	})
}

// A parsedRecord is one of its fields.
type parsedRecord struct {
	Put     json.RawMessage
	Delete  string
	Members *memberChange
}

func parseRecord(text []byte) (r parsedRecord, err error) {
	if line, ok := putLine(text); ok {
		return parsedRecord{Put: line}, nil
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return r, nil
	}
	err = json.Unmarshal(text, &r)
	return r, err
}

// take does a record that is in the journal already.
func (s *store) take(r parsedRecord, at int64) error {
	switch {
	case r.Put != nil:
		e, err := parseLine(r.Put)
		if err != nil {
			return err
		}
		delete(s.groups, e.ref.ID)
		if e.where, err = s.known(e.ref.ID); err != nil {
			return err
		}
		if err := s.recorded(e, at); err != nil {
			return err
		}
		return e.eachKey(s.base.paths[e.ref.Kind], func(key uint64) error { return s.keys.add(key, uint64(e.where.home)) })
	case r.Members != nil:
		e, err := s.openGroup(target.Ref{Kind: target.Group, ID: r.Members.ID})
		if err != nil || e == nil {
			return err
		}
		s.change(e, *r.Members)
	case r.Delete != "":
		w, err := s.known(r.Delete)
		if err != nil {
			return err
		}
		return s.forget(&entry{ref: target.Ref{ID: r.Delete}, where: w}, at)
	}
	return nil
}

func recordID(text []byte) string {
	r, err := parseRecord(text)
	if err != nil || r.Put == nil {
		return r.Delete
	}
	if id, plain := plainID(r.Put); plain {
		return string(id)
	}
	e, err := parseLine(r.Put)
	if err != nil {
		return ""
	}
	return e.ref.ID
}
