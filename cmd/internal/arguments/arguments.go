// Package arguments checks what follows a command's name, and names the nearest command or flag of what is misspelled.
//
// It runs nothing. It promises that every fault comes with what to type instead, or where that is listed.
package arguments

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"entrasync/cmd/internal/advice"
	"entrasync/configs"
)

// Subcommand accepts no argument: what follows a command that only groups others is a misspelled
// command. Its error names the nearest one.
func Subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	hint := "list the commands with: " + cmd.CommandPath() + " --help"
	if near := configs.Nearest(args[0], names); near != "" {
		hint = "did you mean " + cmd.CommandPath() + " " + near + "?"
	}
	return advice.With(fmt.Errorf("there is no command %q", cmd.CommandPath()+" "+args[0]), hint)
}

// None accepts no argument.
func None(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return advice.With(fmt.Errorf("%s takes no argument, but was given %q", cmd.CommandPath(), args[0]), "see: "+cmd.CommandPath()+" --help")
}

// One accepts exactly one argument, which the usage line names.
func One(cmd *cobra.Command, args []string) error {
	_, name, _ := strings.Cut(cmd.Use, " ")
	switch {
	case len(args) == 1:
		return nil
	case len(args) == 0:
		return advice.With(fmt.Errorf("%s needs one argument: %s", cmd.CommandPath(), name), "see: "+cmd.CommandPath()+" --help")
	}
	return advice.With(fmt.Errorf("%s takes one argument (%s), but was given %d", cmd.CommandPath(), name, len(args)),
		"put an argument with spaces in quotes")
}

// Of accepts exactly the arguments that a usage line names.
func Of(use string) cobra.PositionalArgs {
	names := strings.Fields(use)[1:]
	if len(names) == 1 {
		return One
	}
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return advice.With(fmt.Errorf("%s needs %d arguments (%s), but was given %d", cmd.CommandPath(), len(names), strings.Join(names, " "), len(args)),
			"see: "+cmd.CommandPath()+" --help")
	}
}

// FlagError adds to the parser's message the nearest flag of the command, or where they are listed.
func FlagError(cmd *cobra.Command, err error) error {
	hint := "see: " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden {
				names = append(names, flag.Name)
			}
		})
		if near := configs.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			hint = "did you mean --" + near + "?"
		}
		err = fmt.Errorf("%s has no flag --%s", cmd.CommandPath(), unknown.GetSpecifiedName())
	}
	return advice.With(err, hint)
}
