package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/entra"
	"entrasync/cmd/internal/remote"
	"entrasync/cmd/internal/service"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/state"
)

// loadConfig reads the configuration with every fault that can be known without a connection.
func (a *app) loadConfig() (*configs.Config, []*compile.Sync, error) {
	file, err := configs.Find(a.configFile)
	if err != nil {
		return nil, nil, err
	}
	return compile.Load(file)
}

// open loads the configuration and opens the state. While a service owns the state, the service runs this
// command instead, and the error is how it ended.
func (a *app) open() (*worker.Worker, error) {
	if a.attach != nil {
		return a.attach()
	}
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return nil, a.client.ExecUnread(a.invocation(), err)
	}
	w, err := worker.Open(cfg, syncs, a.options(slog.LevelWarn))
	var held *state.InUseError
	if errors.As(err, &held) {
		return nil, a.client.Exec(a.invocation(), held)
	}
	return w, err
}

// invocation is what a service has to know that runs this command.
func (a *app) invocation() remote.Invocation {
	return remote.Invocation{ConfigFile: a.configFile, Version: versionText(), User: a.person(), NoColor: !a.mayColour(),
		Out: a.out, Err: a.err, ReadFile: a.readFile, WriteFile: a.writeFile}
}

// keyboard is the standard input itself, for questions at a terminal.
func (a *app) keyboard() io.Reader {
	if a.client != nil {
		return a.client.Keyboard()
	}
	return a.in
}

// connector returns how this command reaches Graph.
func (a *app) connector() entra.Connector {
	if a.graph == nil {
		a.graph = entra.NewTransport()
	}
	return entra.Connector{Transport: a.graph, UserAgent: "entrasync/" + versionText()}
}

// options are how this command opens a configuration.
func (a *app) options(level slog.Level) worker.Options {
	return worker.Options{OpenSource: a.connector().Open, Version: versionText(), Log: a.logger(level)}
}

// serve runs a worker as a service until ctx ends. serving is told the address of the operator's page.
func (a *app) serve(ctx context.Context, w *worker.Worker, f runFlags, serving func(url string)) error {
	return service.New(w, service.Options{
		ConfigFile: a.configFile, Activate: f.activate, PagesOnly: f.pagesOnly, Version: versionText(), Log: a.logger(slog.LevelInfo),
		Execute: execute, SignIn: a.connector().SignIn, Advice: func(code string) string { return advice.Codes[code] }, Serving: serving,
	}).Run(ctx)
}

// execute runs the command line of a client against the worker of the service.
func execute(ctx context.Context, c *admin.Command, attach service.AttachWorker) int {
	a := clientApp(c)
	a.attach = func() (*worker.Worker, error) { return attach(a.command, a.err) }
	return a.main(ctx, append([]string{}, c.Args...))
}

// clientApp is the invocation of a command line that the service runs for a client.
func clientApp(c *admin.Command) *app {
	return &app{
		caller: c.User, byAPI: c.Version == "",
		in: bytes.NewReader(c.Stdin), out: c.Stdout, err: c.Stderr,
		env: func(name string) (string, bool) { return "1", name == "NO_COLOR" && c.NoColor },
		readFile: func(string) ([]byte, error) {
			if c.File == nil {
				return nil, os.ErrNotExist
			}
			return c.File, nil
		},
		writeFile: func(_ string, data []byte) error {
			_, err := c.Output.Write(data)
			return err
		},
	}
}

// begin notes which command runs.
func (a *app) begin(cmd *cobra.Command) (err error) {
	if a.client != nil {
		a.client.Begin(cmd)
		return nil
	}
	a.command, err = remote.Command(cmd)
	return err
}
