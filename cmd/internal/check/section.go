package check

import (
	"fmt"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/console"
	"entrasync/configs"
)

// A Finding is one thing `check` tested.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// A Warning is something that works and deserves a look.
type Warning struct {
	Check   string `json:"check"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// A Section is what one connection, or the configuration, came to.
type Section struct {
	Checks   []Finding
	Warnings []Warning
}

// Pass adds what was found in order.
func (s *Section) Pass(what, format string, args ...any) {
	s.Checks = append(s.Checks, Finding{Check: what, OK: true, Detail: fmt.Sprintf(format, args...)})
}

// Fail adds what is not in order, with the advice that its error carries.
func (s *Section) Fail(what string, err error) {
	s.Checks = append(s.Checks, Finding{Check: what, Detail: err.Error(), Hint: advice.Of(err)})
}

// test adds a failure when there is an error, else detail.
func (s *Section) test(what string, err error, detail string) {
	if err != nil {
		s.Fail(what, err)
		return
	}
	s.Pass(what, "%s", detail)
}

func (s *Section) warn(what, message, hint string) {
	s.Warnings = append(s.Warnings, Warning{Check: what, Message: message, Hint: hint})
}

// Print shows a section to people.
func Print(o console.Output, s *Section) {
	line := func(mark, what, text, hint string) {
		fmt.Fprintf(o.W, "%s %s: %s\n", mark, what, console.Printable(text))
		if hint != "" {
			fmt.Fprintf(o.W, "  → %s\n", console.Printable(hint))
		}
	}
	for _, f := range s.Checks {
		mark := o.Paint(console.Green, "✓")
		if !f.OK {
			mark = o.Paint(console.Red, "✗")
		}
		line(mark, f.Check, f.Detail, f.Hint)
	}
	for _, w := range s.Warnings {
		line(o.Paint(console.Yellow, "!"), w.Check, w.Message, w.Hint)
	}
}

// A Document is what `check --json` prints.
type Document struct {
	Format   string          `json:"format"`
	OK       bool            `json:"ok"`
	Checks   []Finding       `json:"checks"`
	Faults   []configs.Fault `json:"faults"`
	Warnings []Warning       `json:"warnings"`
}

// DocumentOf makes the document of everything that was tested, or of the faults of a configuration that does not load.
func DocumentOf(tested *Section, faults configs.Faults) Document {
	d := Document{"entrasync/check/1", len(faults) == 0, []Finding{}, []configs.Fault{}, []Warning{}}
	d.Checks = append(d.Checks, tested.Checks...)
	d.Faults = append(d.Faults, faults...)
	d.Warnings = append(d.Warnings, tested.Warnings...)
	for _, f := range tested.Checks {
		d.OK = d.OK && f.OK
	}
	return d
}

// Next says what to do after a check.
func Next(ok, offline bool) string {
	switch {
	case !ok:
		return "Next: correct what is marked, then entrasync check"
	case offline:
		return "Next: entrasync check, which tests each connection, too"
	}
	return "Next: entrasync plan, which shows what would change and changes nothing"
}
