package admin

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A Command is a request with the streams of the client, for the function that runs it. Writes
// fail once the client has gone or does not read.
type Command struct {
	Request
	Stdout, Stderr, Output *Stream // Output is the file the command writes
}

// A Stream is one of the client's streams.
type Stream struct {
	answer   *answer
	kind     byte
	terminal bool
	columns  int
}

// Terminal reports whether the stream is a terminal at the client.
func (s *Stream) Terminal() bool { return s.terminal }

// Columns returns how many cells wide the client's terminal is, 0 when it is none or not known.
func (s *Stream) Columns() int { return s.columns }

// Write sends to the client.
func (s *Stream) Write(p []byte) (n int, err error) {
	for n < len(p) {
		piece := p[n:min(len(p), n+maxPiece)]
		if err := s.answer.send(s.kind, piece); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

// patience is how long a client may leave its socket unread.
const patience = 30 * time.Second

// An answer is what goes to one client.
type answer struct {
	conn *net.UnixConn
	stop context.CancelFunc

	mu  sync.Mutex // guards err, and one write at a time
	err error
}

func (a *answer) send(kind byte, payload []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	if a.err = a.conn.SetWriteDeadline(time.Now().Add(patience)); a.err == nil {
		_, a.err = a.conn.Write(frame(kind, payload))
	}
	if a.err != nil {
		a.err = fmt.Errorf("write to the client: %w", a.err)
		a.stop()
	}
	return a.err
}

// Listen opens the socket of a state directory, mode 0600. The caller holds the directory's
// lock, so that a socket that is there already has nobody behind it and is removed.
func Listen(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, socketName)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open admin socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("open admin socket: %s is there and is no socket; move it away", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket of an earlier run: %w", err)
		}
	}
	var listener *net.UnixListener
	err = at(dir, func(address string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open admin socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // Serve does it by the path that stays good
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open admin socket: %w", err), listener.Close())
	}
	return listener, nil
}

// maxClients is how many commands may be going on at once.
const maxClients = 16

// Serve runs the commands of clients until ctx ends, and returns when the last has ended. The
// context of a command ends with ctx, and when its client asks for it or goes away.
func Serve(ctx context.Context, dir string, listener *net.UnixListener, log *slog.Logger, run func(context.Context, *Command) int) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	slots := make(chan struct{}, maxClients)
	defer os.Remove(filepath.Join(dir, socketName))
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		conn, err := listener.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case err != nil:
			return fmt.Errorf("accept at the admin socket: %w", err)
		}
		select {
		case slots <- struct{}{}:
			clients.Go(func() {
				defer func() { <-slots }()
				defer conn.Close()
				if err := serve(ctx, conn, run); err != nil {
					log.Warn("admin socket", "error", err)
				}
			})
		default:
			refuse(conn, "the service is busy with other commands; try again")
			conn.Close()
		}
	}
}

func refuse(conn *net.UnixConn, why string) {
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	conn.Write(frame(frameRefusal, []byte(why)))
}

// serve runs the command of one client.
func serve(ctx context.Context, conn *net.UnixConn, run func(context.Context, *Command) int) error {
	if err := admitted(conn); err != nil {
		refuse(conn, err.Error())
		return err
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	request, err := readRequest(conn)
	if err != nil {
		refuse(conn, err.Error())
		return err
	}
	conn.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		conn.Read(make([]byte, 1)) // the end of the client's side, or nothing it should send
		cancel()
	}()
	a := &answer{conn: conn, stop: cancel}
	code := run(ctx, &Command{
		Request: *request,
		Stdout:  &Stream{a, frameOut, request.StdoutTerminal, request.Columns},
		Stderr:  &Stream{a, frameErr, request.StderrTerminal, 0},
		Output:  &Stream{a, frameFile, false, 0},
	})
	_ = a.send(frameExit, binary.BigEndian.AppendUint32(nil, uint32(code))) // a client that went needs no code
	return nil
}

// admitted checks who is on the other side, as the kernel tells it (SO_PEERCRED).
func admitted(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("look who connects: %w", err)
	}
	var peer *syscall.Ucred
	cerr := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(cerr, err); err != nil {
		return fmt.Errorf("look who connects: %w", err)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("user %d may not use this service; run the command as the user of the service or as root", peer.Uid)
	}
	return nil
}

func readRequest(conn *net.UnixConn) (*Request, error) {
	kind, payload, err := readFrame(conn, maxRequest)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	request := &Request{}
	if kind != frameRequest || json.Unmarshal(payload, request) != nil {
		return nil, errors.New("read request: it is none")
	}
	if request.Protocol != protocol {
		return nil, fmt.Errorf("the command is of version %s, which speaks otherwise than the service; restart the service, or use its version of entrasync", request.Version)
	}
	var file bytes.Buffer
	for {
		kind, payload, err := readFrame(conn, maxPiece)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read request: %w", err)
		case kind == frameGo:
			if file.Len() > 0 {
				request.File = file.Bytes()
			}
			return request, nil
		case kind != frameFile || file.Len()+len(payload) > maxFile:
			return nil, fmt.Errorf("read request: the file is larger than %d MiB", maxFile>>20)
		}
		file.Write(payload)
	}
}
