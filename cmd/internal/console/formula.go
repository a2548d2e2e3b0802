package console

import (
	"regexp"
	"strings"
)

// sumOnly is a value that a spreadsheet may take for a number or a sum, and nothing worse: a telephone
// number often begins with a plus.
var sumOnly = regexp.MustCompile(`^[+-][0-9 ()./-]*$`)

// WithoutFormula keeps a spreadsheet from running a value as a formula: people open the file before they
// import it, and the owner of an account may have chosen the value (CWE-1236).
func WithoutFormula(value string) string {
	if value == "" || !strings.ContainsRune("=+-@\t\r＝＋－＠|%", []rune(value)[0]) || sumOnly.MatchString(value) {
		return value
	}
	return "'" + value
}
