package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Listen opens the socket of a state directory, mode 0600. The caller holds the directory's
// lock, so that a socket that is there already belongs to no running process and is removed.
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
	if err := restrict(path); err != nil {
		return nil, errors.Join(fmt.Errorf("open admin socket: %w", err), listener.Close())
	}
	return listener, nil
}

// A greeter looks at the first byte that a connection receives: programs before this API spoke otherwise, and
// are told so.
type greeter struct {
	*net.UnixConn
	greeted bool
	check   func(first byte) error // its error ends the connection
	closed  func()                 // called once; nil for nothing
	once    sync.Once
}

// Close closes the connection.
func (g *greeter) Close() error {
	if g.closed != nil {
		g.once.Do(g.closed)
	}
	return g.UnixConn.Close()
}

// Read reads from the connection.
func (g *greeter) Read(p []byte) (int, error) {
	n, err := g.UnixConn.Read(p)
	if n > 0 && !g.greeted {
		g.greeted = true
		if err := g.check(p[0]); err != nil {
			return 0, err
		}
	}
	return n, err
}

// A serverListener accepts the connections of clients, so many at once; more are closed.
type serverListener struct {
	*net.UnixListener
	open atomic.Int32
	most int32
}

// Accept waits for the next client.
func (l *serverListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &greeter{UnixConn: conn, check: refuseOld(conn), closed: func() { l.open.Add(-1) }}, nil
		}
		l.open.Add(-1)
		conn.Close()
	}
}

// refuseOld answers a client of the protocol before this API, whose first frame is of the kind q: a frame is a
// kind, a length of four bytes and the payload, and the kind r refuses.
func refuseOld(conn *net.UnixConn) func(first byte) error {
	const why = "the command is of an older version, which speaks otherwise than the service; use the service's version of entrasync"
	return func(first byte) error {
		if first != 'q' {
			return nil
		}
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		conn.Write(append(binary.BigEndian.AppendUint32([]byte{'r'}, uint32(len(why))), why...))
		return io.EOF
	}
}

// A caller is the process at the other end of a connection, as the kernel knows it.
type caller struct {
	uid  uint32 // of Windows 0, where only whom the service admits is known
	name string // of the account; empty to look it up by uid
	err  error  // why it is not known
}

// callerOf asks the kernel.
func callerOf(conn net.Conn) (c caller) {
	unix, ok := conn.(*greeter)
	if !ok {
		return caller{err: fmt.Errorf("look who connects: a connection of type %T", conn)}
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return caller{err: fmt.Errorf("look who connects: %w", err)}
	}
	cerr := raw.Control(func(fd uintptr) { c, err = peer(fd) })
	if err = errors.Join(cerr, err); err != nil {
		return caller{err: fmt.Errorf("look who connects: %w", err)}
	}
	return c
}

// admitted returns why a caller may not use a service that runs as the user with an id, nil when it may.
func (c caller) admitted(service int) error {
	switch {
	case c.err != nil:
		return c.err
	case c.uid != 0 && int(c.uid) != service:
		return fmt.Errorf("user %d may not use this service; run the command as the user of the service or as root", c.uid)
	}
	return nil
}

type callerKey struct{}

// withCaller is the ConnContext of the server.
func withCaller(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, callerOf(conn))
}
