package webserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// Connections share the descriptors of the process with the state and the targets: those who only
// connect get a bounded number of them, each network a part.
const (
	connectionsAtOnce    = 512
	connectionsByNetwork = 64
)

// A limitedListener accepts a bounded number of connections. A new one beyond the bound takes the place
// of the oldest on which no request is being answered, so that a flood of connections that send nothing,
// or half a request, keeps no other client out: health is asked for from the machine that is flooded.
type limitedListener struct {
	net.Listener
	total, byNetwork int

	mu   sync.Mutex           // protects the rest, and open and busy of the connections
	all  []*limitedConn       // oldest first
	from map[netip.Prefix]int // how many are open
}

func limitConnections(listener net.Listener) *limitedListener {
	return &limitedListener{Listener: listener, total: connectionsAtOnce, byNetwork: connectionsByNetwork, from: map[netip.Prefix]int{}}
}

// Accept waits for the next connection there is room for.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &limitedConn{Conn: accepted, listener: l, network: networkOf(addressOf(accepted.RemoteAddr().String()))}
		if l.admit(c) {
			return c, nil
		}
		accepted.Close()
	}
}

// admit makes room for a connection and takes it in; it reports whether there was any.
func (l *limitedListener) admit(c *limitedConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A proxy on this machine connects for all users.
	if !c.network.Addr().IsLoopback() && l.from[c.network] >= l.byNetwork && !l.evict(func(o *limitedConn) bool { return o.network == c.network }) {
		return false
	}
	if len(l.all) >= l.total && !l.evict(func(*limitedConn) bool { return true }) {
		return false
	}
	c.open = true
	l.all = append(l.all, c)
	l.from[c.network]++
	return true
}

// evict closes the oldest connection that fits and answers no request.
func (l *limitedListener) evict(fits func(*limitedConn) bool) bool {
	at := slices.IndexFunc(l.all, func(c *limitedConn) bool { return c.busy == 0 && fits(c) })
	if at < 0 {
		return false
	}
	c := l.all[at]
	l.leave(c)
	c.Conn.Close()
	return true
}

func (l *limitedListener) leave(c *limitedConn) {
	if !c.open {
		return
	}
	c.open = false
	l.all = slices.DeleteFunc(l.all, func(o *limitedConn) bool { return o == c })
	if l.from[c.network]--; l.from[c.network] == 0 {
		delete(l.from, c.network)
	}
}

// A limitedConn is a connection in its listener's count.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	network  netip.Prefix
	open     bool // in the listener's count
	busy     int  // requests being answered
}

// Close closes the connection and makes room for another one.
func (c *limitedConn) Close() error {
	c.listener.mu.Lock()
	c.listener.leave(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

func (c *limitedConn) work(n int) {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.busy += n
}

type connectionKey struct{}

// withConnection is an [http.Server]'s ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// busyWhileAnswering keeps a connection from being closed in the middle of a response.
func busyWhileAnswering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*limitedConn); ok {
			c.work(1)
			defer c.work(-1)
		}
		next.ServeHTTP(w, r)
	})
}
