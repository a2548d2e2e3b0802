package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/outfile"
	"entrasync/configs"
	"entrasync/target/all"
)

func initCommand(a *app) *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented starter configuration",
		Long: `Writes a starter configuration that says what to fill in and where to find it. Next to it goes the
JSON Schema that its first line points editors to, for help and completion while typing.`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error { return a.init(force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	return cmd
}

func (a *app) init(force bool) error {
	name := a.configFile
	if name == "" {
		name = "entrasync.yaml"
	}
	schema, err := configSchema()
	if err != nil {
		return err
	}
	if err := outfile.Create(name, configs.Starter(), force); err != nil {
		return err
	}
	// The schema belongs to this version, not to the user: it is always overwritten.
	if err := os.WriteFile(filepath.Join(filepath.Dir(name), schemaFile), schema, 0o644); err != nil {
		return fmt.Errorf("write the schema for editors: %w", err)
	}
	fmt.Fprintf(a.err, "Wrote %s, and %s next to it for editors. Fill in what it asks for, then: entrasync check\n", name, schemaFile)
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
