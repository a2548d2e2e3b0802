package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/words"
	"entrasync/graphsync"
	"entrasync/state"
)

func stateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Export the state to a file, or import it",
		Long: `The state is what entrasync remembers between cycles: the snapshot of each directory with its delta
links, the links to accounts, holds and runs, and who owns which account. An export is a backup, and
how the state moves to another machine. It holds personal data. Stop the service first: both commands
need the state for themselves.`,
		Args: commandsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	out := ""
	export := &cobra.Command{
		Use:   "export [TENANT]...",
		Short: "Write the state to a file or to standard output",
		Long: `Writes the whole state, or that of some tenants by name or id, as one compressed stream with
checksums. The file is readable by its owner only, and has its name when it is complete.`,
		Example: `  entrasync state export --out backup.entrasync
  entrasync state export contoso --out contoso.entrasync`,
		RunE: func(_ *cobra.Command, args []string) error { return stateCommands{a}.export(args, out) },
	}
	export.Flags().StringVarP(&out, "out", "o", "", "file to write; without it, standard output")
	cmd.AddCommand(export, &cobra.Command{
		Use:   "import FILE",
		Short: "Take in an export, into a state that does not have it",
		Long: `Takes in an export: of the whole state into an empty one, of some tenants into one that does not have
them. FILE is read twice, the first time to verify it: nothing is taken in of one that is cut off or
was changed. The version of entrasync must have the schema of the one that wrote it.`,
		Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error { return stateCommands{a}.take(args[0]) },
	})
	return cmd
}

// stateCommands export and import the state.
type stateCommands struct{ app *app }

// open opens the state that the configuration names, for this command alone.
func (c stateCommands) open() (*state.Store, error) {
	cfg, _, err := c.app.loadConfig()
	if err != nil {
		return nil, err
	}
	return state.Open(cfg.State)
}

func (c stateCommands) export(names []string, file string) (err error) {
	if file == "" && console.IsTerminal(c.app.out) {
		return advice.With(errors.New("an export is not for a terminal"), "name a file: entrasync state export --out FILE")
	}
	store, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	tenants, err := c.tenants(store, names)
	if err != nil {
		return err
	}
	if file == "" {
		done, err := store.Export(c.app.out, tenants)
		if err == nil {
			_, err = fmt.Fprintln(c.app.err, described("exported", done))
		}
		return err
	}
	var done state.Transfer
	err = writePrivate(file, func(w io.Writer) (err error) { done, err = store.Export(w, tenants); return err })
	if err != nil {
		return err
	}
	return c.report("exported", file, done)
}

func (c stateCommands) take(file string) (err error) {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	store, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	done, err := store.Import(in)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return c.report("imported", file, done)
}

// tenants finds tenants by name or id; each has a state.
func (c stateCommands) tenants(store *state.Store, names []string) (ids []graphsync.ID, err error) {
	records, err := store.TenantRecords().All()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		at := slices.IndexFunc(records, func(r state.TenantRecord) bool { return r.Name == name })
		id, parseErr := graphsync.ParseID(name)
		switch {
		case at >= 0:
			id = records[at].ID
		case parseErr != nil:
			return nil, advice.With(fmt.Errorf("there is no tenant %q", name), "list them with: entrasync tenants list")
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// report says what was moved.
func (c stateCommands) report(what, file string, done state.Transfer) error {
	if c.app.json {
		ids := make([]string, len(done.Tenants))
		for i, id := range done.Tenants {
			ids[i] = id.String()
		}
		return c.app.printJSON(map[string]any{"format": "entrasync/state/1", "action": what, "file": file, "registry": done.Registry, "tenants": ids, "rows": done.Rows})
	}
	_, err := fmt.Fprintf(c.app.out, "%s: %s\n", described(what, done), file)
	return err
}

// described says in words what was moved.
func described(what string, done state.Transfer) string {
	whole := ""
	if done.Registry {
		whole = "the whole state, "
	}
	return fmt.Sprintf("%s %s%s, %s", what, whole, words.Count(len(done.Tenants), "tenant", "tenants"), words.Count(done.Rows, "row", "rows"))
}

// writePrivate writes a file that its owner alone can read. It takes its name when it is complete and on disk.
func writePrivate(file string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
