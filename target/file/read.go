package file

import (
	"fmt"

	"entrasync/target"
)

// known returns where a resource is, in the journal or else in the published file.
func (s *store) known(id string) (w where, err error) {
	home, logged, err := s.logged(id)
	if err != nil || logged {
		return where{logged: logged, home: home, block: -1, at: -1}, err
	}
	line, err := s.base.lookup(id)
	if err != nil || line == nil {
		return nowhere(), err
	}
	return where{block: line.block, at: line.at}, nil
}

// logged finds a resource in the journal.
func (s *store) logged(id string) (home place, found bool, err error) {
	places, err := s.keys.find(idKey(id))
	if err != nil {
		return 0, false, err
	}
	for _, p := range places {
		text, err := s.log.record(place(p).offset())
		if err != nil {
			return 0, false, err
		}
		if recordID(text) == id {
			return place(p), true, nil
		}
	}
	return 0, false, nil
}

// current returns the newest line of a resource in the journal; nil when it was deleted.
func (s *store) current(home place) ([]byte, error) {
	at := home.offset()
	if !s.newest.empty() {
		newer, err := s.newest.find(mix(uint64(home)))
		if err != nil {
			return nil, err
		}
		if len(newer) > 0 {
			at = int64(newer[0])
		}
	}
	text, err := s.log.record(at)
	if err != nil {
		return nil, err
	}
	r, err := parseRecord(text)
	return r.Put, err
}

// get returns a resource as it is now; nil when it does not exist.
func (s *store) get(ref target.Ref) (*entry, error) {
	e := s.groups[ref.ID]
	if e == nil {
		var err error
		if e, err = s.load(ref.ID); err != nil {
			return nil, err
		}
	}
	if e == nil || e.ref.Kind != ref.Kind {
		return nil, nil
	}
	return e, nil
}

func (s *store) load(id string) (*entry, error) {
	home, logged, err := s.logged(id)
	if err != nil {
		return nil, err
	}
	if logged {
		return s.loadLogged(home)
	}
	line, err := s.base.lookup(id)
	if err != nil || line == nil {
		return nil, err
	}
	return s.loadPublished(line)
}

func (s *store) loadLogged(home place) (*entry, error) {
	line, err := s.current(home)
	if err != nil || line == nil {
		return nil, err
	}
	e, err := parseLine(line)
	if err != nil {
		return nil, err
	}
	e.where.logged, e.where.home = true, home
	return e, s.dropDeleted(e)
}

func (s *store) loadPublished(line *located) (*entry, error) {
	e, err := parseLine(line.line)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.base.path, err)
	}
	e.where.block, e.where.at = line.block, line.at
	return e, s.dropDeleted(e)
}

// dropDeleted takes deleted resources out of the members of a group that was read.
func (s *store) dropDeleted(e *entry) error {
	if !s.deleted {
		return nil
	}
	for id := range e.members {
		home, logged, err := s.logged(id)
		if err != nil {
			return err
		}
		if !logged {
			continue
		}
		line, err := s.current(home)
		if err != nil {
			return err
		}
		if line == nil {
			delete(e.members, id)
		}
	}
	return nil
}

// exists reports whether there is a user or group with an id.
func (s *store) exists(id string) (bool, error) {
	home, logged, err := s.logged(id)
	if err != nil {
		return false, err
	}
	if logged {
		line, err := s.current(home)
		return line != nil, err
	}
	line, err := s.base.lookup(id)
	return line != nil, err
}
