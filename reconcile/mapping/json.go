package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// FromJSON reads a property as Graph sent it. Text that is not JSON is an error.
func FromJSON(raw []byte) (Value, error) {
	if v, ok := plainJSON(raw); ok {
		return v, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return Value{}, fmt.Errorf("read value: %w", err)
	}
	if decoder.More() {
		return Value{}, fmt.Errorf("read value: more than one JSON value")
	}
	return FromAny(v), nil
}

// plainJSON reads the usual values without a decoder: words, strings without escapes, and
// lists of them. ok is false for everything else.
func plainJSON(raw []byte) (v Value, ok bool) {
	if len(raw) == 0 {
		return Value{}, false
	}
	switch raw[0] {
	case '"':
		end := plainString(raw)
		if end != len(raw) {
			return Value{}, false
		}
		return StringValue(string(raw[1 : end-1])), true
	case '[':
		return plainList(raw)
	case 'n':
		return Value{}, string(raw) == "null"
	case 't':
		return BoolValue(true), string(raw) == "true"
	case 'f':
		return BoolValue(false), string(raw) == "false"
	}
	return Value{}, false
}

// plainString returns where the string that raw begins with ends, 0 if it has escapes or is no
// valid string.
func plainString(raw []byte) int {
	multibyte := false
	for i := 1; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			if multibyte && !utf8.Valid(raw[1:i]) {
				return 0
			}
			return i + 1
		case c == '\\' || c < 0x20:
			return 0
		case c >= utf8.RuneSelf:
			multibyte = true
		}
	}
	return 0
}

func plainList(raw []byte) (Value, bool) {
	items := make([]Value, 0, 2)
	for i := 1; i < len(raw); i++ {
		if raw[i] == ']' && len(items) == 0 {
			return ListValue(), i == len(raw)-1
		}
		if raw[i] != '"' {
			return Value{}, false
		}
		end := plainString(raw[i:])
		if end == 0 || i+end >= len(raw) {
			return Value{}, false
		}
		items = append(items, StringValue(string(raw[i+1:i+end-1])))
		switch i += end; raw[i] {
		case ',':
		case ']':
			return ListValue(items...), i == len(raw)-1
		default:
			return Value{}, false
		}
	}
	return Value{}, false
}
