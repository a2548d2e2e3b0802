package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/completion"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/remote"
	"entrasync/cmd/internal/worker"
)

// version is set by the linker (make build); a plain `go build` tells the module's.
var version = ""

// An app is one invocation: its streams and the options every command has.
type app struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	env func(string) (string, bool)

	// What the command's line names is read and written here: for a command that the service
	// runs, at its client.
	readFile  func(name string) ([]byte, error)
	writeFile func(name string, data []byte) error

	client  *remote.Client                 // hands the command to a service, nil inside of one
	attach  func() (*worker.Worker, error) // inside a service: its worker
	command string                         // inside a service: the name of the command that it runs for a client

	caller string            // the user of a command that the service runs for a client
	byAPI  bool              // that client is another program than entrasync
	graph  http.RoundTripper // reaches Graph; nil until it is needed

	configFile string
	json       bool
	log        logOptions
}

// main runs one command line and returns its exit code.
func (a *app) main(ctx context.Context, args []string) int {
	if a.attach == nil {
		a.client = remote.New(ctx, args, a.in)
		a.in = a.client.Stdin()
		a.readFile, a.writeFile = os.ReadFile, func(name string, data []byte) error { return os.WriteFile(name, data, 0o600) }
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return exit.CodeOf(root.ExecuteContext(ctx), a.err)
}

func (a *app) root() *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use:   "entrasync",
		Short: "Keep an application's accounts in step with Microsoft Entra ID",
		Long: `entrasync reads users, groups and app-role assignments from Microsoft Entra ID and creates,
updates, deactivates and reactivates accounts in your applications. It shows what it would do
before it does it, says why, and never removes a user because of an error.

New here? Run "entrasync demo": it needs nothing.

` + exit.Help,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          arguments.Subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return printVersion(a)
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.SetFlagErrorFunc(arguments.FlagError)
	root.CompletionOptions.HiddenDefaultCmd = false
	flags := root.PersistentFlags()
	flags.StringVarP(&a.configFile, "config", "c", "", "configuration file (default entrasync.yaml, then /etc/entrasync/entrasync.yaml)")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.StringVar(&a.log.format, "log-format", "text", "log format on standard error: text or json")
	flags.StringVar(&a.log.level, "log-level", "", "log level: debug, info, warn or error (default warn; info for run)")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.begin(cmd); err != nil {
			return err
		}
		return a.log.check()
	}
	for _, command := range commands(a) {
		root.AddCommand(command)
	}
	completion.Completion{Load: a.loadConfig, Open: a.open}.Add(root)
	return root
}

// commands lists every command in the order of a first encounter.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		demoCommand(a), initCommand(a), registerCommand(a), checkCommand(a), planCommand(a), syncCommand(a), runCommand(a),
		statusCommand(a), runsCommand(a), showCommand(a), explainCommand(a), discoverCommand(a),
		holdsCommand(a), approveCommand(a), rejectCommand(a), auditCommand(a), undoCommand(a), driftCommand(a), linksCommand(a), tenantsCommand(a), consentCommand(a),
		stateCommand(a), notifyCommand(a), configCommand(a), evalCommand(a), importSchemaCommand(a), targetCommand(a), emulateCommand(a), versionCommand(a),
	}
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return strings.Trim(info.Main.Version, "()")
	}
	return "devel"
}
