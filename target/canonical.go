package target

import (
	"slices"
	"strings"
)

// CanonicalValues are the values that an application's schema suggests for an attribute
// (canonicalValues, RFC 7643, section 7).
type CanonicalValues struct {
	Values    []string
	CaseExact bool // upper and lower case differ
}

// Has reports whether a value is one of them.
func (c CanonicalValues) Has(value string) bool {
	return slices.ContainsFunc(c.Values, func(known string) bool {
		return known == value || !c.CaseExact && strings.EqualFold(known, value)
	})
}

// Near returns the candidate that was probably meant by a misspelled word, "" for none. Of a short
// word nothing is near.
func Near(word string, candidates []string) string { return nearName(word, candidates) }
