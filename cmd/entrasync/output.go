package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"entrasync/reconcile"
)

// printJSON prints one document on one line.
func (a *app) printJSON(document any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// marks are the signs of actions in tables, as a diff has them.
var marks = map[reconcile.Op]string{
	reconcile.Create: "+", reconcile.Adopt: "=", reconcile.Update: "~", reconcile.Deactivate: "-", reconcile.Unlink: "!",
	reconcile.Reactivate: "^", reconcile.Delete: "x", reconcile.Members: "±",
}

var colours = map[reconcile.Op]string{
	reconcile.Create: "32", reconcile.Adopt: "36", reconcile.Update: "33", reconcile.Deactivate: "31",
	reconcile.Reactivate: "32", reconcile.Delete: "31", reconcile.Members: "33",
}

func (a *app) paint(code, text string) string {
	if !a.colour() {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printAction prints one step of a plan for people: what, to whom, why, and each value.
func (a *app) printAction(w io.Writer, action *reconcile.Action) {
	fmt.Fprintf(w, "  %s %-10s %-5s %s  %s\n", a.paint(colours[action.Op], marks[action.Op]), action.Op, action.Kind, printable(action.Key), a.paint("2", "("+printable(action.Why)+")")+displayed(action))
	a.printChanges(w, action)
	for _, note := range action.Notes {
		fmt.Fprintf(w, "      note: %s\n", printable(note))
	}
}

// displayed is the display name of an action's object, for the end of its line.
func displayed(action *reconcile.Action) string {
	if action.Name == "" {
		return ""
	}
	return "  " + printable(action.Name)
}

// printChanges prints the old and new values of an action.
func (a *app) printChanges(w io.Writer, action *reconcile.Action) {
	for _, change := range action.Changes {
		switch {
		case action.Op == reconcile.Create:
			fmt.Fprintf(w, "      %s: %s\n", change.Attribute, shown(change.New))
		case change.New == nil:
			fmt.Fprintf(w, "      %s: %s → (cleared)\n", change.Attribute, shown(change.Old))
		default:
			fmt.Fprintf(w, "      %s: %s → %s\n", change.Attribute, shown(change.Old), shown(change.New))
		}
	}
}

func shown(v any) string {
	if v == nil {
		return "(none)"
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	s := printable(strings.TrimSuffix(text.String(), "\n"))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// summaryLine says a summary in words, leaving out what is zero.
func summaryLine(s reconcile.Summary) string {
	u, g := &s.Users, &s.Groups
	counts := []kindCount{
		{"to create", s.Create, u.Create, g.Create}, {"to adopt", s.Adopt, u.Adopt, g.Adopt}, {"to update", s.Update, u.Update, g.Update},
		{"to deactivate", s.Deactivate, u.Deactivate, g.Deactivate}, {"to reactivate", s.Reactivate, u.Reactivate, g.Reactivate},
		{"to delete", s.Delete, u.Delete, g.Delete}, {"groups with member changes", s.Members, 0, 0}, {"to unlink", s.Unlink, u.Unlink, g.Unlink},
		{"held", s.Held, u.Held, g.Held}, {"rejected", s.Rejected, u.Rejected, g.Rejected}, {"skipped", s.Skipped, u.Skipped, g.Skipped},
	}
	unchanged := kindCount{"unchanged", s.Unchanged, u.Unchanged, g.Unchanged}
	parts := countsByKind(counts)
	if len(parts) == 0 {
		return fmt.Sprintf("nothing to do (%d unchanged%s)", s.Unchanged, apart([]kindCount{unchanged}))
	}
	counts = append(counts, unchanged)
	parts = countsByKind(counts)
	if s.Seats.After != s.Seats.Before {
		parts = append(parts, fmt.Sprintf("active accounts: %d → %d", s.Seats.Before, s.Seats.After))
	}
	return strings.Join(parts, ", ") + apart(counts)
}

// A kindCount is a figure of a summary, with how much of it each kind has.
type kindCount struct {
	what          string
	n             int
	users, groups int
}

// countsByKind writes figures in words, leaving out what is zero.
func countsByKind(counts []kindCount) (parts []string) {
	for _, c := range counts {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return parts
}

// apart counts users and groups apart, where groups are among what is counted: "" otherwise. What
// only groups have is in the sum already.
func apart(counts []kindCount) string {
	var users, groups []string
	for _, c := range counts {
		if c.users > 0 {
			users = append(users, fmt.Sprintf("%d %s", c.users, c.what))
		}
		if c.groups > 0 {
			groups = append(groups, fmt.Sprintf("%d %s", c.groups, c.what))
		}
	}
	if len(groups) == 0 {
		return ""
	}
	text := "; groups: " + strings.Join(groups, ", ")
	if len(users) > 0 {
		text = "; users: " + strings.Join(users, ", ") + text
	}
	return text
}

// progress draws one line on a terminal's standard error: stage, count, rate, time left.
func (a *app) progress(name string) (report reconcile.Progress, done func()) {
	if !terminal(a.err) || a.json && terminal(a.out) {
		return nil, func() {}
	}
	var mu sync.Mutex
	var drawn, began time.Time
	stage := ""
	clear := func() { fmt.Fprint(a.err, "\r\x1b[K") }
	report = func(s reconcile.Step) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if s.Stage != stage {
			stage, began = s.Stage, now
		} else if now.Sub(drawn) < 100*time.Millisecond {
			return
		}
		drawn = now
		line := fmt.Sprintf("%s: %s %d", name, s.Stage, s.Done)
		if s.Total > 0 {
			line += fmt.Sprintf("/%d", s.Total)
		}
		if s.Pages > 0 && s.Total == 0 {
			line += fmt.Sprintf(", %d pages", s.Pages)
		}
		if spent := now.Sub(began).Seconds(); spent > 0.5 {
			rate := float64(s.Done) / spent
			line += fmt.Sprintf(", %.0f/s", rate)
			if left := s.Total - s.Done; left > 0 && rate > 0 {
				line += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
			}
		}
		clear()
		fmt.Fprint(a.err, line)
	}
	return report, func() {
		mu.Lock()
		defer mu.Unlock()
		if stage != "" {
			clear()
		}
	}
}
