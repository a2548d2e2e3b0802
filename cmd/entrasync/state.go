package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/transfer"
	"entrasync/cmd/internal/worker"
	"entrasync/state"
)

func stateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Export the state to a file, import it, or bring its database up to date",
		Long: `The state is what entrasync remembers between cycles: the snapshot of each directory with its delta
links, the links to accounts, holds and runs, and who owns which account. An export is a backup, and
how the state moves to another machine. It holds personal data. Stop the service, or all workers that
share a database, first; state backup works while the service runs.`,
		Args: arguments.Subcommand,
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
	take, keyFile := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in an export, into a state that does not have it",
		Long: `Takes in an export: of the whole state into an empty one, of some tenants into one that does not have
them. FILE is read twice, the first time to verify it: nothing is taken in of one that is cut off or
was changed. The version of entrasync must have the schema of the one that wrote it. What is taken in
is encrypted as this state is, whether FILE is or not.`,
		Args: arguments.One,
	}, ""
	take.Flags().StringVar(&keyFile, "key-file", "", "file with the key of FILE, when it is not that of this state")
	take.RunE = func(_ *cobra.Command, args []string) error { return stateCommands{a}.take(args[0], keyFile) }
	cmd.AddCommand(export, backupCommand(a), rekeyCommand(a), take, &cobra.Command{
		Use:   "migrate",
		Short: "Bring a state in a database to the version of this program",
		Long: `Changes the tables of a state in a database to those of this program. Stop the workers of the earlier
version and back up before. A state in files is brought up to date when it is opened.`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error { return stateCommands{a}.migrate() },
	})
	return cmd
}

func backupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup",
		Short: "Export the state to the folder of the section backup, also while the service runs",
		Long: `Exports the whole state to backup.folder, reads it back, and deletes all but the newest backup.keep. The
service does the same at backup.schedule.`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error {
			return a.withWorker(func(w *worker.Worker) error {
				section := w.Config.Backup
				if section == nil {
					return advice.With(errors.New("the configuration does not say where to"), "write a section such as: backup: {folder: /backup/entrasync}")
				}
				done, err := transfer.BackUp(w.Store, section.Folder, section.Keep, time.Now())
				if err != nil {
					return err
				}
				return stateCommands{a}.report("backed up", done.File, done.Transfer)
			})
		},
	}
}

func rekeyCommand(a *app) *cobra.Command {
	newKeyFile, noKey := "", false
	cmd := &cobra.Command{
		Use:   "rekey {--new-key-file FILE | --no-key}",
		Short: "Encrypt the state, give it another key, or decrypt it",
		Long: `Writes the whole state again: encrypted with the key in FILE, or with --no-key not encrypted. The present
key is that of state.key_file. FILE holds 32 random bytes in base64, and its owner alone can read it:

  (umask 077; openssl rand -base64 32 > FILE)

Stop the service, or all workers that share a database, and back up before. Then name FILE in
state.key_file. Interrupted, the state opens with one of the two keys; the same command resumes.`,
		Example: `  entrasync state rekey --new-key-file /etc/entrasync/state-key-2
  entrasync state rekey --no-key`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error { return stateCommands{a}.rekey(newKeyFile, noKey) },
	}
	cmd.Flags().StringVar(&newKeyFile, "new-key-file", "", "file with the key that the state is given")
	cmd.Flags().BoolVar(&noKey, "no-key", false, "decrypt the state")
	return cmd
}

// rekey gives the state another key.
func (c stateCommands) rekey(newKeyFile string, noKey bool) error {
	if noKey == (newKeyFile != "") {
		return advice.With(errors.New("state rekey needs either --new-key-file or --no-key"), "make a key: (umask 077; openssl rand -base64 32 > FILE), then: entrasync state rekey --new-key-file FILE")
	}
	cfg, _, err := c.app.loadConfig()
	if err != nil {
		return err
	}
	var to *state.Key
	if !noKey {
		if to, err = state.ReadKey(newKeyFile); err != nil {
			return err
		}
	}
	store, err := worker.OpenStateToRekey(cfg, to)
	if err != nil {
		return err
	}
	done, err := transfer.Rekey(store, to, func(text string) { fmt.Fprintln(c.app.err, text) })
	if err != nil {
		return err
	}
	if c.app.json {
		return c.app.printer().Document(done)
	}
	_, err = fmt.Fprintln(c.app.out, done.Describe(cfg.State.KeyFile, newKeyFile))
	return err
}

// migrate brings the tables of a database to the present version.
func (c stateCommands) migrate() error {
	cfg, _, err := c.app.loadConfig()
	if err != nil {
		return err
	}
	store, err := worker.OpenState(cfg, true)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	if c.app.json {
		return c.app.printer().Document(map[string]any{"format": "entrasync/state/1", "action": "migrated"})
	}
	_, err = fmt.Fprintf(c.app.out, "The state is of the version of this program: %s\n", worker.StateName(cfg))
	return err
}

// stateCommands export and import the state.
type stateCommands struct{ app *app }

// open opens the state that the configuration names, for this command alone.
func (c stateCommands) open() (*state.Store, error) {
	cfg, _, err := c.app.loadConfig()
	if err != nil {
		return nil, err
	}
	return worker.OpenState(cfg, false)
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
	tenants, err := transfer.Tenants(store, names)
	if err != nil {
		return err
	}
	if file == "" {
		done, err := store.Export(c.app.out, tenants)
		if err == nil {
			_, err = fmt.Fprintln(c.app.err, transfer.Describe("exported", done))
		}
		return err
	}
	done, err := transfer.Export(store, tenants, file)
	if err != nil {
		return err
	}
	return c.report("exported", file, done)
}

func (c stateCommands) take(file, keyFile string) error {
	var keys []*state.Key
	if keyFile != "" {
		key, err := state.ReadKey(keyFile)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	done, err := transfer.Import(c.open, file, keys...)
	if err != nil {
		return err
	}
	return c.report("imported", file, done)
}

// report says what was moved.
func (c stateCommands) report(action, file string, done state.Transfer) error {
	if c.app.json {
		return c.app.printer().Document(transfer.DocumentOf(action, file, done))
	}
	_, err := fmt.Fprintf(c.app.out, "%s: %s\n", transfer.Describe(action, done), file)
	return err
}
