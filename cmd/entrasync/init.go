package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/outfile"
	"entrasync/cmd/internal/sample"
	"entrasync/cmd/internal/starter"
	"entrasync/configs"
	"entrasync/target/all"
)

type initFlags struct {
	starter.Answers
	rehearse bool
	emulator string
	force    bool
}

func initCommand(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented starter configuration",
		Long: `Writes a starter configuration that says what to fill in and where to find it. Flags fill in what is
known; without them it asks, on a terminal only. Next to it goes the JSON Schema that its first line points editors to,
for help and completion while typing.

With --rehearse the configuration reads the tenant of entrasync emulate and writes accounts to a file, so that check,
plan, sync and run can be tried at once.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("emulator") && !f.rehearse {
				return errors.New("--emulator goes with --rehearse")
			}
			return a.init(f)
		},
	}
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite an existing file")
	cmd.Flags().StringVar(&f.Tenant, "tenant", "", "Directory (tenant) ID")
	cmd.Flags().StringVar(&f.ClientID, "client-id", "", "Application (client) ID of the app registration")
	cmd.Flags().StringVar(&f.Target, "target", "", "type of the application: "+strings.Join(starter.Types(), ", ")+" (default scim)")
	cmd.Flags().StringVar(&f.URL, "url", "", "address of the application")
	cmd.Flags().BoolVar(&f.rehearse, "rehearse", false, "a configuration to try with entrasync emulate")
	cmd.Flags().StringVar(&f.emulator, "emulator", starter.DefaultEmulator, "with --rehearse, address of entrasync emulate")
	return cmd
}

func (a *app) init(f initFlags) error {
	if err := f.Validate(); err != nil {
		return err
	}
	if f.rehearse {
		if f.Answers != (starter.Answers{}) {
			return errors.New("--rehearse has a tenant, an app and a target of its own: leave the other flags out")
		}
		if err := a.writeConfiguration(starter.Rehearsal(f.emulator, sample.TenantID, sample.ClientID, sample.ClientSecret), f.force); err != nil {
			return err
		}
		fmt.Fprintln(a.err, "Run entrasync emulate in this folder, and in another terminal: entrasync check")
		return nil
	}
	if f.Answers == (starter.Answers{}) && a.asks() {
		if err := f.Ask(a.in, a.err); err != nil {
			return err
		}
	}
	if err := a.writeConfiguration(starter.Configuration(f.Answers), f.force); err != nil {
		return err
	}
	fmt.Fprintln(a.err, "Fill in what it asks for, then: entrasync check")
	if f.ClientID == "" {
		fmt.Fprintln(a.err, "No app registration yet? entrasync register prints what makes one.")
	}
	return nil
}

// asks reports whether there is a person to ask.
func (a *app) asks() bool {
	in, ok := a.in.(*os.File)
	return ok && !a.json && term.IsTerminal(int(in.Fd()))
}

// writeConfiguration writes the configuration, and next to it its schema.
func (a *app) writeConfiguration(text string, force bool) error {
	name := a.configFile
	if name == "" {
		name = "entrasync.yaml"
	}
	schema, err := configSchema()
	if err != nil {
		return err
	}
	if err := outfile.Create(name, text, force); err != nil {
		return err
	}
	// The schema belongs to this version, not to the user: it is always overwritten.
	if err := os.WriteFile(filepath.Join(filepath.Dir(name), schemaFile), schema, 0o644); err != nil {
		return fmt.Errorf("write the schema for editors: %w", err)
	}
	fmt.Fprintf(a.err, "Wrote %s, and %s next to it for editors.\n", name, schemaFile)
	return nil
}

// schemaFile is the name under which configurations refer to their schema.
const schemaFile = "entrasync.schema.json"

// configSchema is the JSON Schema of the configuration with the options of every kind of target.
func configSchema() ([]byte, error) {
	options := map[string]any{}
	for name, fresh := range all.Types {
		options[name] = fresh()
	}
	return configs.Schema(options)
}
