package file

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"entrasync/target"
)

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
