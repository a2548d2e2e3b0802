package audit

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/words"
	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

// WriteJSON writes the lines of a query as one document with a line of text for each: the form that a chain can be
// verified in.
func WriteJSON(w io.Writer, each func(visit func(*Line) error) error) error {
	if _, err := io.WriteString(w, `{"format":"entrasync/audit/1","lines":[`); err != nil {
		return err
	}
	separator := "\n"
	err := each(func(line *Line) error {
		_, err := fmt.Fprintf(w, "%s%s", separator, line.JSON)
		separator = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}

// columns are those of the CSV form.
var columns = []string{"seq", "at", "tenant", "tenant_id", "sync", "run", "event", "result", "actor", "by", "op", "kind", "key",
	"source_id", "target_id", "before", "after", "add", "remove", "cause", "why", "hold", "reason", "code", "message"}

// WriteCSV writes the lines of a query as CSV with a head. Values that a spreadsheet would run as a formula have
// an apostrophe before them.
func WriteCSV(w io.Writer, each func(visit func(*Line) error) error) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	err := each(func(l *Line) error {
		row := []string{strconv.FormatUint(l.Seq, 10), l.At.UTC().Format(time.RFC3339Nano), l.TenantName, l.Tenant, l.Sync, l.Run, l.Event, l.Result, l.Actor, l.By,
			string(l.Op), l.Kind, l.Key, l.SourceID, l.target(), object(l.before()), object(l.after()), joined(l.Add), joined(l.Remove), l.Cause, l.Why, l.Hold, l.Reason, "", ""}
		if l.Error != nil {
			row[len(row)-2], row[len(row)-1] = l.Error.Code, l.Error.Message
		}
		for i, cell := range row {
			row[i] = console.WithoutFormula(console.Printable(cell))
		}
		return out.Write(row)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

func (l *Line) target() string {
	if l.Account != "" {
		return l.Account
	}
	return l.TargetID
}

func object(values map[string]any) string {
	if values == nil {
		return ""
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err.Error() // what was read from JSON can be written
	}
	return string(text)
}

func joined(ids []graphsync.ID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, " ")
}

// Print prints the lines of a query for people and returns how many there were.
func Print(o console.Output, each func(visit func(*Line) error) error) (n int, err error) {
	err = each(func(l *Line) error {
		n++
		return printLine(o, l)
	})
	return n, err
}

// printLine prints a line for people: when, where, what and by whom, then the values.
func printLine(o console.Output, l *Line) error {
	where := l.TenantName
	if l.Sync != "" {
		where = l.Sync + ", " + where
	}
	what := l.Event
	switch {
	case l.Op != "":
		what = strings.TrimPrefix(l.Event+" "+string(l.Op), "action ") + " " + l.Kind + " " + l.Key
	case l.Key != "":
		what += " " + l.Kind + " " + l.Key
	case l.Event == "run":
		what += " " + l.Run
	}
	result := ""
	if l.Result != "" && l.Result != "done" && l.Result != "ok" {
		result = ": " + l.Result
	}
	_, err := fmt.Fprintf(o.W, "%s  %s  %s%s  %s\n", console.LocalTime(l.At), console.Printable(where), console.Printable(what), console.Printable(result),
		o.Paint(console.Faint, "("+console.Printable(l.who())+")"))
	if err != nil {
		return err
	}
	if l.Op != "" {
		report.Changes(o, &plan.Action{Op: l.Op, Changes: l.Changes})
	}
	if len(l.Add)+len(l.Remove) > 0 {
		fmt.Fprintf(o.W, "      %s added, %s removed\n", words.Count(len(l.Add), "member", "members"), words.Count(len(l.Remove), "member", "members"))
	}
	for _, more := range slices.DeleteFunc([]string{l.Why, l.reason(), l.failure()}, func(s string) bool { return s == "" }) {
		fmt.Fprintf(o.W, "      %s\n", console.Printable(more))
	}
	return nil
}

func (l *Line) who() string {
	switch {
	case l.Actor == "service":
		return "service"
	case l.By == "":
		return l.Actor
	}
	return l.Actor + " by " + l.By
}

func (l *Line) reason() string {
	if l.Reason == "" {
		return ""
	}
	return "reason: " + l.Reason
}

func (l *Line) failure() string {
	if l.Error == nil {
		return ""
	}
	return "failed: " + l.Error.Message + " (" + l.Error.Code + ")"
}
