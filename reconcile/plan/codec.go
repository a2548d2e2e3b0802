package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Encode returns the JSON form of a record of a plan, with characters of HTML as they are.
func Encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // our own types: cannot fail
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// Decode reads what Encode made.
func Decode(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read stored plan: %w", err)
	}
	return nil
}

// Ops are the operations by the byte that stands for them before a stored action, so that a
// plan can be counted without reading it. The order is part of the stored form.
var Ops = []Op{Create, Adopt, Update, Deactivate, Reactivate, Delete, Members, Unlink}

// EncodeAction returns the stored form of an action: a byte for its operation, then JSON.
func EncodeAction(a *StoredAction) []byte {
	return append([]byte{byte(slices.Index(Ops, a.Op))}, Encode(a)...)
}

// OpOf returns the operation of a stored action.
func OpOf(raw []byte) Op {
	if len(raw) == 0 || int(raw[0]) >= len(Ops) {
		return ""
	}
	return Ops[raw[0]]
}

// DecodeAction reads what EncodeAction made. Numbers keep their digits.
func DecodeAction(b []byte) (StoredAction, error) {
	var a StoredAction
	if OpOf(b) == "" {
		return a, fmt.Errorf("read stored plan: an entry without an operation")
	}
	dec := json.NewDecoder(bytes.NewReader(b[1:]))
	dec.UseNumber()
	if err := dec.Decode(&a); err != nil {
		return a, fmt.Errorf("read stored plan: %w", err)
	}
	return a, nil
}
