package plan

import (
	"encoding/binary"
	"errors"
	"reflect"
	"unicode/utf8"

	"entrasync/graphsync"
)

// The binary form of a stored action: a third of the size of its JSON, and read in a tenth of the time. It has
// what nearly every action has; the rest, such as holds, follows as JSON where there is any.
//
// Numbers are uvarints, texts have their length before them, lists have one more than their length so that nil
// differs from empty.

// Bits that say which optional parts a stored action has.
const (
	hasTarget = 1 << iota
	hasVia
	hasRest
)

// The bytes before the values of changes.
const (
	valueNull = iota
	valueFalse
	valueTrue
	valueText
	valueJSON
)

// appendAction appends the stored form of an action.
func appendAction(b []byte, a *StoredAction) []byte {
	rest := *a
	rest.Action, rest.Match, rest.Via = Action{Name: a.Name}, nil, graphsync.ID{}
	var parts byte
	if a.TargetID != nil {
		parts |= hasTarget
	}
	if !a.Via.IsZero() {
		parts |= hasVia
	}
	if !reflect.ValueOf(&rest).Elem().IsZero() {
		parts |= hasRest
	}
	b = append(b, opByte(a.Op), parts, byte(a.Kind))
	b = append(b, a.SourceID[:]...)
	if a.TargetID != nil {
		b = appendText(b, *a.TargetID)
	}
	if !a.Via.IsZero() {
		b = append(b, a.Via[:]...)
	}
	b = appendText(appendText(appendText(b, a.Key), a.Why), a.Cause)
	b = appendTextList(appendTextList(b, a.Match), a.Notes)
	b = appendIDs(appendIDs(b, a.Add), a.Remove)
	b = appendLength(b, a.Changes == nil, len(a.Changes))
	for i := range a.Changes {
		c := &a.Changes[i]
		b = appendValue(appendValue(appendText(b, c.Attribute), c.Old), c.New)
	}
	if parts&hasRest != 0 {
		rest.Kind = a.Kind // none is no kind that can be read
		b = appendText(b, string(Encode(&rest)))
	}
	return b
}

func appendLength(b []byte, none bool, n int) []byte {
	if none {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(n)+1)
}

// appendText writes text as JSON would keep it: what is not UTF-8 is replaced.
func appendText(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTextList(b []byte, list []string) []byte {
	b = appendLength(b, list == nil, len(list))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendIDs(b []byte, ids []graphsync.ID) []byte {
	b = appendLength(b, ids == nil, len(ids))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, valueNull)
	case bool:
		if v {
			return append(b, valueTrue)
		}
		return append(b, valueFalse)
	case string:
		return appendText(append(b, valueText), v)
	}
	return appendText(append(b, valueJSON), string(Encode(value)))
}

var errBadAction = errors.New("read stored plan: an action cannot be read")

// An actionDecoder reads a stored action. All its texts are parts of one string.
type actionDecoder struct {
	text string // what is left
	err  error
}

func (d *actionDecoder) action(op Op) (a StoredAction) {
	parts := d.byte()
	kind := graphsync.Kind(d.byte())
	source := d.id()
	planned := Action{Op: op, Kind: kind, SourceID: source}
	if parts&hasTarget != 0 {
		text := d.string()
		planned.TargetID = &text
	}
	var via graphsync.ID
	if parts&hasVia != 0 {
		via = d.id()
	}
	planned.Key, planned.Why, planned.Cause = d.string(), d.string(), d.string()
	match := d.strings()
	planned.Notes, planned.Add, planned.Remove, planned.Changes = d.strings(), d.ids(), d.ids(), d.changes()
	if parts&hasRest != 0 {
		if err := decodeNumbers([]byte(d.string()), &a); err != nil {
			d.fail()
		}
		planned.Name = a.Name
	}
	a.Action, a.Match, a.Via = planned, match, via
	return a
}

func (d *actionDecoder) fail() { d.text, d.err = "", errBadAction }

// take returns the next n bytes.
func (d *actionDecoder) take(n int) string {
	if n < 0 || n > len(d.text) {
		d.fail()
		return ""
	}
	s := d.text[:n]
	d.text = d.text[n:]
	return s
}

func (d *actionDecoder) byte() byte {
	if s := d.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (d *actionDecoder) id() (id graphsync.ID) {
	copy(id[:], d.take(len(id)))
	return id
}

func (d *actionDecoder) uvarint() int {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		b := d.byte()
		if n |= uint64(b&0x7f) << shift; b < 0x80 {
			return int(n)
		}
	}
	d.fail()
	return 0
}

func (d *actionDecoder) string() string { return d.take(d.uvarint()) }

// length returns the length of a list whose elements take at least size bytes, -1 for nil.
func (d *actionDecoder) length(size int) int {
	n := d.uvarint() - 1
	if n > len(d.text)/size {
		d.fail()
		return -1
	}
	return n
}

func (d *actionDecoder) strings() []string {
	n := d.length(1)
	if n < 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}

func (d *actionDecoder) ids() []graphsync.ID {
	n := d.length(len(graphsync.ID{}))
	if n < 0 {
		return nil
	}
	ids := make([]graphsync.ID, n)
	for i := range ids {
		ids[i] = d.id()
	}
	return ids
}

func (d *actionDecoder) changes() []Change {
	n := d.length(3)
	if n < 0 {
		return nil
	}
	changes := make([]Change, n)
	for i := range changes {
		changes[i] = Change{Attribute: d.string(), Old: d.value(), New: d.value()}
	}
	return changes
}

func (d *actionDecoder) value() (value any) {
	switch d.byte() {
	case valueNull:
	case valueFalse:
		return false
	case valueTrue:
		return true
	case valueText:
		return d.string()
	case valueJSON:
		if err := decodeNumbers([]byte(d.string()), &value); err != nil {
			d.fail()
		}
	default:
		d.fail()
	}
	return value
}
