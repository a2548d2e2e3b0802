package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/notify"
)

func notifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Try the channels that report what needs attention",
		Args:  arguments.Subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "test [NAME]",
		Short: "Send a test message to a channel, or to all",
		Long:  "Sends a test message to the channel of that name, or to every channel of notify.channels. The exit code is 1 when one could not be sent.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := a.loadConfig()
			if err != nil {
				return err
			}
			if cfg.Notify == nil {
				return advice.With(errors.New("the configuration has no channels"), "write a section notify, see configs/docs/notify.md")
			}
			channels, err := notify.Channels(cfg.Notify)
			if err != nil {
				return err
			}
			trials, err := notify.Try(cmd.Context(), channels, strings.Join(args, ""), cfg.Notify.Link, time.Now())
			if err != nil {
				return err
			}
			return a.printTrials(trials)
		},
	})
	return cmd
}

func (a *app) printTrials(trials []notify.Trial) error {
	code := exit.Done
	for _, t := range trials {
		if !t.OK {
			code = exit.Failed
		}
		switch {
		case a.json:
		case t.OK:
			fmt.Fprintf(a.out, "✓ %s: sent\n", t.Channel)
		default:
			fmt.Fprintf(a.out, "✗ %s: %s\n", t.Channel, t.Error)
		}
	}
	if a.json {
		if err := a.printer().Document(struct {
			Format   string         `json:"format"`
			Channels []notify.Trial `json:"channels"`
		}{"entrasync/notify-test/1", trials}); err != nil {
			return err
		}
	}
	return exit.With(code)
}
