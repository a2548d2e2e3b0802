// Package drifting compares what syncs applied with what the applications hold, and prints what differs, for the command
// drift.
//
// What is compared, and what is done about a difference, is decided in package reconcile. It changes no application. It
// promises that a sync whose application cannot be read hides no other.
package drifting

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/cycles"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// Run compares each sync and prints what differs. exitsPending makes a difference an outcome of its own.
func Run(ctx context.Context, r cycles.Runner, syncs []*compile.Sync, exitsPending bool) error {
	r.NoteNoTenant()
	code := exit.Done
	for _, s := range syncs {
		progress, done := r.Print.Progress(s.Name)
		r.NoteWaiting(s)
		document, report, err := Compare(ctx, r.Worker, s, r.Actor, progress)
		done()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			code = exit.Worst(code, exit.CodeOf(err, r.Print.Err))
			continue
		case r.Print.JSON:
			err = document.WriteJSON(r.Print.Out.W)
		default:
			err = Print(r.Print.Out, s, document)
		}
		if err != nil {
			return err
		}
		switch {
		case report.Result == reconcile.Partial:
			code = exit.Worst(code, exit.Partial)
		case exitsPending && document.Summary.Total() > 0:
			code = exit.Worst(code, exit.Pending)
		}
	}
	return exit.With(code)
}

// A Document is what the application of one sync holds that was not applied. It is what the command prints with --json.
type Document struct {
	Format   string            `json:"format"`
	Sync     string            `json:"sync"`
	Tenant   graphsync.ID      `json:"tenant"`
	Target   string            `json:"target"`
	Compared time.Time         `json:"compared"`
	Complete bool              `json:"complete"` // every linked account could be read
	Summary  Summary           `json:"summary"`
	Drift    []reconcile.Drift `json:"drift"`
	Notes    []string          `json:"notes,omitempty"`
}

// A Summary counts differences by what differs.
type Summary struct {
	Objects    int `json:"objects"` // accounts and groups with a difference of their own
	Attributes int `json:"attributes"`
	Active     int `json:"active"`
	Missing    int `json:"missing"`
	Members    int `json:"memberships"`
	New        int `json:"new"` // that the compare before did not find
}

// Total is how many differences there are.
func (s *Summary) Total() int { return s.Attributes + s.Active + s.Missing + s.Members }

// Compare compares one sync.
func Compare(ctx context.Context, w *worker.Worker, s *compile.Sync, by state.Actor, progress reconcile.Progress) (*Document, *reconcile.Report, error) {
	syncer, release, err := w.Syncer(ctx, s, progress)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	report, err := syncer.Drift(ctx, reconcile.Options{Actor: by})
	if err != nil {
		return nil, report, worker.RunError(s, report, err)
	}
	document := &Document{Format: "entrasync/drift/1", Sync: s.Name, Tenant: s.Tenant, Target: s.TargetName, Compared: report.Started,
		Complete: len(report.Errors) == 0 && report.Result == reconcile.OK, Drift: []reconcile.Drift{}, Notes: report.Notes}
	document.Summary.New = report.Drift.New
	err = syncer.Tenant.View(func(tx *state.Tx) error {
		for d, err := range reconcile.Drifts(tx, s.Sync) {
			if err != nil {
				return err
			}
			document.add(d)
		}
		return nil
	})
	if err != nil {
		return nil, report, fmt.Errorf("read the differences of sync %s: %w", s.Name, err)
	}
	return document, report, nil
}

func (d *Document) add(difference reconcile.Drift) {
	n := len(d.Drift)
	if difference.Difference != "membership" && (n == 0 || d.Drift[n-1].SourceID != difference.SourceID || d.Drift[n-1].Kind != difference.Kind) {
		d.Summary.Objects++
	}
	switch difference.Difference {
	case "active":
		d.Summary.Active++
	case "missing":
		d.Summary.Missing++
	case "membership":
		d.Summary.Members++
	default:
		d.Summary.Attributes++
	}
	d.Drift = append(d.Drift, difference)
}

// Print writes a document for people.
func Print(out console.Output, s *compile.Sync, d *Document) error {
	head := fmt.Sprintf("%s: tenant %s → target %s", s.Name, s.TenantName, s.TargetName)
	if d.Summary.Total() == 0 {
		_, err := fmt.Fprintf(out.W, "%s: the application holds what was applied\n", head)
		return err
	}
	fmt.Fprintf(out.W, "%s: %s\n", head, d.Summary.words())
	err := out.Table("object\twhat\tapplied\tapplication has\tsince\tthen", func(row func(...any)) {
		for i := range d.Drift {
			x := &d.Drift[i]
			row(console.Printable(x.Key), what(x), text(x.Applied, x), text(x.Shown, x), console.LocalTime(x.Since), string(x.Action))
		}
	})
	return err
}

func (s *Summary) words() string {
	return fmt.Sprintf("%s (%s, %d switched off or on, %d gone, %s)", words.Count(s.Total(), "difference", "differences"),
		words.Count(s.Attributes, "value", "values"), s.Active, s.Missing, words.Count(s.Members, "membership", "memberships"))
}

// what says what differs, such as "title" or "member ada@contoso.example".
func what(d *reconcile.Drift) string {
	switch d.Difference {
	case "membership":
		return "member " + console.Printable(d.Member.Key)
	case "missing":
		return d.Kind.String() + " is gone"
	}
	return d.Attribute
}

// text is a value for people.
func text(raw json.RawMessage, d *reconcile.Drift) string {
	var value any
	if json.Unmarshal(raw, &value) != nil || value == nil {
		return "(none)"
	}
	if there, is := value.(bool); is && (d.Difference == "membership" || d.Difference == "missing") {
		if there {
			return "yes"
		}
		return "no"
	}
	if t, is := value.(string); is {
		return console.Printable(t)
	}
	return console.Printable(string(raw))
}

// WriteJSON writes a document on one line.
func (d *Document) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(d)
}
