package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/evaluation"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/jsonfile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
)

type evalFlags struct {
	lookup.Selection
	user, source, now string
	explain           bool
	options           evaluation.Options
}

func evalCommand(a *app) *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval EXPRESSION",
		Short: "Try an expression on a user of the snapshot or on a sample",
		Long: `Evaluates an expression of the Entra portal's language and prints its value. Attributes come from
a user of the snapshot (--user) or from a JSON object (--json-source); without either every
attribute is null. EXPRESSION may be -, to read it from standard input without quoting.`,
		Example: `  entrasync eval 'Join(" ", [givenName], [surname])' --user ada@contoso.example
  echo '{"mail": "Ada@Contoso.example"}' | entrasync eval 'ToLower([mail])' --json-source -`,
		Args: arguments.One,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("explain") {
				f.explain = console.IsTerminal(a.out)
			}
			return (&evaluator{a, f}).eval(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "take the attributes of this user: object id, user principal name or address")
	tenantFlag(cmd, &f.Selection)
	syncFlag(cmd, &f.Selection)
	flags.StringVar(&f.source, "json-source", "", "take the attributes from this file with a JSON object, - for standard input")
	flags.StringVar(&f.now, "now", "", "the time it is, such as 2026-07-02T15:33:38Z")
	flags.StringSliceVar(&f.options.Priority, "priority", nil, "which of several app roles wins, highest first")
	flags.StringVar(&f.options.DefaultDomain, "default-domain", "", "what DefaultDomain() is")
	flags.StringArrayVar(&f.options.Taken, "taken", nil, "a value that SelectUniqueValue finds taken; may be repeated")
	flags.BoolVar(&f.explain, "explain", false, "show the value of each part (default on a terminal)")
	cmd.MarkFlagsMutuallyExclusive("user", "json-source")
	return cmd
}

// An evaluator tries one expression.
type evaluator struct {
	app   *app
	flags evalFlags
}

func (e *evaluator) eval(ctx context.Context, expression string) (err error) {
	if e.flags.now != "" {
		if e.flags.options.Now, err = evaluation.ParseTime(e.flags.now); err != nil {
			return fmt.Errorf("--now: %w", err)
		}
	}
	if expression == "-" {
		if e.flags.source == "-" {
			return errors.New("the expression and --json-source cannot both be read from standard input")
		}
		text, err := io.ReadAll(io.LimitReader(e.app.in, 1<<20)) // the language's limit is far below
		if err != nil {
			return fmt.Errorf("read expression: %w", err)
		}
		expression = strings.TrimRight(string(jsonfile.Text(text)), "\r\n")
	}
	switch {
	case e.flags.user != "":
		return e.user(ctx, expression)
	case len(e.flags.Tenants) > 0 || len(e.flags.Syncs) > 0:
		return advice.With(errors.New("--tenant and --sync choose whom to evaluate, but no user is named"), "name one with --user")
	case e.flags.source != "":
		text, err := jsonfile.Read(e.flags.source, e.app.in, e.app.readFile)
		if err != nil {
			return err
		}
		record, err := evaluation.ReadSource(e.flags.source, text)
		if err != nil {
			return err
		}
		return e.print(evaluation.Try(expression, record, e.flags.options))
	}
	return e.print(evaluation.Try(expression, nil, e.flags.options))
}

// user evaluates on the user as the first sync that knows the user sees them.
func (e *evaluator) user(ctx context.Context, expression string) error {
	return e.app.withSyncs(e.flags.Selection, func(w *worker.Worker, syncs []*compile.Sync) error {
		var outcome *evaluation.Outcome
		syncs = sound(syncs, e.app.err)
		seen, err := lookup.User(ctx, w, syncs, e.flags.user, func(s *compile.Sync, source mapping.Source, domain string) {
			options := e.flags.options
			tenantSyncs, _ := w.TenantSyncs(s.Tenant)
			options.Properties = reconcile.RequirementsOf(tenantSyncs).UserProperties
			options.DefaultDomain = cmp.Or(options.DefaultDomain, domain)
			outcome = evaluation.Try(expression, source, options)
		})
		if err != nil {
			return err
		}
		if len(syncs) > 1 {
			fmt.Fprintf(e.app.err, "entrasync: as sync %s sees the user of tenant %s\n", seen.Name, seen.TenantName)
		}
		return e.print(outcome)
	})
}

func (e *evaluator) print(o *evaluation.Outcome) error {
	var err error
	if e.app.json {
		err = e.app.printer().Document(o.Document())
	} else {
		err = o.Print(e.app.out, e.app.err, e.flags.explain)
	}
	if err == nil && o.Err != nil {
		err = exit.With(exit.Failed)
	}
	return err
}
