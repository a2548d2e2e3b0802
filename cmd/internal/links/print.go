package links

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

// A place is the sync that a link is of.
type place struct {
	Sync       string       `json:"sync"`
	Tenant     graphsync.ID `json:"tenant"`
	TenantName string       `json:"tenant_name"`
}

// An Outcome is what a change came to: the contract's link document.
type Outcome struct {
	Format string `json:"format"`
	Done   string `json:"done"` // broken, chosen, linked, pinned or unpinned; of show, shown
	place
	reconcile.LinkedObject
	Account string            `json:"account,omitempty"` // the account that was chosen, or whose link was broken
	Report  *reconcile.Report `json:"report,omitempty"`  // of the cycle on demand
	Failure string            `json:"failure,omitempty"` // why no cycle followed
	Running bool              `json:"-"`                 // a cycle of the tenant runs
}

// List prints the links of some syncs that a filter chooses.
func List(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, filter reconcile.LinkFilter, o console.Output, asJSON bool) error {
	if asJSON {
		return listJSON(ctx, w, syncs, filter, o.W)
	}
	some := false
	for _, s := range syncs {
		var rows [][]any
		err := visit(ctx, w, s, filter, func(l *reconcile.LinkedObject) error {
			rows = append(rows, []any{l.Kind, l.Key, l.SourceID, accountOf(l), l.State, notes(l)})
			return nil
		})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		some = true
		fmt.Fprintf(o.W, "%s, tenant %s\n", s.Name, s.TenantName)
		err = o.Table("kind\tkey\tobject id\taccount\tstate\tnote", func(row func(...any)) {
			for _, cells := range rows {
				row(cells...)
			}
		})
		if err != nil {
			return err
		}
	}
	if !some {
		fmt.Fprintln(o.W, "There is no such link.")
	}
	return nil
}

func visit(ctx context.Context, w *worker.Worker, s *compile.Sync, filter reconcile.LinkFilter, do func(*reconcile.LinkedObject) error) error {
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return err
	}
	defer tenant.Close()
	if err := reconcile.ListLinks(ctx, s.Sync, tenant, filter, do); err != nil {
		return fmt.Errorf("list the links of sync %s, tenant %s: %w", s.Name, s.TenantName, err)
	}
	return nil
}

