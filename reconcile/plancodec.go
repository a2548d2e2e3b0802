package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // our own types: cannot fail
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func decode(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read stored plan: %w", err)
	}
	return nil
}

// ops are the operations by the byte that stands for them before a stored action, so that a
// plan can be counted without reading it. The order is part of the stored form.
var ops = []Op{Create, Adopt, Update, Deactivate, Reactivate, Delete, Members, Unlink}

func encodeAction(a *storedAction) []byte {
	return append([]byte{byte(slices.Index(ops, a.Op))}, encode(a)...)
}

// opOf returns the operation of a stored action.
func opOf(raw []byte) Op {
	if len(raw) == 0 || int(raw[0]) >= len(ops) {
		return ""
	}
	return ops[raw[0]]
}

func decodeAction(b []byte) (storedAction, error) {
	var a storedAction
	if opOf(b) == "" {
		return a, fmt.Errorf("read stored plan: an entry without an operation")
	}
	dec := json.NewDecoder(bytes.NewReader(b[1:]))
	dec.UseNumber()
	if err := dec.Decode(&a); err != nil {
		return a, fmt.Errorf("read stored plan: %w", err)
	}
	return a, nil
}
