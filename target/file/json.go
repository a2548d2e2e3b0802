package file

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"entrasync/target"
)

// appendJSON appends a value as encoding/json writes it, with <, > and & readable. What most values are is written here:
// it takes a third of the time.
func appendJSON(b []byte, value any) []byte {
	switch value := value.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, value)
	case string:
		if isPlain(value) {
			return append(append(append(b, '"'), value...), '"')
		}
	case []any:
		if value == nil {
			return append(b, "null"...)
		}
		b = append(b, '[')
		for i, element := range value {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, element)
		}
		return append(b, ']')
	case map[string]any:
		if value == nil {
			return append(b, "null"...)
		}
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(value)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(append(appendJSON(b, name), ':'), value[name])
		}
		return append(b, '}')
	}
	var other bytes.Buffer
	enc := json.NewEncoder(&other)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(err) // strings, numbers, bools, lists and maps of them always encode
	}
	return append(b, bytes.TrimSuffix(other.Bytes(), []byte{'\n'})...)
}

// isPlain reports whether a text is written between quotes as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// decoded returns what reading a line back that was written of a resource's attributes gives. ok is false when only
// reading can tell.
func decoded(ref target.Ref, attrs map[string]any) (copied map[string]any, ok bool) {
	value, ok := copyOf(attrs)
	if copied, _ = value.(map[string]any); !ok || copied == nil || !utf8.ValidString(ref.ID) {
		return nil, false
	}
	copied["id"], copied["meta"] = ref.ID, nil
	copied["meta"], ok = copyOf(metaOf(ref, attrs))
	return copied, ok
}

// copyOf copies a value that JSON keeps as it is; ok is false for others, such as integers.
func copyOf(value any) (copied any, ok bool) {
	switch value := value.(type) {
	case nil, bool:
		return value, true
	case string:
		return value, utf8.ValidString(value)
	case []any:
		if value == nil {
			return nil, true
		}
		list := make([]any, len(value))
		for i, element := range value {
			if list[i], ok = copyOf(element); !ok {
				return nil, false
			}
		}
		return list, true
	case map[string]any:
		if value == nil {
			return nil, true
		}
		object := make(map[string]any, len(value)+2)
		for name, element := range value {
			if object[name], ok = copyOf(element); !ok || !utf8.ValidString(name) {
				return nil, false
			}
		}
		return object, true
	}
	return nil, false
}
