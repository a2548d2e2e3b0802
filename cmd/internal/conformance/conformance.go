// Package conformance runs the rules of target/targettest against an application and tells people what came of it:
// the rule, why it matters, and what was sent and received where it is broken.
package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/console"
	"entrasync/target"
	"entrasync/target/targettest"
)

// Format names the document of --json.
const Format = "entrasync/target-test/1"

// A Document is what --json prints.
type Document struct {
	Format  string               `json:"format"`
	Target  string               `json:"target"`
	Summary Summary              `json:"summary"`
	Rules   []targettest.Outcome `json:"rules"`
}

// A Summary counts rules.
type Summary struct {
	Kept      int `json:"kept"`
	Broken    int `json:"broken"`
	NotTested int `json:"not_tested"`
}

// A Run is one examination of an application.
type Run struct {
	Target string // how people know it
	Open   func() (target.Adapter, error)
	Rules  []string
	Users  int // that make up several pages of a listing
}

// Notice says before anything is written what will be.
func (r *Run) Notice() string {
	const members = 250 // of the rule members-many
	return fmt.Sprintf(`This tests %s by making up to %d accounts at a time, and groups of them, changing and deleting them.
Their names end in a random subdomain of example.com. No other account is written to. All accounts are listed several times.
`, r.Target, max(r.Users, members))
}

// Check refuses rules that do not exist.
func (r *Run) Check() error {
	known := targettest.RuleNames()
	for _, name := range r.Rules {
		found := false
		for _, rule := range known {
			found = found || rule == name
		}
		if !found {
			return advice.With(fmt.Errorf("there is no rule %q", name), fmt.Sprintf("the rules are %v", known))
		}
	}
	return nil
}

// Do tries the rules. Each outcome is handed over when it is known, nil: none is wanted.
func (r *Run) Do(ctx context.Context, each func(*targettest.Outcome)) (*Document, error) {
	document := &Document{Format: Format, Target: r.Target, Rules: []targettest.Outcome{}}
	without, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	err = targettest.Examine(ctx, targettest.Subject{Open: r.Open, Without: without, Rules: r.Rules, Many: r.Users}, func(o targettest.Outcome) {
		switch o.Result {
		case targettest.Kept:
			document.Summary.Kept++
		case targettest.Broken:
			document.Summary.Broken++
		default:
			document.Summary.NotTested++
		}
		document.Rules = append(document.Rules, o)
		if each != nil {
			each(&o)
		}
	})
	return document, err
}

// reach asks the application whether it works at all: else every rule would be broken for the same reason. without
// are the attributes that it says it does not have.
func (r *Run) reach(ctx context.Context) (without []string, err error) {
	adapter, err := r.Open()
	if err != nil {
		return nil, err
	}
	if !targettest.Readable(adapter) {
		return nil, advice.With(targettest.ErrCannotBeRead, "a receiver with events_only cannot be tested; check tells whether it can be reached")
	}
	profile, err := adapter.Probe(ctx, map[target.Kind][]target.Path{target.User: targettest.Paths()})
	if closer, ok := adapter.(target.Closer); ok {
		err = errors.Join(err, closer.Close(context.WithoutCancel(ctx)))
	}
	var failure *target.Error
	if errors.As(err, &failure) && failure.Hint != "" {
		return nil, advice.With(fmt.Errorf("the target does not answer: %w", err), failure.Hint)
	}
	if profile != nil {
		without = slices.Sorted(maps.Keys(profile.Unknown))
	}
	return without, err
}

// A Printer writes outcomes for people.
type Printer struct {
	Out   io.Writer
	Paint func(code, text string) string
}

// Outcome prints one rule: in a line when it is kept, with what was sent and received when it is broken.
func (p Printer) Outcome(o *targettest.Outcome) {
	colour := map[string]string{targettest.Kept: console.Green, targettest.Broken: console.Red}[o.Result]
	fmt.Fprintf(p.Out, "%s %s\n", p.Paint(colour, fmt.Sprintf("%-10s", o.Result)), o.Rule)
	if o.Result != targettest.Kept {
		fmt.Fprintf(p.Out, "  the rule: %s.\n", o.About)
		fmt.Fprintf(p.Out, "  the target: %s\n", console.Printable(o.Why))
	}
	for _, call := range o.Calls {
		fmt.Fprintf(p.Out, "    %s%s\n", console.Printable(call.Call), content(call.Sent))
		switch {
		case call.Error != "":
			fmt.Fprintf(p.Out, "      error: %s\n", console.Printable(call.Error))
		case call.Received != nil:
			fmt.Fprintf(p.Out, "      →%s\n", content(call.Received))
		}
	}
	for _, note := range o.Notes {
		fmt.Fprintf(p.Out, "  note: %s\n", console.Printable(note))
	}
	for _, left := range o.Left {
		fmt.Fprintf(p.Out, "  left behind, delete it by hand: %s\n", console.Printable(left))
	}
}

// Summary prints the figures.
func (p Printer) Summary(d *Document) {
	fmt.Fprintf(p.Out, "%d rules kept, %d broken, %d not tested\n", d.Summary.Kept, d.Summary.Broken, d.Summary.NotTested)
}

// content is a value on one line, shortened.
func content(value any) string {
	if value == nil {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	const most = 600
	if runes := []rune(string(text)); len(runes) > most {
		return " " + console.Printable(string(runes[:most])) + "…"
	}
	return " " + console.Printable(string(text))
}
