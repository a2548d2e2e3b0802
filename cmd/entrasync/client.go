package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/console"
	"entrasync/configs"
	"entrasync/state"
)

// A client hands the command at hand to the service that owns the state.
type client struct {
	app   *app
	ctx   context.Context // of the command: its end is the client's to pass on
	args  []string
	stdin *recording
	cmd   *cobra.Command // the one that runs
}

// A recording keeps what is read, so that it can be read once more elsewhere.
type recording struct {
	io.Reader
	seen bytes.Buffer
}

func (r *recording) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.seen.Write(p[:n])
	return n, err
}

func newClient(ctx context.Context, a *app, args []string) *client {
	c := &client{app: a, ctx: ctx, args: args, stdin: &recording{Reader: a.in}}
	a.in = c.stdin
	return c
}

// remoteCommands are the commands that work with the state, and so the ones a service runs for others.
var remoteCommands = map[string]bool{
	"plan": true, "sync": true, "status": true, "runs": true, "show": true, "explain": true, "discover": true,
	"holds": true, "approve": true, "reject": true, "eval": true, "audit": true, "links": true, "undo": true,
	"tenants": true, "consent": true, "check": true,
	cobra.ShellCompRequestCmd: true, cobra.ShellCompNoDescRequestCmd: true, // they suggest runs and holds
}

// begin notes which command runs.
func (a *app) begin(cmd *cobra.Command) error {
	if a.client != nil {
		a.client.cmd = cmd
		return nil
	}
	if name, _, _ := strings.Cut(strings.TrimPrefix(cmd.CommandPath(), "entrasync "), " "); !remoteCommands[name] {
		return fmt.Errorf("the service does not run %q for others", cmd.CommandPath())
	} else {
		a.command = name
	}
	return nil
}

// startTime is how long a service may take from its lock to its socket.
const startTime = 3 * time.Second

// execRemote has the holder of the state run the command, if that is a service. The error is how
// the command ended, or held when there is no service.
func (c *client) execRemote(held *state.InUseError) error {
	starting := time.Now().Add(startTime)
	for {
		err := c.execAt(held.Dir)
		if !errors.Is(err, admin.ErrUnreachable) {
			return err
		}
		if !strings.HasSuffix(held.Command, " run") || time.Now().After(starting) {
			return held
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

// execRemoteUnread is execRemote for a configuration with faults. They may be this environment's:
// a service can have variables and files that a shell has not.
func (c *client) execRemoteUnread(faults error) error {
	file, err := configs.Find(c.app.configFile)
	if err != nil {
		return faults
	}
	dir, ok := configs.StateDir(file)
	if !ok {
		return faults
	}
	if err := c.execAt(dir); !errors.Is(err, admin.ErrUnreachable) {
		return err
	}
	return faults
}

func (c *client) execAt(dir string) error {
	request := admin.Request{
		Version: versionText(), User: c.app.person(), Args: c.args, Stdin: c.stdin.seen.Bytes(),
		NoColor: !c.app.mayColour(), StdoutTerminal: console.IsTerminal(c.app.out), StderrTerminal: console.IsTerminal(c.app.err),
		Columns: console.Columns(c.app.out),
	}
	file, err := configs.Find(c.app.configFile)
	if err != nil {
		return err
	}
	if request.Config, err = filepath.Abs(file); err != nil {
		return fmt.Errorf("find configuration: %w", err)
	}
	if plan := c.cmd.Flags().Lookup("plan"); plan != nil && plan.Value.String() != "" {
		if request.File, err = c.app.readFile(plan.Value.String()); err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
	}
	var output bytes.Buffer
	code, err := admin.Call(c.ctx, dir, request, admin.Streams{Stdout: c.app.out, Stderr: c.app.err, Output: &output})
	if err != nil {
		return err
	}
	if out := c.cmd.Flags().Lookup("out"); out != nil && out.Value.String() != "" && output.Len() > 0 {
		if err := c.app.writeFile(out.Value.String(), output.Bytes()); err != nil {
			return fmt.Errorf("keep plan: %w", err)
		}
	}
	return exitError(code)
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
