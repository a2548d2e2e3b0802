package arguments

import (
	"errors"
	"testing"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
)

// family is a command with two others below it.
func family() *cobra.Command {
	root := &cobra.Command{Use: "tool"}
	nothing := func(*cobra.Command, []string) {}
	set := &cobra.Command{Use: "set USER ACCOUNT", Run: nothing}
	set.Flags().Bool("reason", false, "")
	root.AddCommand(set, &cobra.Command{Use: "show USER", Run: nothing})
	return root
}

// Each fault names what to type instead.
func TestFaults(t *testing.T) {
	t.Parallel()
	root := family()
	set, show := root.Commands()[0], root.Commands()[1]
	for name, tt := range map[string]struct {
		err           error
		message, hint string
	}{
		"a misspelled command": {Subcommand(root, []string{"shwo"}), `there is no command "tool shwo"`, "did you mean tool show?"},
		"an unknown command":   {Subcommand(root, []string{"frobnicate"}), `there is no command "tool frobnicate"`, "list the commands with: tool --help"},
		"an argument too many": {None(root, []string{"x"}), `tool takes no argument, but was given "x"`, "see: tool --help"},
		"no argument":          {One(show, nil), "tool show needs one argument: USER", "see: tool show --help"},
		"a name in two words":  {One(show, []string{"Ada", "Lovelace"}), "tool show takes one argument (USER), but was given 2", "put an argument with spaces in quotes"},
		"one of two":           {Of(set.Use)(set, []string{"ada"}), "tool set needs 2 arguments (USER ACCOUNT), but was given 1", "see: tool set --help"},
		"none of one":          {Of(show.Use)(show, nil), "tool show needs one argument: USER", "see: tool show --help"},
		"a misspelled flag":    {FlagError(set, set.ParseFlags([]string{"--reson"})), "tool set has no flag --reson", "did you mean --reason?"},
		"an unknown flag":      {FlagError(set, set.ParseFlags([]string{"--frobnicate"})), "tool set has no flag --frobnicate", "see: tool set --help"},
	} {
		var hinted advice.Error
		if !errors.As(tt.err, &hinted) || hinted.Error() != tt.message || hinted.Hint != tt.hint {
			t.Errorf("%s: %v (%q), want %q (%q)", name, tt.err, hinted.Hint, tt.message, tt.hint)
		}
	}
}

// What is right passes.
func TestAccepted(t *testing.T) {
	t.Parallel()
	root := family()
	set, show := root.Commands()[0], root.Commands()[1]
	for name, err := range map[string]error{
		"no command": Subcommand(root, nil), "no argument": None(show, nil), "one": One(show, []string{"ada"}),
		"one by its usage": Of(show.Use)(show, []string{"ada"}), "two by the usage": Of(set.Use)(set, []string{"ada", "7"}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
