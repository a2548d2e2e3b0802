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

// binaryForm is set in the first byte of an action in the form of appendAction. Without it the rest of the record
// is JSON, as versions before wrote the rejected actions that they kept.
const binaryForm = 0x80

// EncodeAction returns the stored form of an action.
func EncodeAction(a *StoredAction) []byte { return appendAction(make([]byte, 0, 512), a) }

// OpOf returns the operation of a stored action.
func OpOf(raw []byte) Op {
	if len(raw) == 0 || int(raw[0]&^binaryForm) >= len(Ops) {
		return ""
	}
	return Ops[raw[0]&^binaryForm]
}

// DecodeAction reads what EncodeAction made, also that of versions before. Numbers keep their digits.
func DecodeAction(b []byte) (StoredAction, error) {
	var a StoredAction
	if OpOf(b) == "" {
		return a, fmt.Errorf("read stored plan: an entry without an operation")
	}
	if b[0]&binaryForm != 0 {
		d := actionDecoder{text: string(b[1:])}
		a = d.action(OpOf(b))
		if d.err == nil && d.text != "" {
			d.fail()
		}
		return a, d.err
	}
	if err := decodeNumbers(b[1:], &a); err != nil {
		return a, fmt.Errorf("read stored plan: %w", err)
	}
	return a, nil
}

// decodeNumbers decodes JSON and keeps every digit of its numbers.
func decodeNumbers(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}

func opByte(op Op) byte { return byte(slices.Index(Ops, op)) | binaryForm }
