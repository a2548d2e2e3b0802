package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// A Position is a place in a configuration file. Line and column count from 1, columns in
// characters; they are 0 when the place is the file as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String returns file:line:column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Fault is something in a configuration that is not right.
type Fault struct {
	Position
	Key     string `json:"key"`            // dotted path of the key, such as syncs.front.to
	Message string `json:"message"`        // what is wrong; never a secret
	Hint    string `json:"hint,omitempty"` // what to write instead
}

// String returns the fault as one line: file:line:column: message; hint.
func (f Fault) String() string {
	s := f.Position.String() + ": " + f.Message
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// Faults is everything found wrong, in the order of the file. It is the error of this package.
type Faults []Fault

// Error returns one fault per line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults sorted by place and without repetitions as an error, nil when there
// are none.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(sorted, func(a, b Fault) bool {
		return a.Position == b.Position && a.Message == b.Message
	})
}

func (fs *Faults) add(at Position, key, hint, format string, args ...any) {
	*fs = append(*fs, Fault{Position: at, Key: key, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// Nearest returns the candidate that word is most likely a misspelling of, "" when none is near.
func Nearest(word string, candidates []string) string {
	if len(word) > 200 { // the distance costs the product of the lengths
		return ""
	}
	best, distance := "", max(2, len(word)/3)+1 // 2: letters in the wrong order
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(normal(word), normal(c)); d < distance && d < max(len(word), len(c)) {
			best, distance = c, d
		}
	}
	return best
}

// normal makes spellings that people take for the same the same.
func normal(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// didYouMean is the hint for a word that is not among the candidates.
func didYouMean(word string, candidates []string, what string) string {
	if near := Nearest(word, candidates); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if len(candidates) == 0 || len(candidates) > 24 {
		return ""
	}
	return what + " " + orList(candidates)
}

// orList writes "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
