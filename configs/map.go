package configs

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"
)

// A Map is a section with names of the user's choice, in the order written.
type Map[V any] []Entry[V]

// An Entry is one name of a Map and what is under it.
type Entry[V any] struct {
	Name  string
	Pos   Position // of the name
	Value V
}

// Get returns what is under a name.
func (m Map[V]) Get(name string) (V, bool) {
	for _, e := range m {
		if e.Name == name {
			return e.Value, true
		}
	}
	var none V
	return none, false
}

// All yields names and values in the order written.
func (m Map[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, e := range m {
			if !yield(e.Name, e.Value) {
				return
			}
		}
	}
}

// Names returns the names in the order written.
func (m Map[V]) Names() []string {
	names := make([]string, len(m))
	for i, e := range m {
		names[i] = e.Name
	}
	return names
}

// MarshalJSON writes an object with the names in the order written, without places.
func (m Map[V]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, e := range m {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.Value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func (m *Map[V]) decode(d *decoder, n *node, key string, f field) {
	if n.kind != section {
		d.wrong(n, key, "a section of keys")
		return
	}
	*m = make(Map[V], len(n.pairs))
	for i, p := range n.pairs {
		e := &(*m)[i]
		e.Name, e.Pos = p.key, p.value.key
		d.value(p.value, reflect.ValueOf(&e.Value).Elem(), join(key, p.key), field{})
	}
	if f.required && len(*m) == 0 {
		d.faults.add(n.key, key, "", "%s is empty", key)
	}
}
