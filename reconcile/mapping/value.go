package mapping

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Type is the type of a Value.
type Type uint8

// The types of values. Date exists between functions only and leaves an expression as text.
// IgnoreAttribute and IgnoreObject are the markers of a dropped flow.
const (
	Null Type = iota
	String
	Int
	Float
	Bool
	List
	Date
	Object
	IgnoreAttribute
	IgnoreObject
)

// A Value is what an attribute holds and what an expression evaluates to. The zero Value is
// null, which stands for an absent attribute and is not the empty string. Values are
// immutable; what they were made from must not be changed afterwards.
type Value struct {
	typ      Type
	redacted bool
	num      int64 // Int; Bool as 0 and 1; Float as bits; Date as ticks (see dates.go)
	text     string
	more     *compound
}

type compound struct {
	list   []Value
	object map[string]any // nil: the value is role
	role   role
}

// A role is an element of [appRoleAssignments].
type role struct{ id, value, displayName string }

func (r role) members() map[string]any {
	return map[string]any{"id": r.id, "value": r.value, "displayName": r.displayName}
}

// name is what the role is called in a target: its value, or display name without one.
func (r role) name() string {
	if r.value != "" {
		return r.value
	}
	return r.displayName
}

// StringValue returns a string.
func StringValue(s string) Value { return Value{typ: String, text: s} }

// IntValue returns an integer.
func IntValue(n int64) Value { return Value{typ: Int, num: n} }

// FloatValue returns a number; a whole one becomes an integer, as JSON does not tell them apart.
func FloatValue(f float64) Value {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return IntValue(int64(f))
	}
	return Value{typ: Float, num: int64(math.Float64bits(f))}
}

// BoolValue returns a boolean.
func BoolValue(b bool) Value {
	if b {
		return Value{typ: Bool, num: 1}
	}
	return Value{typ: Bool}
}

// dateValue returns an instant, which is kept to 100 nanoseconds in UTC.
func dateValue(t time.Time) Value { return Value{typ: Date, num: ticksOf(t)} }

// ListValue returns a list.
func ListValue(items ...Value) Value { return Value{typ: List, more: &compound{list: items}} }

// ObjectValue returns a complex value, such as an app role.
func ObjectValue(members map[string]any) Value {
	if members == nil {
		members = map[string]any{}
	}
	return Value{typ: Object, more: &compound{object: members}}
}

// RoleValue returns an app role, an element of [appRoleAssignments]. Disabled roles should be
// left out by the caller. id may be empty.
func RoleValue(id, value, displayName string) Value {
	return Value{typ: Object, more: &compound{role: role{id, value, displayName}}}
}

// FromAny returns the value of decoded JSON or YAML: nil, string, bool, numbers, [time.Time],
// slices and maps of them. Anything else becomes its printed text.
func FromAny(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case Value:
		return v
	case string:
		return StringValue(v)
	case bool:
		return BoolValue(v)
	case int:
		return IntValue(int64(v))
	case int64:
		return IntValue(v)
	case float64:
		return FloatValue(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return IntValue(n)
		}
		if f, err := v.Float64(); err == nil {
			return FloatValue(f)
		}
		return StringValue(v.String())
	case time.Time:
		return dateValue(v)
	case []any:
		items := make([]Value, len(v))
		for i, item := range v {
			items[i] = FromAny(item)
		}
		return ListValue(items...)
	case []string:
		items := make([]Value, len(v))
		for i, item := range v {
			items[i] = StringValue(item)
		}
		return ListValue(items...)
	case map[string]any:
		return ObjectValue(v)
	}
	return StringValue(fmt.Sprint(v))
}

// Type returns the value's type.
func (v Value) Type() Type { return v.typ }

// IsNull reports whether the value is absent.
func (v Value) IsNull() bool { return v.typ == Null }

// IsEmpty reports whether the value is null, the empty string or a list of nothing.
func (v Value) IsEmpty() bool {
	switch v.typ {
	case Null, IgnoreAttribute, IgnoreObject:
		return true
	case String:
		return v.text == ""
	case List:
		return len(v.more.list) == 0
	}
	return false
}

// items returns the elements of a list; of any other value but null, the value alone.
// The caller must not change them.
func (v Value) items() []Value {
	switch v.typ {
	case Null, IgnoreAttribute, IgnoreObject:
		return nil
	case List:
		return v.more.list
	}
	return []Value{v}
}

