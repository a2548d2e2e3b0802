package target

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// DecodeJSON reads one JSON value without losing a digit of a number: ids are text, also where a
// server writes them as numbers. A number is a float64 where that has the same digits, else a
// [json.Number] (RFC 8259, section 6, leaves the precision of numbers to the reader).
func DecodeJSON(data []byte) (any, error) {
	if !json.Valid(data) {
		var value any
		return nil, json.Unmarshal(data, &value) // says where it ends to be JSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	return exact(value), nil
}

// UnmarshalJSON reads a resource as [DecodeJSON] reads values.
func (r *Resource) UnmarshalJSON(data []byte) error {
	type plain Resource
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var read plain
	if err := dec.Decode(&read); err != nil {
		return err
	}
	exact(read.Attributes)
	*r = Resource(read)
	return nil
}

// Digits returns a value that may be an id as text: a string, or a number digit for digit. It is
// "" for anything else.
func Digits(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return ""
}

// exact replaces the numbers of a decoded value, in place, that a float64 holds digit for digit.
func exact(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = exact(member)
		}
	case []any:
		for i, element := range value {
			value[i] = exact(element)
		}
	case json.Number:
		if f, err := value.Float64(); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == value.String() {
			return f
		}
	}
	return value
}
