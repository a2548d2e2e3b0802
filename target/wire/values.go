package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/target"
)

// written are attributes as they are sent. Of a new resource what is nil is left out.
func written(attributes []target.Attribute, creating bool) Attributes {
	all := make(Attributes, len(attributes))
	for _, a := range attributes {
		if a.Value != nil || !creating {
			all[a.Path.Canonical()] = a.Value
		}
	}
	return all
}

// before are the values that were last written to attributes.
func before(attributes []target.Attribute) Attributes {
	var all Attributes
	for _, a := range attributes {
		if a.Old == nil {
			continue
		}
		if all == nil {
			all = Attributes{}
		}
		all[a.Path.Canonical()] = a.Old
	}
	return all
}

// resource reads a resource of an answer.
func resource(op string, kind target.Kind, r *Resource) (*target.Resource, error) {
	id := idText(r.ID)
	if id == "" {
		return nil, nonsense(op, false, "a resource has no id")
	}
	attributes := map[string]any{}
	// Shorter paths first: what names a part of an attribute completes what names the whole.
	keys := slices.SortedFunc(maps.Keys(r.Attributes), func(a, b string) int {
		return cmpOr(len(a)-len(b), strings.Compare(a, b))
	})
	for _, key := range keys {
		path, err := target.ParsePath(key)
		if err != nil {
			return nil, nonsense(op, false, fmt.Sprintf("resource %.100q has an attribute that is no path: %s", target.Clean(id), target.Clean(err.Error())))
		}
		path.Set(attributes, r.Attributes[key])
	}
	attributes["id"] = id
	return &target.Resource{Ref: target.Ref{Kind: kind, ID: id}, Attributes: attributes}, nil
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// idText is an id that is a text or a number, "" for anything else.
func idText(raw json.RawMessage) string {
	value, err := target.DecodeJSON(raw)
	if err != nil {
		return ""
	}
	return target.Digits(value)
}

// UnmarshalJSON keeps every digit of numbers, see [target.DecodeJSON].
func (a *Attributes) UnmarshalJSON(data []byte) error {
	value, err := target.DecodeJSON(data)
	if err != nil {
		return err
	}
	object, ok := value.(map[string]any)
	if !ok && value != nil {
		return fmt.Errorf("attributes are not an object")
	}
	*a = object
	return nil
}

// encode writes a message as one line without its end.
func encode(m message) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
