package console

import (
	"bytes"
	"strings"
	"testing"
)

// Elsewhere than on a terminal each row is one line; on one, the widest column wraps so that the table fits.
func TestTable(t *testing.T) {
	t.Parallel()
	rows := func(row func(...any)) {
		row("people", 3, "a long cause of several words that says why")
		row("x", 12, "short")
	}
	var plain bytes.Buffer
	if err := (Output{W: &plain}).Table("sync\tcount\tcause", rows); err != nil {
		t.Fatal(err)
	}
	want := "SYNC    COUNT  CAUSE\npeople  3      a long cause of several words that says why\nx       12     short\n"
	if plain.String() != want {
		t.Errorf("plain:\n%s\nwant:\n%s", plain.String(), want)
	}
	var narrow bytes.Buffer
	if err := (Output{W: &narrow, Columns: 36}).Table("sync\tcount\tcause", rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(narrow.String(), "\n"), "\n")
	if len(lines) < 5 {
		t.Errorf("it did not wrap:\n%s", narrow.String())
	}
	for _, line := range lines {
		if len(line) > 36 {
			t.Errorf("a line of %d cells: %q", len(line), line)
		}
	}
}

// What others wrote neither moves the cursor nor turns the direction of the text.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Ada Lovelace":    "Ada Lovelace",
		"Zoë 日本":          "Zoë 日本",
		"\x1b[2Jgone":     "�[2Jgone",
		"a\r\nb\tc":       "a��b�c",
		"\u009b31mred":    "�31mred",
		"user\u202egpj.x": "user�gpj.x",
		"\u2066x\u2069":   "�x�",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	var out bytes.Buffer
	if err := (Output{W: &out}).Table("name", func(row func(...any)) { row("\x1b[2Jgone") }); err != nil || strings.Contains(out.String(), "\x1b") {
		t.Errorf("a table printed %q, %v", out.String(), err)
	}
}

// A buffer is no terminal, a stream of a remote client is one when it says so, and nothing is coloured against the
// user's will.
func TestTo(t *testing.T) {
	t.Parallel()
	if o := To(&bytes.Buffer{}, true); o.Colour || o.Columns != 0 || o.Paint(Red, "x") != "x" {
		t.Errorf("a buffer: %+v", o)
	}
	if o := To(remote{}, true); !o.Colour || o.Columns != 80 || o.Paint(Red, "x") != "\x1b[31mx\x1b[0m" {
		t.Errorf("a remote terminal: %+v", o)
	}
	if o := To(remote{}, false); o.Colour || o.Paint(Red, "x") != "x" {
		t.Errorf("a terminal without colour: %+v", o)
	}
}

type remote struct{ bytes.Buffer }

func (remote) Write(p []byte) (int, error) { return len(p), nil }
func (remote) Terminal() bool              { return true }
func (remote) Columns() int                { return 80 }
