package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/conformance"
	"entrasync/target"
	"entrasync/target/all"
)

func targetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "target", Short: "Test a target, or a program that is to be one", Args: arguments.Subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(targetTestCommand(a))
	return cmd
}

func targetTestCommand(a *app) *cobra.Command {
	t := targetTest{app: a}
	cmd := &cobra.Command{
		Use:   "test TARGET | -- PROGRAM [ARGUMENT...]",
		Short: "Try every rule that an application has to keep",
		Long: `Tries the rules that entrasync relies on: against a target of the configuration, or against a program that answers the
messages of the type exec. For each rule that is broken it prints why the rule matters, and what was sent and received.

It makes accounts of its own, changes them and deletes them again. It writes to no other account. It says so before it
begins, and asks on a terminal.`,
		Example: `  entrasync target test -- ./provision --env test
  entrasync target test legacy --yes --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 && len(args) > 0 {
				return nil
			}
			return arguments.One(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 {
				return t.program(cmd.Context(), args)
			}
			return t.configured(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&t.yes, "yes", false, "do not ask")
	flags.StringArrayVar(&t.rules, "rule", nil, "only this `RULE`; may be repeated")
	flags.StringVar(&t.tenant, "tenant-name", "test", "what {tenant} stands for in the target's options")
	flags.StringToStringVar(&t.config, "set", nil, "hand `NAME=VALUE` to the program, as the target's config does; may be repeated")
	flags.StringArrayVar(&t.env, "env", nil, "hand on the environment variable `NAME` to the program; may be repeated")
	flags.IntVar(&t.users, "users", 230, "accounts that make up several pages of a listing")
	return cmd
}

// A targetTest is one invocation of `target test`.
type targetTest struct {
	app    *app
	yes    bool
	rules  []string
	tenant string
	config map[string]string
	env    []string
	users  int
}

// program tests a program that no configuration names.
func (t *targetTest) program(ctx context.Context, words []string) error {
	path, err := filepath.Abs(words[0])
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	options := &all.Exec{Command: append([]string{path}, words[1:]...), Config: t.config, Env: t.env}
	return t.run(ctx, "the program "+words[0], options)
}

// configured tests a target of the configuration.
func (t *targetTest) configured(ctx context.Context, name string) error {
	if len(t.config)+len(t.env) > 0 {
		return advice.With(errors.New("--set and --env are for a program behind --"), "write config and env into the target's section")
	}
	cfg, _, err := t.app.loadConfig()
	if err != nil {
		return err
	}
	if _, ok := cfg.Targets.Get(name); !ok {
		return advice.With(fmt.Errorf("there is no target %q", name), "the targets are "+strings.Join(cfg.Targets.Names(), ", "))
	}
	application, err := compile.ApplicationOf(cfg, name, t.tenant)
	if err != nil {
		return err
	}
	return t.run(ctx, "target "+name, application.Options)
}

func (t *targetTest) run(ctx context.Context, name string, options all.Options) error {
	env := all.Env{Version: versionText(), Log: t.app.logger(slog.LevelWarn)}
	run := conformance.Run{Target: name, Rules: t.rules, Users: t.users, Open: func() (target.Adapter, error) { return options.Open(env) }}
	if err := run.Check(); err != nil {
		return err
	}
	fmt.Fprint(t.app.err, run.Notice())
	if !t.yes {
		if err := conformance.Confirm(t.app.keyboard(), t.app.printer()); err != nil {
			return err
		}
	}
	return run.Print(ctx, t.app.printer())
}
