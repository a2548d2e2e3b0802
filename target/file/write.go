package file

import (
	"fmt"
	"strings"

	"entrasync/target"
)

// record queues a record about a resource and returns its number.
func (s *store) record(e *entry, what any) (n int, err error) {
	n, at := s.log.append(what)
	return n, s.recorded(e, at)
}

// recorded has the newest version of a resource found at a place in the journal.
func (s *store) recorded(e *entry, at int64) error {
	w := &e.where
	if w.logged {
		s.again = true
		return s.newest.add(mix(uint64(w.home)), uint64(at))
	}
	if w.block >= 0 {
		s.again, s.touched[w.block] = true, true
	}
	w.logged, w.home = true, placeAt(at, w.block >= 0, e.ref.ID)
	return s.keys.add(idKey(e.ref.ID), uint64(w.home))
}

// put writes attributes into a resource, a new one or one that get returned, and returns what it has then,
// without members, for the caller to own. n is 0 when nothing changed.
func (s *store) put(op string, e *entry, attributes []target.Attribute) (n int, written map[string]any, err error) {
	isNew := e.raw == nil
	before, raw := map[uint64]bool{}, string(e.raw)
	if !isNew {
		err := e.eachKey(s.base.paths[e.ref.Kind], func(key uint64) error { before[key] = true; return nil })
		if err != nil {
			return 0, nil, err
		}
	}
	attrs, err := s.merged(op, e, attributes)
	if err != nil {
		e.decoded = nil
		return 0, nil, err
	}
	members := len(e.members)
	e.set(attrs)
	if s.groups[e.ref.ID] == e {
		s.members += len(e.members) - members
	}
	written, known := decoded(e.ref, attrs)
	if !known {
		written = e.attributes() // as the file has it: attrs may have other types
	}
	if !isNew && string(e.raw) == raw && !touchesMembers(attributes) {
		return 0, written, nil
	}
	if n, err = s.record(e, putRecord{Put: e.line()}); err != nil {
		return 0, nil, err
	}
	e.dirty, e.decoded = false, written
	err = e.eachKey(s.base.paths[e.ref.Kind], func(key uint64) error {
		if before[key] {
			return nil
		}
		before[key] = true
		return s.keys.add(key, uint64(e.where.home))
	})
	e.decoded = nil
	return n, written, err
}

// merged returns the attributes of a resource with others written into them.
func (s *store) merged(op string, e *entry, attributes []target.Attribute) (map[string]any, error) {
	attrs, before := map[string]any{}, ""
	if e.raw != nil {
		attrs = e.attributes()
		before, _ = userName.Get(attrs).(string)
	}
	if touchesMembers(attributes) && len(e.members) > 0 {
		attrs["members"] = e.memberList()
	}
	for _, a := range attributes {
		if name := strings.ToLower(a.Path.Name()); a.Path.Schema() == "" && (name == "id" || name == "meta") {
			return nil, &target.Error{
				Code: target.Rejected, Op: op, Attribute: a.Path.String(),
				Message: a.Path.String() + " is the file's own and cannot be written", Hint: "remove it from the mapping",
			}
		}
		a.Path.Set(attrs, a.Value)
	}
	if touchesMembers(attributes) && attrs["members"] == nil {
		attrs["members"] = []any{}
	}
	if e.ref.Kind == target.User {
		if err := s.checkName(op, e, before, attrs); err != nil {
			return nil, err
		}
	}
	return attrs, nil
}

// checkName refuses a userName that is missing or, unless it is the one before, that another user has.
func (s *store) checkName(op string, e *entry, before string, attrs map[string]any) error {
	name, _ := userName.Get(attrs).(string)
	if name == "" {
		return &target.Error{
			Code: target.Rejected, Op: op, Attribute: "userName",
			Message: "userName is missing", Hint: "map userName and mark it required",
		}
	}
	if name == before {
		return nil
	}
	found, err := s.find(target.User, userName, name)
	if err != nil {
		return err
	}
	for _, other := range found {
		if other.ref != e.ref {
			return &target.Error{
				Code: target.Conflict, Op: op, Attribute: "userName",
				Message: fmt.Sprintf("the userName %q is taken by the user with the id %q", name, other.ref.ID),
			}
		}
	}
	return nil
}

// remove deletes a resource that get returned, and with it its memberships.
func (s *store) remove(e *entry) (n int, err error) {
	n, at := s.log.append(deleteRecord{Delete: e.ref.ID})
	return n, s.forget(e, at)
}

func (s *store) forget(e *entry, at int64) error {
	if g := s.groups[e.ref.ID]; g != nil {
		s.members -= len(g.members)
		delete(s.groups, e.ref.ID)
	}
	for _, g := range s.groups {
		if _, in := g.members[e.ref.ID]; in {
			delete(g.members, e.ref.ID)
			s.members--
		}
	}
	s.deleted = true
	return s.recorded(e, at)
}
