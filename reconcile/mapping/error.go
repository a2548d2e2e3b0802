package mapping

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// A Kind says what sort of mistake an expression made. Its words are stable: `eval --json`
// prints them.
type Kind string

// The kinds of errors.
const (
	Parse           Kind = "parse"            // not the language's grammar
	UnknownFunction Kind = "unknown_function" // no such function in the language
	Arity           Kind = "arity"            // too few, too many or the wrong set of arguments
	TypeMismatch    Kind = "type"             // a conversion, a date that does not fit its format, an interval
	Index           Kind = "index"            // Item outside of its list
	Range           Kind = "range"            // a number or a size outside of what is allowed
	Regex           Kind = "regex"            // a pattern that is malformed or cannot be run here
	Nested          Kind = "nested"           // SelectUniqueValue inside another function
	NotUnique       Kind = "not_unique"       // every candidate of SelectUniqueValue is taken
	UnknownProperty Kind = "unknown_property" // no such property, or one that the object was not read with
	Custom          Kind = "custom"           // the expression's own Error(...)
)

// An Error is why an expression cannot be compiled or has no value for an object.
type Error struct {
	Kind    Kind
	Message string // one sentence; holds no value of an expression with Redact
	Column  int    // 1-based, in characters of the whole text, of the blamed part
	Hint    string // what to do, may be empty
	Err     error  // cause outside of the expression, may be nil
}

// Error returns the message, the column and the hint.
func (e *Error) Error() string {
	s := fmt.Sprintf("column %d: %s", e.Column, e.Message)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// errSeveralRoles is the cause of SingleAppRoleAssignment's error, for its own problem code.
var errSeveralRoles = errors.New("several app roles")

// nearest returns the candidate closest to word, or "" when none is close enough to be meant.
func nearest(word string, candidates []string) string {
	length := utf8.RuneCountInString(word)
	best, distance := "", min(1+max(1, length/3), max(1, length))
	lower := strings.ToLower(word)
	for _, candidate := range candidates {
		if d := levenshtein.ComputeDistance(lower, strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}
