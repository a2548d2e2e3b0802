package console

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A document is one line, in which the characters of HTML stay as they are.
func TestDocument(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (Printer{Out: To(&out, false)}).Document(map[string]any{"why": "a < b & c", "n": 1}); err != nil {
		t.Fatal(err)
	}
	if want := `{"n":1,"why":"a < b & c"}` + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	if err := (Printer{Out: To(&out, false)}).Document(make(chan int)); err == nil || !strings.HasPrefix(err.Error(), "write output: ") {
		t.Errorf("what is no JSON: %v", err)
	}
}

// No question is asked where there is no terminal to answer on, and no progress is drawn there.
func TestWithoutTerminal(t *testing.T) {
	t.Parallel()
	var notes bytes.Buffer
	p := Printer{Out: To(&bytes.Buffer{}, true), Err: &notes}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, in := range map[string]interface{ Read([]byte) (int, error) }{"a buffer": strings.NewReader("yes\n"), "a file": file} {
		if reply, ok := p.Ask(in, "Go ahead? "); ok || reply != "" || notes.Len() > 0 {
			t.Errorf("%s: replied %q (%t), printed %q", name, reply, ok, notes.String())
		}
	}
	if report, done := p.Progress("people"); report != nil {
		t.Error("progress is drawn on a buffer")
	} else {
		done()
	}
}

// Progress is drawn on a terminal's standard error, unless documents are printed on the same terminal.
func TestProgressIsForTerminals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p    Printer
		want bool
	}{
		{Printer{Out: To(&bytes.Buffer{}, true), Err: remote{}}, true},
		{Printer{Out: To(&bytes.Buffer{}, true), Err: remote{}, JSON: true}, true},
		{Printer{Out: To(remote{}, true), Err: remote{}}, true},
		{Printer{Out: To(remote{}, true), Err: remote{}, JSON: true}, false},
	} {
		if report, done := tt.p.Progress("people"); (report != nil) != tt.want {
			t.Errorf("JSON %t: drawn %t, want %t", tt.p.JSON, report != nil, tt.want)
		} else {
			done()
		}
	}
}
