package file

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"entrasync/target"
)

// A store is the file's content in memory.
type store struct {
	byID    map[string]*entry
	last    int                              // highest order given
	indexes map[target.Kind]map[string]index // by path
}

var userName, _ = target.ParsePath("userName")

// An index leads from a value in lower case to the entries that may hold it.
type index struct {
	path    target.Path
	entries map[string][]*entry
}

func newStore() *store {
	return &store{byID: map[string]*entry{}, indexes: map[target.Kind]map[string]index{target.User: {}, target.Group: {}}}
}

// readStore reads the whole file; a file that does not exist is an empty one.
func readStore(path string) (*store, error) {
	s := newStore()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := map[string]int{}
	err = eachLine(f, func(n int, line []byte) error {
		e, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("%s line %d: %w", path, n, err)
		}
		if before, taken := lines[e.ref.ID]; taken {
			return fmt.Errorf("%s line %d: the id %q is that of line %d too; every line needs its own", path, n, e.ref.ID, before)
		}
		lines[e.ref.ID] = n
		s.add(e) // there is no index yet
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// eachLine calls f for every line that is not blank.
func eachLine(r io.Reader, f func(n int, line []byte) error) error {
	buffered := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := buffered.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if err := f(n, text); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func (s *store) add(e *entry) {
	s.last++
	e.order = s.last
	s.byID[e.ref.ID] = e
}

// replace puts a line into the store, in the place of the entry that has its id.
func (s *store) replace(line []byte) error {
	e, err := parseLine(line)
	if err != nil {
		return err
	}
	old := s.byID[e.ref.ID]
	if old == nil {
		s.add(e)
		s.enter(e, e.attributes)
		return nil
	}
	s.leave(old)
	e.order = old.order
	s.byID[e.ref.ID] = e
	s.enter(e, e.attributes)
	return nil
}

func (s *store) get(ref target.Ref) *entry {
	if e := s.byID[ref.ID]; e != nil && e.ref.Kind == ref.Kind {
		return e
	}
	return nil
}

func (s *store) list(kind target.Kind) []*entry {
	return slices.DeleteFunc(s.all(), func(e *entry) bool { return e.ref.Kind != kind })
}

// all returns every entry, in the file's order.
func (s *store) all() []*entry { return slices.SortedFunc(maps.Values(s.byID), byOrder) }

func byOrder(a, b *entry) int { return cmp.Compare(a.order, b.order) }

// put writes attributes into an entry that is in the store or is to be added, and returns what the entry has then,
// without members, for the caller to own.
func (s *store) put(op string, e *entry, attributes []target.Attribute) (map[string]any, error) {
	attrs := e.attributes()
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
		if err := s.checkName(op, e, attrs); err != nil {
			return nil, err
		}
	}
	if s.byID[e.ref.ID] == nil {
		e.set(attrs)
		s.add(e)
	} else {
		s.leave(e)
		e.set(attrs)
	}
	written := e.attributes() // as the file has it: attrs may have other types
	s.enter(e, func() map[string]any { return written })
	return written, nil
}

// checkName refuses a userName that is missing or that another user has.
func (s *store) checkName(op string, e *entry, attrs map[string]any) error {
	name, _ := userName.Get(attrs).(string)
	if name == "" {
		return &target.Error{
			Code: target.Rejected, Op: op, Attribute: "userName",
			Message: "userName is missing", Hint: "map userName and mark it required",
		}
	}
	for _, other := range s.find(target.User, userName, name) {
		if other != e {
			return &target.Error{
				Code: target.Conflict, Op: op, Attribute: "userName",
				Message: fmt.Sprintf("the userName %q is taken by the user with the id %q", name, other.ref.ID),
			}
		}
	}
	return nil
}

func (s *store) remove(e *entry) {
	s.leave(e)
	delete(s.byID, e.ref.ID)
	for _, other := range s.byID {
		delete(other.members, e.ref.ID)
	}
}

// find returns the entries that hold a value, in the file's order.
func (s *store) find(kind target.Kind, by target.Path, value string) []*entry {
	ix, ok := s.indexes[kind][by.String()]
	if !ok {
		ix = index{path: by, entries: map[string][]*entry{}}
		for _, e := range s.byID {
			if e.ref.Kind == kind {
				ix.enter(e, e.attributes())
			}
		}
		s.indexes[kind][by.String()] = ix
	}
	var found []*entry
	for _, e := range ix.entries[strings.ToLower(value)] {
		if by.Holds(e.attributes(), value) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, byOrder)
	return found
}

// enter has an entry found by the attributes that there are indexes of.
func (s *store) enter(e *entry, attributes func() map[string]any) {
	if indexes := s.indexes[e.ref.Kind]; len(indexes) > 0 {
		attrs := attributes()
		for _, ix := range indexes {
			ix.enter(e, attrs)
		}
	}
}

func (s *store) leave(e *entry) {
	if indexes := s.indexes[e.ref.Kind]; len(indexes) > 0 {
		attrs := e.attributes()
		for _, ix := range indexes {
			for _, key := range keysOf(ix.path.Get(attrs)) {
				rest := slices.DeleteFunc(ix.entries[key], func(other *entry) bool { return other == e })
				if ix.entries[key] = rest; len(rest) == 0 {
					delete(ix.entries, key)
				}
			}
		}
	}
}

func (ix index) enter(e *entry, attrs map[string]any) {
	for _, key := range keysOf(ix.path.Get(attrs)) {
		if same := ix.entries[key]; len(same) == 0 || same[len(same)-1] != e { // an entry may have a value twice
			ix.entries[key] = append(same, e)
		}
	}
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
