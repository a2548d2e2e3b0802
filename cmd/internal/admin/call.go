package admin

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A RefusedError is why the service did not run a command.
type RefusedError struct{ Why string }

// Error quotes the service.
func (e *RefusedError) Error() string { return "the service does not run this command: " + e.Why }

// Streams are where a command's output goes. Output collects the file that the command writes.
type Streams struct{ Stdout, Stderr, Output io.Writer }

// stopTime is how long an interrupted command may take to end.
const stopTime = 30 * time.Second

// Call has the service of a state directory run a command and returns its exit code. The end of
// ctx asks the command to stop, and its last words are still waited for. The error is, or wraps,
// [ErrUnreachable] when nobody answers, and a *[RefusedError] when the service will not.
func Call(ctx context.Context, dir string, request Request, to Streams) (code int, err error) {
	if len(request.File) > maxFile {
		return 0, fmt.Errorf("hand the command to the service: its file is larger than %d MiB; stop the service and run it again", maxFile>>20)
	}
	var conn *net.UnixConn
	err = at(dir, func(address string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer conn.Close()
	sent := make(chan error, 1)
	go func() { sent <- send(conn, request) }() // a refusal comes before all is sent
	stop := context.AfterFunc(ctx, func() {
		conn.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(stopTime))
	})
	defer stop()

	// The service must not wait for a pager: what it says is taken at once and kept.
	out, errs := newSpool(to.Stdout), newSpool(to.Stderr)
	defer errs.close()
	defer out.close()
	for {
		kind, payload, err := readFrame(conn, maxPiece)
		if err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return 0, fmt.Errorf("the service went away while it ran the command: %w", errors.Join(err, unless(sent)))
		}
		switch kind {
		case frameOut:
			out.write(payload)
		case frameErr:
			errs.write(payload)
		case frameFile:
			if _, err := to.Output.Write(payload); err != nil {
				return 0, err
			}
		case frameRefusal:
			return 0, &RefusedError{string(payload)}
		case frameExit:
			if len(payload) != 4 {
				return 0, errors.New("the service's answer cannot be read")
			}
			return int(binary.BigEndian.Uint32(payload)), nil
		}
	}
}

// unless returns what sending met, if it has ended.
func unless(sent chan error) error {
	select {
	case err := <-sent:
		return err
	default:
		return nil
	}
}

func send(conn *net.UnixConn, request Request) error {
	request.Protocol = protocol
	text, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	if _, err := conn.Write(frame(frameRequest, text)); err != nil {
		return err
	}
	for file := request.File; len(file) > 0; {
		piece := file[:min(len(file), maxPiece)]
		if _, err := conn.Write(frame(frameFile, piece)); err != nil {
			return err
		}
		file = file[len(piece):]
	}
	_, err = conn.Write(frame(frameGo, nil))
	return err
}

// A spool takes what is written at once and passes it on as fast as the other end takes it.
type spool struct {
	mu    sync.Mutex // guards kept and ended
	more  *sync.Cond
	kept  [][]byte
	ended bool
	done  chan struct{}
}

func newSpool(to io.Writer) *spool {
	s := &spool{done: make(chan struct{})}
	s.more = sync.NewCond(&s.mu)
	go s.pass(to)
	return s
}

func (s *spool) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, p)
	s.more.Signal()
}

// close returns when all has been passed on.
func (s *spool) close() {
	s.mu.Lock()
	s.ended = true
	s.more.Signal()
	s.mu.Unlock()
	<-s.done
}

func (s *spool) pass(to io.Writer) {
	defer close(s.done)
	for {
		s.mu.Lock()
		for len(s.kept) == 0 && !s.ended {
			s.more.Wait()
		}
		kept := s.kept
		s.kept = nil
		s.mu.Unlock()
		if len(kept) == 0 {
			return
		}
		for _, p := range kept {
			if _, err := to.Write(p); err != nil {
				to = io.Discard // a closed pipe; the command's own end is still awaited
			}
		}
	}
}
