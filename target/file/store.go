package file

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"entrasync/target"
)

// A store is the content: the published file and, over it, what the journal says. It holds neither in memory, but
// where they are.
type store struct {
	base *published
	log  *journal // nil: nothing was written since

	keys    *table            // places of records, by id and by the values at base.paths
	newest  *table            // the newest record of resources that have several, by their place
	touched []bool            // blocks of base with lines that the journal replaces
	groups  map[string]*entry // whose members this cycle changes
	members int               // of those
	again   bool              // a record is about a resource that was there before it
	deleted bool              // a record deletes

	readers int  // lists under way
	dropped bool // to be closed after them
}

// A place is that of a record in the journal, with a bit for resources that the published file has too and with a
// part of the hash of the resource's id.
type place uint64

const (
	offsetBits = 39
	inFile     = place(1) << offsetBits
	idHashBits = 24
)

func placeAt(offset int64, isPublished bool, id string) place {
	p := place(offset) | place(idHash(idKey(id)))<<(offsetBits+1)
	if isPublished {
		p |= inFile
	}
	return p
}

func (p place) offset() int64 { return int64(p & (inFile - 1)) }

func (p place) idHash() uint64 { return uint64(p >> (offsetBits + 1)) }

// idHash is what a place keeps of the hash of an id.
func idHash(key uint64) uint64 { return key >> (64 - idHashBits) }

// openStore reads the file.
func openStore(path string, sizes sizes) (*store, error) {
	base, err := readPublished(path, sizes)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	return &store{
		base: base, keys: newTable(dir, sizes.fresh), newest: newTable(dir, sizes.fresh),
		touched: make([]bool, len(base.starts)), groups: map[string]*entry{},
	}, nil
}

// close gives the files up, after the last list.
func (s *store) close() {
	if s.dropped = true; s.readers > 0 {
		return
	}
	s.base.close()
	s.keys.close()
	s.newest.close()
	if s.log != nil && s.log.over {
		s.log.file.Close()
	}
}

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

// find returns the resources that hold a value, in the file's order.
func (s *store) find(kind target.Kind, by target.Path, value string) (found []*entry, err error) {
	if err := s.keyBy(kind, keyed{by, by.String()}); err != nil {
		return nil, err
	}
	key := valueKey(kind, by.String(), value)
	homes, err := s.keys.find(key)
	if err != nil {
		return nil, err
	}
	take := func(e *entry, err error) error {
		if err != nil || e == nil || e.ref.Kind != kind {
			return err
		}
		attrs := e.attributes()
		e.decoded = attrs
		seen := func(other *entry) bool { return other.ref == e.ref }
		if by.Holds(attrs, value) && !slices.ContainsFunc(found, seen) {
			found = append(found, e)
		}
		return nil
	}
	for _, home := range homes {
		if err := take(s.loadLogged(place(home))); err != nil {
			return nil, err
		}
	}
	lines, err := s.base.candidates(key)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if err := take(s.load(s.base.idOf(line.line))); err != nil {
			return nil, err
		}
	}
	return found, s.sort(found)
}

// sort brings entries into the file's order.
func (s *store) sort(entries []*entry) error {
	if len(entries) < 2 {
		return nil
	}
	for _, e := range entries {
		if w := &e.where; w.at < 0 && w.home&inFile != 0 {
			line, err := s.base.lookup(e.ref.ID)
			if err != nil || line == nil {
				return err
			}
			w.at = line.at
		}
	}
	slices.SortFunc(entries, func(one, other *entry) int {
		a, b := one.where, other.where
		if a.at >= 0 && b.at >= 0 {
			return cmp.Compare(a.at, b.at)
		}
		if a.at < 0 && b.at < 0 {
			return cmp.Compare(a.home.offset(), b.home.offset())
		}
		return cmp.Compare(b.at, a.at) // the published ones come first
	})
	return nil
}

// keyBy makes values at a path known, unless they are.
func (s *store) keyBy(kind target.Kind, k keyed) error {
	if s.base.keyedBy(kind, k.name) {
		return nil
	}
	if s.log != nil {
		if err := s.log.flush(); err != nil {
			return err
		}
		err := s.log.each(0, func(at int64, text []byte) error {
			r, err := parseRecord(text)
			if err != nil || r.Put == nil {
				return err
			}
			e, err := parseLine(r.Put)
			if err != nil || e.ref.Kind != kind {
				return err
			}
			home, _, err := s.logged(e.ref.ID)
			if err != nil {
				return err
			}
			return e.eachKey([]keyed{k}, func(key uint64) error { return s.keys.add(key, uint64(home)) })
		})
		if err != nil {
			return err
		}
	}
	return s.base.keyBy(kind, k)
}

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

// keysOf returns every text under which a value can be asked for; whether it is held is
// decided by the path.
func keysOf(value any) []string {
	switch value := value.(type) {
	case string, float64, json.Number:
		return []string{strings.ToLower(target.Digits(value))}
	case bool:
		return []string{strconv.FormatBool(value)}
	case []any:
		var keys []string
		for _, element := range value {
			keys = append(keys, keysOf(element)...)
		}
		return keys
	case map[string]any:
		return keysOf(value["value"])
	}
	return nil
}
