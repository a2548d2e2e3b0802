package file

import (
	"maps"
	"slices"

	"entrasync/target"
)

// openGroup returns a group whose members are to be changed; nil when it does not exist. It stays in memory
// until many members do.
func (s *store) openGroup(ref target.Ref) (*entry, error) {
	e, err := s.get(ref)
	if err != nil || e == nil || s.groups[ref.ID] == e {
		return e, err
	}
	if s.members > s.base.sizes.members {
		if err := s.saveGroups(); err != nil {
			return nil, err
		}
	}
	s.groups[ref.ID] = e
	s.members += len(e.members)
	return e, nil
}

// change adds and removes members of a group that openGroup returned.
func (s *store) change(e *entry, c memberChange) {
	before := len(e.members)
	e.changeMembers(c)
	s.members += len(e.members) - before
	e.dirty = true
}

// saveGroups queues a record with the whole line of each group whose members changed.
func (s *store) saveGroups() error {
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		if e := s.groups[id]; e.dirty {
			if _, err := s.record(e, putRecord{Put: e.line()}); err != nil {
				return err
			}
		}
	}
	s.groups, s.members = map[string]*entry{}, 0
	return nil
}
