// Package admin is the service's administration API: HTTP and JSON over a unix socket in the state directory.
//
// The command line is one of its clients. While a service owns the state, [Call] sends what was typed to the
// service and prints what it streams back. Other programs, such as a console, use the same routes; the page
// configs/docs/admin-api.md describes each of them.
//
// The package runs no command itself. The service gives [Serve] a function for that, and the routes for single
// documents, such as GET /v1/status, are command lines with --json that the package puts together.
//
// It promises that only the user of the service and root are let in, whatever the permissions of the
// directory; that sizes, times and the number of commands are bounded; that the client reads and writes files
// with its own rights, and only those that its own command line names; and that neither side waits for one
// that has gone or does not read.
package admin

import (
	"errors"
	"os"
	"path/filepath"
)

// socketName is the socket's name in the state directory.
const socketName = "entrasync.sock"

// ErrUnreachable means that no service answers at the socket.
var ErrUnreachable = errors.New("the service cannot be reached")

// A RefusedError is why the service did not run a command.
type RefusedError struct{ Why string }

// Error quotes the service.
func (e *RefusedError) Error() string { return "the service does not run this command: " + e.Why }

// A Request is a command as it was typed.
type Request struct {
	Version string   `json:"version,omitempty"` // of the client's program; a note on standard error says when the service's is another
	User    string   `json:"user,omitempty"`    // who typed it, for the record: nothing is decided by it; by default the user of the client's process
	Args    []string `json:"args"`
	Config  string   `json:"config,omitempty"` // absolute path of the configuration the client found; by default the service's
	Stdin   []byte   `json:"stdin,omitempty"`  // what the client has read of its standard input
	NoColor bool     `json:"no_color,omitempty"`

	StdoutTerminal bool `json:"stdout_terminal,omitempty"`
	StderrTerminal bool `json:"stderr_terminal,omitempty"`
	Columns        int  `json:"columns,omitempty"` // width of the terminal that standard output is, 0 when not known

	// File is what the command reads from the file that its line names, nil for none.
	File []byte `json:"-"`
}

// Limits of a request and of what is answered, in bytes.
const (
	maxRequest  = 1 << 20   // of a request without its file
	maxFile     = 256 << 20 // of the file that a command reads
	maxPiece    = 256 << 10 // of what an event carries
	maxEvent    = 6*maxPiece + 1<<10
	maxDocument = 64 << 20 // of a single document
)

// The formats of the documents that are not a command's own.
const (
	formatService = "entrasync/service/1"
	formatCommand = "entrasync/command/1"
	formatError   = "entrasync/error/1"
)

// An event is one line of the response to POST /v1/commands.
type event struct {
	Format  string `json:"format,omitempty"`  // of the first event
	Command string `json:"command,omitempty"` // of the first event: the id by which the command is stopped
	Stream  string `json:"stream,omitempty"`  // streamOut, streamErr or streamFile
	Text    string `json:"text,omitempty"`    // a piece of the stream
	Bytes   []byte `json:"bytes,omitempty"`   // a piece that is not valid UTF-8, or ends within a character
	Exit    *int   `json:"exit,omitempty"`    // of the last event
}

// The streams of a command.
const (
	streamOut  = "stdout"
	streamErr  = "stderr"
	streamFile = "file" // what the command writes to the file that its line names
)

// An errorDocument is the body of every response that is not what was asked for.
type errorDocument struct {
	Format string `json:"format"`
	Error  string `json:"error"`
}

// at calls use with an address of the socket in a directory. A long path is reached through
// the open directory, because addresses are short.
func at(dir string, use func(address string) error) error {
	address := filepath.Join(dir, socketName)
	if len(address) <= maxPath {
		return use(address)
	}
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer opened.Close()
	short, err := through(opened)
	if err != nil {
		return err
	}
	return use(filepath.Join(short, socketName))
}
