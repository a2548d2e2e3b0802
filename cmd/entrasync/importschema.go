package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/importschema"
	"entrasync/cmd/internal/jsonfile"
	"entrasync/cmd/internal/outfile"
)

func importSchemaCommand(a *app) *cobra.Command {
	var o importschema.Options
	var out string
	force := false
	cmd := &cobra.Command{
		Use:   "import-schema FILE",
		Short: "Turn the schema of an Entra provisioning job into a syncs: section",
		Long: `Reads the JSON of a provisioning job's schema (- for standard input) and prints a section syncs:
for the configuration, with attribute mappings, matching attributes, actions and scoping filters.
What could not be carried over is named with the reason, in the section's comments and on standard
error. Where to find the schema: in the portal under Provisioning, Mappings, Show advanced options,
"Review your schema here"; or from Graph: GET /servicePrincipals/{id}/synchronization/jobs/{jobId}/schema`,
		Example: `  entrasync import-schema schema.json --sync front --from contoso --to front
  entrasync import-schema schema.json --out syncs.yaml`,
		Args: arguments.One,
		RunE: func(_ *cobra.Command, args []string) error { return a.importSchema(args[0], out, force, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Sync, "sync", "app", "name of the sync")
	flags.StringVar(&o.From, "from", "main", "tenant of the configuration it reads from")
	flags.StringVar(&o.To, "to", "app", "target of the configuration it writes to")
	flags.StringVar(&o.Rule, "rule", "", "synchronization rule to import, when the schema has several")
	flags.StringVar(&out, "out", "", "write the section to this file")
	flags.BoolVar(&force, "force", false, "with --out: overwrite an existing file")
	return cmd
}

func (a *app) importSchema(file, out string, force bool, o importschema.Options) error {
	text, err := jsonfile.Read(file, a.in, a.readFile)
	if err != nil {
		return err
	}
	result, err := importschema.Convert(file, text, o)
	if err != nil {
		return fmt.Errorf("import schema: %w", err)
	}
	if out != "" {
		if err := outfile.Create(out, result.YAML, force); err != nil {
			return err
		}
		fmt.Fprintf(a.err, "Wrote %s.\n", out)
	}
	if a.json {
		notes := result.Notes
		if notes == nil {
			notes = []importschema.Note{}
		}
		return a.printer().Document(struct {
			Format string              `json:"format"`
			YAML   string              `json:"yaml"`
			Notes  []importschema.Note `json:"notes"`
		}{"entrasync/import/1", result.YAML, notes})
	}
	for _, note := range result.Notes {
		kind := map[importschema.Kind]string{importschema.LeftOut: "not carried over", importschema.Changed: "changed", importschema.Advice: "note"}[note.Kind]
		fmt.Fprintf(a.err, "%s: %s\n", kind, note)
	}
	if out != "" {
		return nil
	}
	if _, err := fmt.Fprint(a.out, result.YAML); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
