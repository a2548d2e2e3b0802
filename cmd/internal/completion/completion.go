// Package completion suggests arguments and values of flags to a shell: syncs, tenants, runs, holds and codes.
//
// It reads the configuration, and the state for runs and holds. It promises never to print an error: what cannot be
// read has no suggestions.
package completion

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/state"
)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// A Completion suggests arguments and values of flags to a shell.
type Completion struct {
	// Load reads the configuration, with its syncs.
	Load func() (*configs.Config, []*compile.Sync, error)
	// Open opens the configuration and the state, for the caller to close.
	Open func() (*worker.Worker, error)
}

// Add gives each command the suggestions for the argument its usage line names, and for
// the flags --sync and --tenant.
func (c Completion) Add(cmd *cobra.Command) {
	_, argument, _ := strings.Cut(cmd.Use, " ")
	argument, _, _ = strings.Cut(argument, " | --")
	switch strings.Trim(argument, "[].") {
	case "SYNC", "SYNC | HOLD":
		cmd.ValidArgsFunction = c.syncs
	case "RUN":
		cmd.ValidArgsFunction = c.runs
	case "HOLD":
		cmd.ValidArgsFunction = c.holds
	case "KEY":
		cmd.ValidArgsFunction = c.codes
	case "TARGET":
		cmd.ValidArgsFunction = c.targets
	case "TENANT":
		cmd.ValidArgsFunction = c.tenants
	}
	for name, complete := range map[string]cobra.CompletionFunc{"sync": c.syncs, "tenant": c.tenants} {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Value.Type() != "bool" {
			_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
				return complete(cmd, nil, word)
			}) // it fails for a second registration only
		}
	}
	for _, sub := range cmd.Commands() {
		c.Add(sub)
	}
}

// syncs suggests the syncs of the configuration that are not named yet.
func (c Completion) syncs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	_, syncs, err := c.Load()
	if err != nil {
		return nil, noFiles
	}
	names := compile.Names(syncs)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) }), noFiles
}

// targets suggests the targets of the configuration.
func (c Completion) targets(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, _, err := c.Load()
	if err != nil || len(args) > 0 {
		return nil, noFiles
	}
	return cfg.Targets.Names(), noFiles
}

// tenants suggests the tenants of the configuration and those that joined by consent.
func (c Completion) tenants(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	_ = c.eachSync(func(s *compile.Sync, _ *worker.Worker) error {
		names = append(names, s.TenantName)
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names), noFiles
}

// runs suggests the newest runs of each sync.
func (c Completion) runs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	const newest = 10
	runs := []string{cobra.CompletionWithDesc(inspect.Latest, "the newest run of each sync")}
	_ = c.eachSync(func(s *compile.Sync, w *worker.Worker) error {
		tenant, err := w.Store.Tenant(s.Tenant)
		if err != nil {
			return err
		}
		defer tenant.Close()
		return tenant.View(func(tx *state.Tx) error {
			for _, run := range tx.Runs(s.Name).Latest(newest) {
				runs = append(runs, cobra.CompletionWithDesc(run.ID, s.Name+", "+run.Result+", "+run.Started.Local().Format(time.DateTime)))
			}
			return nil
		})
	})
	return runs, noFiles
}

// holds suggests the holds that wait for a decision.
func (c Completion) holds(_ *cobra.Command, args []string, _ string) (holds []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	w, err := c.Open()
	if err != nil {
		return nil, noFiles
	}
	defer w.Close()
	_ = inspect.EachHold(w, w.Syncs, func(_ *compile.Sync, h state.Hold) {
		holds = append(holds, cobra.CompletionWithDesc(h.ID, h.Guard+": "+h.Cause))
	})
	return holds, noFiles
}

// codes suggests the codes that explain explains.
func (c Completion) codes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return slices.Sorted(maps.Keys(advice.Codes)), noFiles
}

// eachSync visits the syncs of the configuration and of the tenants that joined.
func (c Completion) eachSync(visit func(*compile.Sync, *worker.Worker) error) error {
	w, err := c.Open()
	if err != nil {
		return err
	}
	defer w.Close()
	for _, s := range w.Syncs {
		if err := visit(s, w); err != nil {
			return err
		}
	}
	return nil
}