// member returns a member of a complex value, null when there is none.
func (v Value) member(name string) Value {
	if v.typ != Object {
		return Value{}
	}
	members := v.members()
	if value, ok := members[name]; ok {
		return FromAny(value)
	}
	for key, value := range members {
		if strings.EqualFold(key, name) {
			return FromAny(value)
		}
	}
	return Value{}
}

// Redacted reports whether the value passed through Redact and must not be shown.
func (v Value) Redacted() bool { return v.redacted }

// Text returns the value as the language writes it where a string is needed: True and False
// for booleans, M/d/yyyy h:mm:ss tt in UTC for dates, "" for null. A list is its elements with
// "; " between, a complex value its JSON; both are for display only.
func (v Value) Text() string {
	switch v.typ {
	case String:
		return v.text
	case Int:
		return strconv.FormatInt(v.num, 10)
	case Float:
		return strconv.FormatFloat(v.float(), 'f', -1, 64)
	case Bool:
		if v.num != 0 {
			return "True"
		}
		return "False"
	case Date:
		return dateText(v.num)
	case List:
		texts := make([]string, len(v.more.list))
		for i, item := range v.more.list {
			texts[i] = item.Text()
		}
		return strings.Join(texts, "; ")
	case Object:
		text, err := json.Marshal(v.members())
		if err != nil {
			return fmt.Sprint(v.members())
		}
		return string(text)
	}
	return ""
}

// Shown returns what logs and plans may show: Text, or "[Redact]" for a redacted value.
func (v Value) Shown() string {
	if v.redacted {
		return redactedText
	}
	return v.Text()
}

// redactedText is what Entra's provisioning logs show in place of a redacted value.
const redactedText = "[Redact]"

// Any returns the value as it is written to a target or as JSON: nil, string, bool, int64,
// float64, []any or map[string]any. Dates are text; markers are nil.
func (v Value) Any() any {
	switch v.typ {
	case String:
		return v.text
	case Int:
		return v.num
	case Float:
		return v.float()
	case Bool:
		return v.num != 0
	case Date:
		return dateText(v.num)
	case List:
		items := make([]any, len(v.more.list))
		for i, item := range v.more.list {
			items[i] = item.Any()
		}
		return items
	case Object:
		return v.members()
	}
	return nil
}

func (v Value) members() map[string]any {
	if v.more.object == nil {
		return v.more.role.members()
	}
	return v.more.object
}

func (v Value) float() float64 { return math.Float64frombits(uint64(v.num)) }

// scalar reports whether the value has a text of its own.
func (v Value) scalar() bool {
	switch v.typ {
	case String, Int, Float, Bool, Date:
		return true
	}
	return false
}

// number returns the text of a number: of the value's own or of text that is one.
func (v Value) number() (string, bool) {
	switch v.typ {
	case Int, Float:
		return v.Text(), true
	case String:
		if v.text == "" || v.text[0] > '9' {
			return "", false
		}
		s := strings.TrimSpace(v.text)
		return s, isNumber(s)
	}
	return "", false
}

// isNumber reports whether s is digits with an optional sign and an optional fraction.
func isNumber(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, dot := strings.Cut(s, ".")
	return isDigits(whole) && (!dot || isDigits(fraction))
}

func isDigits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// compareNumbers orders two texts that isNumber accepts, exactly and at any length.
func compareNumbers(a, b string) int {
	if len(a) <= 18 && len(b) <= 18 {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	signA, wholeA, fractionA := splitNumber(a)
	signB, wholeB, fractionB := splitNumber(b)
	if signA != signB {
		return signA - signB
	}
	order := len(wholeA) - len(wholeB)
	if order == 0 {
		order = strings.Compare(wholeA, wholeB)
	}
	if order == 0 {
		order = strings.Compare(fractionA, fractionB)
	}
	return order * signA
}

// splitNumber returns sign (0 for zero), whole part without leading and fraction without
// trailing zeros.
func splitNumber(s string) (sign int, whole, fraction string) {
	sign = 1
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	whole, fraction, _ = strings.Cut(strings.TrimLeft(s, "+-"), ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" && fraction == "" {
		sign = 0
	}
	return sign, whole, fraction
}

// size is what a value costs to keep, in bytes, for the limit of an evaluation.
func (v Value) size() int {
	n := len(v.text)
	if v.typ == List {
		for _, item := range v.more.list {
			n += 64 + len(item.text)
		}
	}
	return n
}
