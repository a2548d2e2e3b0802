package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/worker"
	"entrasync/state"
)

func versionCommand(a *app) *cobra.Command {
	checkState := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and whether it opens the state",
		Long: `Prints the version. With --check-state it also says whether this version opens the state that the configuration
names, and which databases it would bring to its own form. It changes nothing, so that a new version can be
tried before it is installed. It needs the state for itself for a moment: stop the service first. Exit code: 1
when the state cannot be opened, 5 when another process has it.`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error {
			if !checkState {
				return printVersion(a)
			}
			return printVersions(a)
		},
	}
	cmd.Flags().BoolVar(&checkState, "check-state", false, "say whether this version opens the state; changes nothing")
	return cmd
}

func printVersion(a *app) error {
	if a.json {
		return a.printer().Document(map[string]string{"format": "entrasync/version/1", "version": versionText()})
	}
	_, err := fmt.Fprintln(a.out, "entrasync", versionText())
	return err
}

// printVersions prints the version with those of the state's databases.
func printVersions(a *app) error {
	cfg, _, err := a.loadConfig()
	if err != nil {
		return err
	}
	versions, err := worker.StateVersions(cfg)
	if err != nil {
		return err
	}
	var problems []error
	migrates := 0
	for i := range versions {
		v := &versions[i]
		if v.Problem != "" {
			problems = append(problems, fmt.Errorf("%s: %s", v.Database, v.Problem))
		}
		if v.Migrates() {
			migrates++
		}
	}
	if a.json {
		err = a.printer().Document(map[string]any{
			"format": "entrasync/version/1", "version": versionText(),
			"state": map[string]any{"where": worker.StateName(cfg), "opens": len(problems) == 0, "migrates": migrates, "databases": append([]state.Version{}, versions...)},
		})
	} else {
		_, err = fmt.Fprintf(a.out, "entrasync %s\nstate %s: %s\n", versionText(), worker.StateName(cfg), describeVersions(versions, len(problems), migrates))
	}
	return errors.Join(append(problems, err)...)
}

func describeVersions(versions []state.Version, problems, migrates int) string {
	switch {
	case problems > 0:
		return fmt.Sprintf("this version does not open %d of %d databases", problems, len(versions))
	case len(versions) == 0:
		return "there is none yet"
	case migrates > 0:
		return fmt.Sprintf("this version opens it, and brings %d of %d databases to its own form; an earlier version then refuses them, so make a backup first", migrates, len(versions))
	}
	return "this version opens it as it is"
}
