package evaluation

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"entrasync/cmd/internal/console"
	"entrasync/reconcile/mapping"
)

const format = "entrasync/eval/1"

// Document returns the outcome as `eval --json` prints it.
func (o *Outcome) Document() any {
	type failed struct {
		Kind    mapping.Kind `json:"kind"`
		Message string       `json:"message"`
		Column  int          `json:"column"`
		Hint    string       `json:"hint,omitempty"`
	}
	ignored := func(what string) any {
		return struct {
			Format string `json:"format"`
			Ignore string `json:"ignore"`
		}{format, what}
	}
	switch {
	case o.Err != nil:
		return struct {
			Format string `json:"format"`
			Error  failed `json:"error"`
		}{format, failed{o.Err.Kind, o.Err.Message, o.Err.Column, o.Err.Hint}}
	case o.Value.Type() == mapping.IgnoreAttribute:
		return ignored("attribute")
	case o.Value.Type() == mapping.IgnoreObject:
		return ignored("object")
	}
	return struct {
		Format string `json:"format"`
		Value  any    `json:"value"`
	}{format, o.Value.Any()}
}

// Text returns the value on one line: text as it is, everything else as JSON.
func (o *Outcome) Text() string {
	switch o.Value.Type() {
	case mapping.String, mapping.Date:
		return o.Value.Shown()
	case mapping.IgnoreAttribute:
		return "(ignored: the attribute is left as it is)"
	case mapping.IgnoreObject:
		return "(ignored: the object is left out)"
	}
	return shown(o.Value)
}

// WriteSteps writes each part of the expression with its value, indented by its depth.
func (o *Outcome) WriteSteps(w io.Writer) error {
	for _, step := range o.Steps {
		came := shown(step.Value)
		switch {
		case step.Unused:
			came = "(not evaluated)"
		case step.Err != nil:
			came = "error: " + step.Err.Message
		}
		if _, err := fmt.Fprintf(w, "  %s%s  →  %s\n", strings.Repeat("  ", step.Depth), shortened(oneLine(step.Text), 100), oneLine(came)); err != nil {
			return fmt.Errorf("write steps: %w", err)
		}
	}
	return nil
}

// WriteError writes what is wrong, with a caret under the place and what to do.
func (o *Outcome) WriteError(w io.Writer) error {
	line, caret := excerpt(o.Expression, o.Err.Column)
	text := fmt.Sprintf("%s (%s, column %d)\n    %s\n    %s\n", oneLine(o.Err.Message), o.Err.Kind, o.Err.Column, line, caret)
	if o.Err.Hint != "" {
		text += "  → " + oneLine(o.Err.Hint) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// excerpt returns the line of the expression that a column, counted over the whole text, is
// on, cut to what fits a terminal, and the caret that goes below it.
func excerpt(expression string, column int) (line, caret string) {
	const around = 50
	runes := []rune(expression)
	at := min(max(column-1, 0), len(runes))
	from, to := at, at
	for from > 0 && runes[from-1] != '\n' && at-from < around {
		from--
	}
	for to < len(runes) && runes[to] != '\n' && to-at < around {
		to++
	}
	before, after := "", ""
	if from > 0 && runes[from-1] != '\n' {
		before = "…"
	}
	if to < len(runes) && runes[to] != '\n' {
		after = "…"
	}
	return before + oneLine(string(runes[from:to])) + after, strings.Repeat(" ", at-from+utf8.RuneCountInString(before)) + "^"
}

// shown returns a value in one line, masked where it must be.
func shown(v mapping.Value) string {
	switch {
	case v.Redacted():
		return v.Shown()
	case v.Type() == mapping.IgnoreAttribute:
		return "(ignore this attribute)"
	case v.Type() == mapping.IgnoreObject:
		return "(ignore this object)"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v.Any()); err != nil {
		return fmt.Sprint(v.Any())
	}
	return shortened(oneLine(strings.TrimSuffix(b.String(), "\n")), 500)
}

// oneLine replaces each character that is not printable, so that columns stay.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !strconv.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

func shortened(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// Print prints the outcome for people: the value to out, a mistake and notes to notes. With explain it prints the
// value of each part, too. Only an error of writing is returned.
func (o *Outcome) Print(out, notes io.Writer, explain bool) error {
	for _, warning := range o.Warnings {
		fmt.Fprintf(notes, "note: %s\n", console.Printable(warning))
	}
	if o.Err != nil {
		fmt.Fprint(notes, "entrasync: ")
		if err := o.WriteError(notes); err != nil || !explain {
			return err
		}
		return o.WriteSteps(notes)
	}
	text := o.Text()
	if console.IsTerminal(out) {
		text = console.Printable(text)
	}
	if _, err := fmt.Fprintln(out, text); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if o.Redacted {
		fmt.Fprintln(notes, "note: the expression calls Redact, so the value is hidden here as in plans and logs; --json prints it")
	}
	if explain {
		return o.WriteSteps(out)
	}
	return nil
}
