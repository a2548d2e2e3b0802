package console

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"entrasync/reconcile"
)

// A Printer is where one command prints: a document or text for people on Out, notes on Err.
type Printer struct {
	Out  Output
	Err  io.Writer
	JSON bool // documents are wanted and no text
}

// Document prints a document as JSON on one line.
func (p Printer) Document(document any) error {
	enc := json.NewEncoder(p.Out.W)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// Progress draws how far a cycle is on a terminal's standard error, and nothing elsewhere.
func (p Printer) Progress(name string) (report reconcile.Progress, done func()) {
	if !IsTerminal(p.Err) || p.JSON && IsTerminal(p.Out.W) {
		return nil, func() {}
	}
	return Progress(p.Err, name)
}

// Ask asks a question on Err and returns what is typed, in lower case. ok is false where in is no terminal: nothing is
// asked then.
func (p Printer) Ask(in io.Reader, question string) (reply string, ok bool) {
	file, isFile := in.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return "", false
	}
	fmt.Fprint(p.Err, question)
	line, _ := bufio.NewReader(file).ReadString('\n')
	return strings.ToLower(strings.TrimSpace(line)), true
}
