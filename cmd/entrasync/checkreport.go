package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/cmd/internal/advice"
	"entrasync/configs"
)

// A finding is one thing `check` tested.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// A warning is something that works and deserves a look.
type warning struct {
	Check   string `json:"check"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// A section is what one connection, or the configuration, came to.
type section struct {
	checks   []finding
	warnings []warning
}

func passed(what, detail string) finding { return finding{Check: what, OK: true, Detail: detail} }

func failed(what string, err error) finding {
	return finding{Check: what, Detail: err.Error(), Hint: advice.Of(err)}
}

func (s *section) pass(what, format string, args ...any) {
	s.checks = append(s.checks, passed(what, fmt.Sprintf(format, args...)))
}

func (s *section) fail(what string, err error) { s.checks = append(s.checks, failed(what, err)) }

// test adds a failure when there is an error, else detail.
func (s *section) test(what string, err error, detail string) {
	if err != nil {
		s.fail(what, err)
		return
	}
	s.pass(what, "%s", detail)
}

func (s *section) warn(what, message, hint string) {
	s.warnings = append(s.warnings, warning{Check: what, Message: message, Hint: hint})
}

// show prints a section for people and keeps it for the document.
func (c *checker) show(s *section) {
	c.report.checks = append(c.report.checks, s.checks...)
	c.report.warnings = append(c.report.warnings, s.warnings...)
	if c.json {
		return
	}
	line := func(mark, what, text, hint string) {
		fmt.Fprintf(c.out, "%s %s: %s\n", mark, what, printable(text))
		if hint != "" {
			fmt.Fprintf(c.out, "  → %s\n", printable(hint))
		}
	}
	for _, f := range s.checks {
		mark := c.paint("32", "✓")
		if !f.OK {
			mark = c.paint("31", "✗")
		}
		line(mark, f.Check, f.Detail, f.Hint)
	}
	for _, w := range s.warnings {
		line(c.paint("33", "!"), w.Check, w.Message, w.Hint)
	}
}

// finish prints the document and returns how the command ends.
func (c *checker) finish(faults configs.Faults) error {
	ok := len(faults) == 0
	for _, f := range c.report.checks {
		ok = ok && f.OK
	}
	if c.json {
		document := struct {
			Format   string          `json:"format"`
			OK       bool            `json:"ok"`
			Checks   []finding       `json:"checks"`
			Faults   []configs.Fault `json:"faults"`
			Warnings []warning       `json:"warnings"`
		}{"entrasync/check/1", ok, c.report.checks, faults, c.report.warnings}
		if document.Checks == nil {
			document.Checks = []finding{}
		}
		if document.Faults == nil {
			document.Faults = []configs.Fault{}
		}
		if document.Warnings == nil {
			document.Warnings = []warning{}
		}
		if err := c.printJSON(document); err != nil {
			return err
		}
	}
	if !ok {
		return exitError(exitFailed)
	}
	return nil
}

// checksAtOnce is how many connections are tested at the same time.
const checksAtOnce = 8

// each tests n connections, several at a time, and shows what each came to in their order. Each has
// limit to answer: one that hangs must not keep the others from being reported.
func (c *checker) each(ctx context.Context, n int, limit time.Duration, test func(ctx context.Context, i int, s *section)) {
	done := make([]chan *section, n)
	var group errgroup.Group
	group.SetLimit(checksAtOnce)
	for i := range done {
		done[i] = make(chan *section, 1)
	}
	go func() {
		for i := range done {
			group.Go(func() error {
				var s section
				limited, cancel := context.WithTimeoutCause(ctx, limit, errTooSlow)
				defer cancel()
				test(limited, i, &s)
				s.explainTimeout(limited, limit)
				done[i] <- &s
				return nil
			})
		}
	}()
	for i := range done {
		c.show(<-done[i])
	}
}

var errTooSlow = errors.New("the check took too long")

// explainTimeout rewrites the failure of a test that ran into its time limit.
func (s *section) explainTimeout(ctx context.Context, limit time.Duration) {
	if !errors.Is(context.Cause(ctx), errTooSlow) || len(s.checks) == 0 {
		return
	}
	if last := &s.checks[len(s.checks)-1]; !last.OK {
		last.Detail = fmt.Sprintf("no complete answer within %s: %s", limit, last.Detail)
		last.Hint = "see that the address is right, that it can be reached from this machine, and that it is not overloaded"
	}
}
