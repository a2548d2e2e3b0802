package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"entrasync/cmd/internal/console"
	"entrasync/reconcile/plan"
)

// marks are the signs of actions in tables, as a diff has them.
var marks = map[plan.Op]string{
	plan.Create: "+", plan.Adopt: "=", plan.Update: "~", plan.Deactivate: "-", plan.Unlink: "!",
	plan.Reactivate: "^", plan.Delete: "x", plan.Members: "±",
}

var colours = map[plan.Op]string{
	plan.Create: console.Green, plan.Adopt: console.Cyan, plan.Update: console.Yellow, plan.Deactivate: console.Red,
	plan.Reactivate: console.Green, plan.Delete: console.Red, plan.Members: console.Yellow,
}

// printAction prints one step of a plan for people: what, to whom, why, and each value.
func printAction(o console.Output, action *plan.Action) {
	fmt.Fprintf(o.W, "  %s %-10s %-5s %s  %s\n", o.Paint(colours[action.Op], marks[action.Op]), action.Op, action.Kind, console.Printable(action.Key), o.Paint(console.Faint, "("+console.Printable(action.Why)+")")+displayed(action))
	Changes(o, action)
	for _, note := range action.Notes {
		fmt.Fprintf(o.W, "      note: %s\n", console.Printable(note))
	}
}

// displayed is the display name of an action's object, for the end of its line.
func displayed(action *plan.Action) string {
	if action.Name == "" {
		return ""
	}
	return "  " + console.Printable(action.Name)
}

// Changes prints the old and new values of an action.
func Changes(o console.Output, action *plan.Action) {
	for _, change := range action.Changes {
		switch {
		case action.Op == plan.Create:
			fmt.Fprintf(o.W, "      %s: %s\n", change.Attribute, shown(change.New))
		case change.New == nil:
			fmt.Fprintf(o.W, "      %s: %s → (cleared)\n", change.Attribute, shown(change.Old))
		default:
			fmt.Fprintf(o.W, "      %s: %s → %s\n", change.Attribute, shown(change.Old), shown(change.New))
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
	s := console.Printable(strings.TrimSuffix(text.String(), "\n"))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// listed joins the first of some names and says how many there are beyond.
func listed(names []string, n int) string {
	text := strings.Join(names, ", ")
	if more := n - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// printMembers prints the people whose memberships an action changes: all, or the first of so many.
func printMembers(o console.Output, members []plan.ChangedMember, leave, join int) {
	for _, list := range []struct {
		change, what string
		n            int
	}{{"remove", "would be removed", leave}, {"add", "would be added", join}} {
		var names []string
		for _, m := range members {
			if m.Change == list.change {
				names = append(names, console.Printable(m.Key))
			}
		}
		if list.n > 0 && len(names) > 0 {
			fmt.Fprintf(o.W, "      %s: %s\n", list.what, listed(names, list.n))
		}
	}
}
