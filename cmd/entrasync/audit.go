package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/audit"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
)

// auditFlags choose lines of the audit logs.
type auditFlags struct {
	lookup.Selection
	since, until, user, group, run string
	csv                            bool
	format                         string
}

func auditCommand(a *app) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what was done, by whom, when and why",
		Long: `Lists the audit log: every action on an account or group with the values before and after, every approval
and rejection, consents, pauses, loaded configurations and commands. Each tenant has a log of its own, and the
service has one for what concerns all of them. Times are RFC 3339, a day such as 2026-03-01, or how long ago, such
as 12h or 7d. --json prints each line with its hash and that of the line before. The section audit of the
configuration writes lines to a file as they come.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSyncs(f.Selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				return auditLogs{a}.list(cmd.Context(), w, syncs, f)
			})
		},
	}
	cmd.Flags().StringVar(&f.since, "since", "", "from this `TIME` on")
	cmd.Flags().StringVar(&f.until, "until", "", "before this `TIME`")
	cmd.Flags().StringVar(&f.user, "user", "", "about this user: object id, user principal name or address")
	cmd.Flags().StringVar(&f.group, "group", "", "about this group: object id or name")
	cmd.Flags().StringVar(&f.run, "run", "", "of this run")
	cmd.Flags().BoolVar(&f.csv, "csv", false, "print CSV")
	cmd.Flags().StringVar(&f.format, "format", "", "print `FORM`: text, json, csv, jsonl (a line of JSON each) or ocsf (events of the Open Cybersecurity Schema Framework)")
	cmd.MarkFlagsMutuallyExclusive("user", "group")
	cmd.MarkFlagsMutuallyExclusive("csv", "format")
	syncFlag(cmd, &f.Selection)
	tenantFlag(cmd, &f.Selection)
	cmd.AddCommand(auditVerifyCommand(a))
	return cmd
}

// auditLogs list and verify the audit logs.
type auditLogs struct{ app *app }

func (l auditLogs) list(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, f auditFlags) error {
	write, err := f.writer(l.app.json)
	if err != nil {
		return err
	}
	logs, err := audit.Logs(w, f.Selection, syncs)
	if err != nil {
		return err
	}
	queries, err := audit.Request{Selection: f.Selection, Since: f.since, Until: f.until, Subject: subjectOf(f.user, f.group), Run: f.run}.Queries(ctx, w, logs)
	if err != nil {
		return err
	}
	each := func(visit func(*audit.Line) error) error {
		for _, q := range queries {
			if err := audit.Each(q.Logs, q.Query, func(l *audit.Line) error { return errors.Join(ctx.Err(), visit(l)) }); err != nil {
				return err
			}
		}
		return nil
	}
	if write != nil {
		return write(l.app.out, each)
	}
	n, err := audit.Print(l.app.console(), each)
	if err == nil && n == 0 {
		fmt.Fprintln(l.app.err, "note: no line fits")
	}
	return err
}

// writer returns what writes lines in the form that is asked for, nil for text.
func (f auditFlags) writer(asJSON bool) (audit.Writer, error) {
	form := cmp.Or(f.format, "text")
	if f.csv {
		form = "csv"
	}
	if asJSON {
		if form != "text" && form != "json" {
			return nil, advice.With(fmt.Errorf("--json and %s exclude each other", form), "leave --json out")
		}
		form = "json"
	}
	write, known := audit.Writers(versionText())[form]
	if !known && form != "text" {
		return nil, advice.With(fmt.Errorf("--format %s is not known", form), "write text, json, csv, jsonl or ocsf")
	}
	return write, nil
}

func auditVerifyCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	var heads []string
	cmd := &cobra.Command{
		Use:   "verify [FILE...]",
		Short: "Verify that no line of the audit logs was altered, added or taken out",
		Long: `Verifies the chain of hashes of each audit log, or of exported files, the oldest first. It prints the head
of each log: the number and the hash of its last line. Keep heads elsewhere: with --head a later verify tells a log
that was cut off, written again or restored from an older copy, which is as valid as before on its own. The exit code
is 3 when a log is not as it was written.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return auditLogs{a}.verify(files, selection, heads)
		},
	}
	cmd.Flags().StringArrayVar(&heads, "head", nil, "a `SEQ:HASH` that verify printed before; may be repeated; name its log with --tenant where there are several")
	tenantFlag(cmd, &selection)
	return cmd
}

// verify verifies exported files, or without any the logs of the state. Files take no configuration.
func (l auditLogs) verify(files []string, selection lookup.Selection, heads []string) error {
	if len(files) > 0 {
		checks, err := audit.VerifyExports(files, heads)
		if err != nil {
			return err
		}
		return l.printChecks(checks)
	}
	return l.app.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
		checks, err := audit.VerifyLogs(w, selection, syncs, heads)
		if err != nil {
			return err
		}
		return l.printChecks(checks)
	})
}

func (l auditLogs) printChecks(checks []audit.Check) error {
	document := audit.DocumentOf(checks)
	outcome := error(nil)
	if !document.OK {
		outcome = exit.With(exit.Partial)
	}
	if l.app.json {
		return errors.Join(l.app.printer().Document(document), outcome)
	}
	audit.PrintChecks(l.app.out, checks)
	return outcome
}