// listJSON writes one document, link by link: there may be a million.
func listJSON(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, filter reconcile.LinkFilter, out io.Writer) error {
	if _, err := io.WriteString(out, `{"format":"entrasync/links/1","links":[`); err != nil {
		return err
	}
	separator := "\n"
	for _, s := range syncs {
		in := place{s.Name, s.Tenant, s.TenantName}
		err := visit(ctx, w, s, filter, func(l *reconcile.LinkedObject) error {
			text, err := encode(struct {
				place
				*reconcile.LinkedObject
			}{in, l})
			if err == nil {
				_, err = io.WriteString(out, separator+text)
			}
			separator = ",\n"
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, "\n]}\n")
	return err
}

func encode(document any) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(document)
	return strings.TrimSuffix(text.String(), "\n"), err
}

func accountOf(l *reconcile.LinkedObject) string {
	if l.TargetID == nil {
		return "-"
	}
	return *l.TargetID
}

// notes says in a few words what is noted of a link.
func notes(l *reconcile.LinkedObject) string {
	var all []string
	if l.Pinned != nil {
		all = append(all, "pinned"+words(l.Pinned))
	}
	if l.Chosen != nil {
		all = append(all, "account "+l.Chosen.TargetID+" chosen"+words(l.Chosen))
	}
	for i := range l.Broken {
		all = append(all, "link to "+l.Broken[i].TargetID+" broken"+words(&l.Broken[i]))
	}
	if l.Code != "" {
		all = append(all, l.Why+" ("+l.Code+")")
	}
	if l.Cause != "" && l.State == reconcile.LinkInactive {
		all = append(all, l.Cause)
	}
	return strings.Join(all, "; ")
}

func words(d *reconcile.LinkDecision) string {
	text := ""
	if d.By != "" {
		text += " by " + d.By
	}
	if !d.At.IsZero() {
		text += " on " + d.At.UTC().Format("2006-01-02")
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}

// Show prints the links of the subject in each sync that has it.
func Show(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject, o console.Output, asJSON bool) error {
	all, err := find(ctx, w, syncs, subject)
	if err != nil {
		return err
	}
	for _, f := range all {
		shown := &Outcome{Format: "entrasync/link/1", Done: "shown", place: place{f.sync.Name, f.sync.Tenant, f.sync.TenantName}, LinkedObject: *f.link}
		if asJSON {
			text, err := encode(shown)
			if err != nil {
				return err
			}
			fmt.Fprintln(o.W, text)
			continue
		}
		if err := shown.print(o); err != nil {
			return err
		}
	}
	return nil
}

func (l *Outcome) print(o console.Output) error {
	fmt.Fprintf(o.W, "%s, tenant %s: %s %s (%s)\n", l.Sync, l.TenantName, l.Kind, console.Printable(l.Key), l.SourceID)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(o.W, "  %-10s %s\n", name, console.Printable(fmt.Sprintf(format, args...)))
	}
	if l.TargetID == nil {
		line("account", "none is linked")
	} else {
		how := "created"
		if l.Adopted {
			how = "adopted"
		}
		line("account", "%s, %s, %s %s", *l.TargetID, l.State, how, console.LocalTime(*l.Since))
	}
	if l.LastAt != nil {
		line("last", "%s at %s", l.LastOp, console.LocalTime(*l.LastAt))
	}
	if text := notes(&l.LinkedObject); text != "" {
		for _, note := range strings.Split(text, "; ") {
			line("note", "%s", note)
		}
	}
	if len(l.Applied) == 0 {
		return nil
	}
	return o.Table("  attribute\tapplied", func(row func(...any)) {
		for _, path := range slices.Sorted(maps.Keys(l.Applied)) {
			text, err := encode(l.Applied[path])
			if err != nil {
				text = err.Error()
			}
			row("  "+path, text)
		}
	})
}

// Print prints what a change came to.
func (l *Outcome) Print(o console.Output, asJSON bool) error {
	if asJSON {
		text, err := encode(l)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(o.W, text)
		return err
	}
	name := fmt.Sprintf("%s %s (sync %s, tenant %s)", l.Kind, console.Printable(l.Key), l.Sync, l.TenantName)
	switch l.Done {
	case "broken":
		fmt.Fprintf(o.W, "%s: the link to account %s is broken. The account stays as it is.\n", name, console.Printable(l.Account))
		fmt.Fprintf(o.W, "A matching rule links it again only after an approval. Choose another account: entrasync links set %s ACCOUNT\n", console.Printable(l.Key))
	case "linked":
		fmt.Fprintf(o.W, "%s: linked to account %s.\n", name, console.Printable(l.Account))
	case "chosen":
		l.printChosen(o, name)
	case "pinned":
		fmt.Fprintf(o.W, "%s: pinned. Nothing changes this account until: entrasync links unpin %s\n", name, console.Printable(l.Key))
		if l.Running {
			fmt.Fprintln(o.W, "A cycle of the tenant is running: a change that it has begun to write may still come.")
		}
	case "unpinned":
		fmt.Fprintf(o.W, "%s: unpinned. The next cycle carries out what is due.\n", name)
	}
	return nil
}

// printChosen says why an account that was chosen is not linked yet.
func (l *Outcome) printChosen(o console.Output, name string) {
	fmt.Fprintf(o.W, "%s: account %s is chosen and not linked yet.\n", name, console.Printable(l.Account))
	if l.Failure != "" {
		fmt.Fprintf(o.W, "  the next cycle links it: %s\n", console.Printable(l.Failure))
		return
	}
	if l.Report == nil {
		return
	}
	for _, held := range l.Report.Held {
		fmt.Fprintf(o.W, "  held by guard %s: %s. The next cycle lists it: entrasync holds\n", held.Guard, console.Printable(held.Cause))
	}
	for _, skipped := range l.Report.Skipped {
		fmt.Fprintf(o.W, "  skipped: %s (%s)\n", console.Printable(skipped.Why), skipped.Code)
	}
	for _, failed := range l.Report.Errors {
		fmt.Fprintf(o.W, "  failed: %s (%s)\n", console.Printable(failed.Message), failed.Code)
	}
}

// Waits reports whether the account that was chosen waits for an approval.
func (l *Outcome) Waits() bool { return l.Report != nil && len(l.Report.Held) > 0 }

// Failed reports whether the account that was chosen could not be linked.
func (l *Outcome) Failed() bool { return l.Done == "chosen" && !l.Waits() }
