package webserver

import (
	"errors"
	"net"
	"testing"
)

// A listened connection comes from an address of the test's choice.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { a, _ := net.ResolveTCPAddr("tcp", c.from+":1"); return a }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

type fakeListener struct {
	net.Listener
	conns []*fakeConn
}

func (l *fakeListener) Accept() (net.Conn, error) {
	if len(l.conns) == 0 {
		return nil, errors.New("no more")
	}
	c := l.conns[0]
	l.conns = l.conns[1:]
	return c, nil
}

// Each network has its part of the connections; a new one takes the place of the oldest that answers
// nothing, and only of its own network.
func TestConnectionsByNetwork(t *testing.T) {
	t.Parallel()
	inner := &fakeListener{}
	l := limitConnections(inner)
	l.total, l.byNetwork = 6, 2
	accept := func(from string) (*limitedConn, *fakeConn) {
		t.Helper()
		c := &fakeConn{from: from}
		inner.conns = []*fakeConn{c}
		got, err := l.Accept()
		if err != nil {
			return nil, c
		}
		return got.(*limitedConn), c
	}
	first, firstConn := accept("198.51.100.7")
	first.work(1)
	_, second := accept("198.51.100.7")
	_, other := accept("198.51.100.8")
	if _, third := accept("198.51.100.7"); !second.closed || third.closed || firstConn.closed || other.closed {
		t.Error("the third connection did not take the place of the second")
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"} { // beyond the part of a network
		if c, _ := accept(from); c == nil {
			t.Error("a connection of this machine was refused")
		}
	}
	if len(l.all) != 6 {
		t.Errorf("%d connections", len(l.all))
	}
	if c, _ := accept("203.0.113.1"); c == nil || len(l.all) != 6 || firstConn.closed {
		t.Errorf("a connection beyond the total: %d are open", len(l.all))
	}
	for _, c := range l.all {
		c.busy = 1
	}
	if c, refused := accept("203.0.113.2"); c != nil || !refused.closed {
		t.Error("a connection was taken although all are answered")
	}
	for len(l.all) > 0 {
		c := l.all[0]
		c.Close()
		c.Close()
	}
	if len(l.from) != 0 {
		t.Errorf("left in the count: %v", l.from)
	}
}
