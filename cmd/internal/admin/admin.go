// Package admin hands a command line to the service that owns the state: a unix socket in the
// state directory, over which the client sends what was typed and receives what is printed.
//
// It runs no command itself and knows none: the service gives [Serve] a function for that. It
// promises that only the user of the service and root are let in, whatever the permissions of
// the directory; that the client reads and writes files with its own rights, and only those
// that its own command line names; and that neither side waits for one that has gone or does
// not read.
//
// # Protocol
//
// Both directions carry frames: a kind (one byte), a length (four bytes, big endian) and so
// many bytes. The client sends a Request as JSON, the file the command reads in pieces, and
// "go"; closing its side then asks the command to stop. The service answers with pieces of
// standard output, standard error and the file the command writes, and at the end an exit code.
package admin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// protocol is raised when frames change their meaning.
const protocol = 1

// socketName is the socket's name in the state directory.
const socketName = "entrasync.sock"

// ErrUnreachable means that nobody answers at the socket.
var ErrUnreachable = errors.New("the service cannot be reached")

// A Request is a command as it was typed.
type Request struct {
	Protocol int      `json:"protocol"`
	Version  string   `json:"version"` // of the client's program
	User     string   `json:"user"`    // who typed it, for the record: nothing is decided by it
	Args     []string `json:"args"`
	Config   string   `json:"config"` // absolute path of the configuration the client found
	Stdin    []byte   `json:"stdin"`  // what the client has read of its standard input
	NoColor  bool     `json:"no_color"`

	StdoutTerminal bool `json:"stdout_terminal"`
	StderrTerminal bool `json:"stderr_terminal"`
	Columns        int  `json:"columns,omitempty"` // width of the terminal that standard output is, 0 when not known

	// File is what the command reads from the file that its line names, nil for none.
	File []byte `json:"-"`
}

// The kinds of frames.
const (
	frameRequest = 'q'
	frameFile    = 'f' // a piece of the file that is read, or that is written
	frameGo      = 'g'
	frameOut     = 'o'
	frameErr     = 'e'
	frameExit    = 'x' // four bytes: the exit code
	frameRefusal = 'r' // a sentence: the command was not run
)

const (
	maxPiece   = 256 << 10 // bytes in a frame, but for the request
	maxRequest = 1 << 20
	maxFile    = 256 << 20
)

// frame makes a whole frame, to be written at once.
func frame(kind byte, payload []byte) []byte {
	out := make([]byte, 5, 5+len(payload))
	out[0] = kind
	binary.BigEndian.PutUint32(out[1:], uint32(len(payload)))
	return append(out, payload...)
}

// readFrame reads one frame of at most limit bytes.
func readFrame(r io.Reader, limit int) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if int64(length) > int64(limit) {
		return 0, nil, fmt.Errorf("a message of %d bytes is too long", length)
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// maxPath is how long the address of a unix socket can be (unix(7), sun_path).
const maxPath = 107

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
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", opened.Fd(), socketName))
}
