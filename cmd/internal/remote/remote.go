// Package remote hands a command line to the service that owns the state, and passes on what it prints and how it ends.
//
// The state belongs to one process. A command that finds it in use by a service has the service run the line in its place,
// over the admin socket. This package decides which commands a service runs for others. It promises that files a line
// names are read and written here, and that an end of this process is passed on.
package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/exit"
	"entrasync/configs"
	"entrasync/state"
)

// A Client hands one command line to the service that owns the state.
type Client struct {
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

// New returns the client of a command line. The command reads its input from [Client.Stdin].
func New(ctx context.Context, args []string, stdin io.Reader) *Client {
	return &Client{ctx: ctx, args: args, stdin: &recording{Reader: stdin}}
}

// Stdin is the standard input, of which the service gets what was read before it runs the command.
func (c *Client) Stdin() io.Reader { return c.stdin }

// Keyboard is the standard input itself, for questions whose answers are given to [Client.Add].
func (c *Client) Keyboard() io.Reader { return c.stdin.Reader }

// Add adds an argument to the line, such as what was answered at the terminal.
func (c *Client) Add(arg string) { c.args = append(c.args, arg) }

// Begin notes which command runs.
func (c *Client) Begin(cmd *cobra.Command) { c.cmd = cmd }

// commands are the commands that work with the state, and so the ones a service runs for others.
var commands = map[string]bool{
	"plan": true, "sync": true, "status": true, "runs": true, "show": true, "explain": true, "discover": true,
	"holds": true, "approve": true, "reject": true, "eval": true, "audit": true, "links": true, "undo": true,
	"drift": true, "state backup": true, "tenants": true, "consent": true, "check": true,
	cobra.ShellCompRequestCmd: true, cobra.ShellCompNoDescRequestCmd: true, // they suggest runs and holds
}

// Command returns the name of a command that a service runs for a client.
func Command(cmd *cobra.Command) (name string, err error) {
	path := strings.TrimPrefix(cmd.CommandPath(), "entrasync ")
	if name, _, _ = strings.Cut(path, " "); !commands[name] && !commands[path] {
		return "", fmt.Errorf("the service does not run %q for others", cmd.CommandPath())
	}
	return name, nil
}

// An Invocation is what the service has to know about a command line, and where its output goes.
type Invocation struct {
	ConfigFile string // empty: the file that is found
	Version    string
	User       string
	NoColor    bool
	Out, Err   io.Writer
	ReadFile   func(name string) ([]byte, error)
	WriteFile  func(name string, data []byte) error
}

// startTime is how long a service may take from its lock to its socket.
const startTime = 3 * time.Second

// Exec has the holder of the state run the command, if that is a service. The error is how
// the command ended, or held when there is no service.
func (c *Client) Exec(i Invocation, held *state.InUseError) error {
	starting := time.Now().Add(startTime)
	for {
		err := c.execAt(i, held.Dir)
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

// ExecUnread is [Client.Exec] for a configuration with faults, which it returns when there is no service. They may be
// this environment's: a service can have variables and files that a shell has not.
func (c *Client) ExecUnread(i Invocation, faults error) error {
	file, err := configs.Find(i.ConfigFile)
	if err != nil {
		return faults
	}
	dir, ok := configs.StateDir(file)
	if !ok {
		return faults
	}
	if err := c.execAt(i, dir); !errors.Is(err, admin.ErrUnreachable) {
		return err
	}
	return faults
}

func (c *Client) execAt(i Invocation, dir string) error {
	request := admin.Request{
		Version: i.Version, User: i.User, Args: c.args, Stdin: c.stdin.seen.Bytes(),
		NoColor: i.NoColor, StdoutTerminal: console.IsTerminal(i.Out), StderrTerminal: console.IsTerminal(i.Err),
		Columns: console.Columns(i.Out),
	}
	file, err := configs.Find(i.ConfigFile)
	if err != nil {
		return err
	}
	if request.Config, err = filepath.Abs(file); err != nil {
		return fmt.Errorf("find configuration: %w", err)
	}
	if plan := c.cmd.Flags().Lookup("plan"); plan != nil && plan.Value.String() != "" {
		if request.File, err = i.ReadFile(plan.Value.String()); err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
	}
	var output bytes.Buffer
	code, err := admin.Call(c.ctx, dir, request, admin.Streams{Stdout: i.Out, Stderr: i.Err, Output: &output})
	if err != nil {
		return err
	}
	if out := c.cmd.Flags().Lookup("out"); out != nil && out.Value.String() != "" && output.Len() > 0 {
		if err := i.WriteFile(out.Value.String(), output.Bytes()); err != nil {
			return fmt.Errorf("keep plan: %w", err)
		}
	}
	return exit.Code(code)
}
