package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/plan"
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
var marks = map[plan.Op]string{
	plan.Create: "+", plan.Adopt: "=", plan.Update: "~", plan.Deactivate: "-", plan.Unlink: "!",
	plan.Reactivate: "^", plan.Delete: "x", plan.Members: "±",
}

var colours = map[plan.Op]string{
	plan.Create: "32", plan.Adopt: "36", plan.Update: "33", plan.Deactivate: "31",
	plan.Reactivate: "32", plan.Delete: "31", plan.Members: "33",
}

func (a *app) paint(code, text string) string {
	if !a.colour() {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printAction prints one step of a plan for people: what, to whom, why, and each value.
func (a *app) printAction(w io.Writer, action *plan.Action) {
	fmt.Fprintf(w, "  %s %-10s %-5s %s  %s\n", a.paint(colours[action.Op], marks[action.Op]), action.Op, action.Kind, printable(action.Key), a.paint("2", "("+printable(action.Why)+")")+displayed(action))
	a.printChanges(w, action)
	for _, note := range action.Notes {
		fmt.Fprintf(w, "      note: %s\n", printable(note))
	}
}

// displayed is the display name of an action's object, for the end of its line.
func displayed(action *plan.Action) string {
	if action.Name == "" {
		return ""
	}
	return "  " + printable(action.Name)
}

// printChanges prints the old and new values of an action.
func (a *app) printChanges(w io.Writer, action *plan.Action) {
	for _, change := range action.Changes {
		switch {
		case action.Op == plan.Create:
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

// listStages are the stages of reading the directory, which run at the same time.
var listStages = []string{"users", "groups", "assignments"}

// listCounts says how far each list has been read.
func listCounts(reading map[string]int) string {
	var parts []string
	for _, stage := range listStages {
		if n, ok := reading[stage]; ok {
			parts = append(parts, fmt.Sprintf("%d %s", n, stage))
		}
	}
	return strings.Join(parts, ", ")
}

// progress draws one line on a terminal's standard error: stage, count, rate, time left.
func (a *app) progress(name string) (report reconcile.Progress, done func()) {
	if !terminal(a.err) || a.json && terminal(a.out) {
		return nil, func() {}
	}
	var mu sync.Mutex
	var drawn, began time.Time
	stage, reading := "", map[string]int{}
	clear := func() { fmt.Fprint(a.err, "\r\x1b[K") }
	report = func(s reconcile.Step) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		together := slices.Contains(listStages, s.Stage) // these three take turns
		if together {
			reading[s.Stage] = s.Done
		}
		if s.Stage != stage && !(together && slices.Contains(listStages, stage)) {
			stage, began = s.Stage, now
		} else if now.Sub(drawn) < 100*time.Millisecond {
			return
		}
		drawn = now
		line := fmt.Sprintf("%s: %s %d", name, s.Stage, s.Done)
		if together {
			line = name + ": read " + listCounts(reading)
		}
		if s.Total > 0 {
			line += fmt.Sprintf("/%d", s.Total)
		}
		if s.Pages > 0 && s.Total == 0 {
			line += fmt.Sprintf(", %d pages", s.Pages)
		}
		if spent := now.Sub(began).Seconds(); spent > 0.5 && !together {
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
