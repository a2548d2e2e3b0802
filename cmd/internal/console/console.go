// Package console writes text for people: tables that fit the terminal, colour, progress, times in the machine's
// zone, and text of others that cannot steer the terminal.
//
// It knows nothing of what it prints, and decides nothing. It promises that a row is one line where the output is
// no terminal, so that scripts can cut it, and that nothing is coloured there.
package console

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// An Output is where text for people goes.
type Output struct {
	W       io.Writer
	Colour  bool
	Columns int // width of the terminal in cells, 0 when it is none or not known
}

// To describes a stream: a terminal may be coloured, unless the user does not want that (https://no-color.org).
func To(w io.Writer, mayColour bool) Output {
	return Output{W: w, Colour: mayColour && IsTerminal(w), Columns: Columns(w)}
}

// IsTerminal reports whether a stream is a terminal a person looks at. A stream of a remote client says so itself,
// by a method Terminal.
func IsTerminal(w io.Writer) bool {
	if remote, ok := w.(interface{ Terminal() bool }); ok {
		return remote.Terminal()
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Columns returns how many cells wide the terminal of a stream is, 0 when it is none or not known. A stream of a
// remote client says so itself, by a method Columns.
func Columns(w io.Writer) int {
	if remote, ok := w.(interface{ Columns() int }); ok {
		return remote.Columns()
	}
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// Codes of [Output.Paint] (ECMA-48, SGR).
const (
	Bold   = "1"
	Faint  = "2"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Cyan   = "36"
)

// Paint colours text where the output may be coloured.
func (o Output) Paint(code, text string) string {
	if !o.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Printable keeps what comes from a directory or an application from steering the terminal: control characters
// and those that change the direction of text are replaced.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, s)
}

// LocalTime writes a time for people: in the machine's zone, which it names.
func LocalTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// LocalTimeOr is [LocalTime], "-" for the zero time.
func LocalTimeOr(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return LocalTime(t)
}
