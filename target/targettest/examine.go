package targettest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrasync/target"
)

// A Subject is an application to examine outside of go test. It may be in use: only accounts that the rules make are
// written to, and they are deleted afterwards.
type Subject struct {
	// Open returns an adapter as the next process would make it.
	Open func() (target.Adapter, error)

	// Many is how many users make up several pages of a listing; 230 when 0.
	Many int

	// Without names attributes by path, of those in [Paths], that the application does not have.
	Without []string

	// Rules are the names of those to try; all when there are none.
	Rules []string
}

// The results of a rule.
const (
	Kept      = "kept"
	Broken    = "broken"
	NotTested = "not tested"
)

// An Outcome is what came of one rule.
type Outcome struct {
	Rule   string     `json:"rule"`
	About  string     `json:"about"`
	Result string     `json:"result"`
	Why    string     `json:"why,omitempty"`   // it is broken, or not tested
	Notes  []string   `json:"notes,omitempty"` // what was remarked on the way
	Calls  []Exchange `json:"calls,omitempty"` // the last ones before it broke
	Left   []string   `json:"left,omitempty"`  // accounts that could not be deleted again
}

// ofApplications reports whether an application can break a rule, and not an adapter alone: by its memory, or where an
// application has a quirk.
func (r rule) ofApplications() bool {
	return r.name != "ownership" && !strings.HasPrefix(r.name, "quirk-")
}

// RuleNames are the names of the rules that are tried, in their order.
func RuleNames() (names []string) {
	for _, r := range rules {
		if r.ofApplications() {
			names = append(names, r.name)
		}
	}
	return names
}

// Paths are the attributes of users that the rules write.
func Paths() (all []target.Path) {
	every := &trial{}
	first, _ := every.shapes()
	for _, a := range append(every.person("ada"), first...) {
		all = append(all, a.Path)
	}
	return all
}

// ErrCannotBeRead is the error of an application that cannot be examined, since what it holds cannot be read.
var ErrCannotBeRead = errors.New("the target can neither list its accounts nor read one, so that nothing can be compared")

// Readable reports whether an application can be examined.
func Readable(a target.Adapter) bool {
	_, gets := a.(target.Getter)
	_, lists := a.(target.Lister)
	return gets && lists
}

// Examine tries the rules one after the other and hands over what came of each. Its error is one of opening the
// application, or of the context.
func Examine(ctx context.Context, s Subject, report func(Outcome)) error {
	if s.Many == 0 {
		s.Many = 230
	}
	for _, r := range rules {
		if !r.ofApplications() || len(s.Rules) > 0 && !contains(s.Rules, r.name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		outcome, err := s.try(ctx, r)
		if err != nil {
			return err
		}
		report(outcome)
	}
	return ctx.Err()
}

func contains(list []string, name string) bool {
	for _, word := range list {
		if strings.EqualFold(word, name) {
			return true
		}
	}
	return false
}

// A notebook keeps what a rule has to remark.
type notebook struct{ notes []string }

func (n *notebook) Log(args ...any) { n.notes = append(n.notes, fmt.Sprint(args...)) }
func (n *notebook) Logf(format string, args ...any) {
	n.notes = append(n.notes, fmt.Sprintf(format, args...))
}

func (s Subject) try(ctx context.Context, r rule) (Outcome, error) {
	adapter, err := s.Open()
	if err != nil {
		return Outcome{}, err
	}
	if !Readable(adapter) {
		return Outcome{}, ErrCannotBeRead
	}
	box, remarks := newSandbox(adapter), &notebook{}
	t := &trial{tb: remarks, ctx: ctx, h: Harness{Many: s.Many, Without: s.Without}, a: box}
	var reopened error
	t.reopen = func() target.Adapter {
		fresh, err := s.Open()
		if err != nil {
			reopened = err
			return box
		}
		box.inner = fresh
		return box
	}
	outcome := Outcome{Rule: r.name, About: r.about, Result: Kept}
	err = errors.Join(r.check(t), reopened)
	var absent notOffered
	switch {
	case errors.As(err, &absent):
		outcome.Result, outcome.Why = NotTested, "it does not offer "+string(absent)
	case err != nil:
		outcome.Result, outcome.Why, outcome.Calls = Broken, "it "+err.Error(), box.calls
	}
	outcome.Notes = remarks.notes
	// Also after an interruption: nothing is left behind.
	const cleanupTimeout = time.Minute
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	left, failure := box.clean(after)
	for _, ref := range left {
		outcome.Left = append(outcome.Left, fmt.Sprintf("%s %s", ref.Kind, ref.ID))
	}
	if failure != nil {
		outcome.Notes = append(outcome.Notes, "could not clean up: "+failure.Error())
	}
	if closer, ok := box.inner.(target.Closer); ok {
		if err := closer.Close(after); err != nil {
			outcome.Notes = append(outcome.Notes, "could not close: "+err.Error())
		}
	}
	return outcome, nil
}
