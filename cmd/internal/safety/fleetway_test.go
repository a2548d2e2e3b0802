package safety

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// A fleetPlace is where a worker is when something happens to it.
type fleetPlace string

const (
	beforeCommit fleetPlace = "before a commit"
	afterCommit  fleetPlace = "after a commit"
	beforeCall   fleetPlace = "before a request to the application"
	afterCall    fleetPlace = "after a request to the application"
)

// A databaseWay passes the connections of one worker on to the socket of a database, and sees its commits.
type databaseWay struct {
	listener net.Listener
	socket   string
	at       func(when fleetPlace)

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func openDatabaseWay(t *testing.T, socket string, at func(when fleetPlace)) *databaseWay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &databaseWay{listener: listener, socket: socket, at: at, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = listener.Close(); w.cut() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go w.pass(in)
		}
	}()
	return w
}

func (w *databaseWay) address() string { return w.listener.Addr().String() }

func (w *databaseWay) pass(in net.Conn) {
	out, err := net.Dial("unix", w.socket)
	if err != nil {
		_ = in.Close()
		return
	}
	w.mu.Lock()
	w.conns[in] = true
	w.mu.Unlock()
	end := func() { _ = in.Close(); _ = out.Close() }
	go func() { defer end(); _, _ = io.Copy(in, out) }()
	defer end()
	defer func() { w.mu.Lock(); delete(w.conns, in); w.mu.Unlock() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		commits := bytes.Contains(buffer[:n], []byte("commit\x00"))
		if commits {
			w.at(beforeCommit)
		}
		if _, werr := out.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
		if commits {
			w.at(afterCommit)
		}
	}
}

// cut ends all connections. The worker may make new ones.
func (w *databaseWay) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		_ = conn.Close()
	}
}
