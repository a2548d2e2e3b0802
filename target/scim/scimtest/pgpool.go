package scimtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// A postgresPool stands before PostgreSQL and keeps connections for those who come after: PHP opens one
// for each request, which takes 45 ms of a processor here, three times as much as the rest of it. Clients have to wait for the response
// to a query before they send the next, as libpq does (PostgreSQL's frontend/backend protocol 3.0).
type postgresPool struct {
	dir      string // of its socket
	upstream string // socket of PostgreSQL

	mu   sync.Mutex // guards idle
	idle map[string][]*pooledConn
}

// A pooledConn is a connection to PostgreSQL, with what it sent when it began.
type pooledConn struct {
	net.Conn
	reader   *bufio.Reader
	greeting []byte
}

const postgresSocket = ".s.PGSQL.5432"

// startPostgresPool listens in a folder, for PostgreSQL whose socket is in another.
func startPostgresPool(tb testing.TB, dir, upstream string) *postgresPool {
	tb.Helper()
	listener, err := net.Listen("unix", filepath.Join(dir, postgresSocket))
	if err != nil {
		tb.Fatal(err)
	}
	p := &postgresPool{dir: dir, upstream: filepath.Join(upstream, postgresSocket), idle: map[string][]*pooledConn{}}
	tb.Cleanup(func() { listener.Close(); p.drop() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				_ = p.serve(client) // the client sees that it ends
			}()
		}
	}()
	return p
}

// drop closes the connections that are not in use.
func (p *postgresPool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conns := range p.idle {
		for _, conn := range conns {
			conn.Close()
		}
	}
	p.idle = map[string][]*pooledConn{}
}

func (p *postgresPool) serve(client net.Conn) error {
	reader := bufio.NewReader(client)
	startup, err := readStartup(reader, client)
	if err != nil {
		return err
	}
	conn, err := p.take(startup)
	if err != nil {
		return err
	}
	if _, err = client.Write(conn.greeting); err == nil {
		err = conn.relay(reader, client)
	}
	if !errors.Is(err, io.EOF) || conn.reset() != nil {
		conn.Close()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle[string(startup)] = append(p.idle[string(startup)], conn)
	return nil
}

// readStartup reads how a client begins, and refuses encryption.
func readStartup(reader io.Reader, client io.Writer) ([]byte, error) {
	const askForTLS, askForGSS = 80877103, 80877104
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(reader, head); err != nil {
			return nil, err
		}
		message := make([]byte, binary.BigEndian.Uint32(head))
		copy(message, head)
		if _, err := io.ReadFull(reader, message[8:]); err != nil {
			return nil, err
		}
		if code := binary.BigEndian.Uint32(head[4:]); code != askForTLS && code != askForGSS {
			return message, nil
		}
		if _, err := client.Write([]byte{'N'}); err != nil {
			return nil, err
		}
	}
}

// take returns a connection that was begun in the same way, or a new one.
func (p *postgresPool) take(startup []byte) (*pooledConn, error) {
	p.mu.Lock()
	if conns := p.idle[string(startup)]; len(conns) > 0 {
		p.idle[string(startup)] = conns[:len(conns)-1]
		p.mu.Unlock()
		return conns[len(conns)-1], nil
	}
	p.mu.Unlock()
	upstream, err := net.Dial("unix", p.upstream)
	if err != nil {
		return nil, err
	}
	conn := &pooledConn{Conn: upstream, reader: bufio.NewReader(upstream)}
	if _, err = conn.Write(startup); err == nil {
		err = conn.untilReady(func(message []byte) error { conn.greeting = append(conn.greeting, message...); return nil })
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// relay passes messages on until the client ends, which is io.EOF.
func (c *pooledConn) relay(reader io.Reader, client io.Writer) error {
	for {
		message, err := readMessage(reader)
		if err != nil {
			return err
		}
		if message[0] == 'X' {
			return io.EOF
		}
		if _, err := c.Write(message); err != nil {
			return err
		}
		if message[0] == 'Q' || message[0] == 'S' {
			if err := c.untilReady(func(m []byte) error { _, err := client.Write(m); return err }); err != nil {
				return err
			}
		}
	}
}

// reset forgets what a client left behind.
func (c *pooledConn) reset() error {
	for _, statement := range []string{"ROLLBACK", "DISCARD ALL"} {
		message := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(statement)+5))
		if _, err := c.Write(append(append(message, statement...), 0)); err != nil {
			return err
		}
		if err := c.untilReady(func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// untilReady reads messages up to the one that PostgreSQL is ready for a query.
func (c *pooledConn) untilReady(use func(message []byte) error) error {
	for {
		message, err := readMessage(c.reader)
		if err != nil {
			return err
		}
		if err := use(message); err != nil {
			return err
		}
		if message[0] == 'Z' {
			return nil
		}
	}
}

func readMessage(reader io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(reader, head); err != nil {
		return nil, err
	}
	message := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	copy(message, head)
	_, err := io.ReadFull(reader, message[5:])
	return message, err
}
