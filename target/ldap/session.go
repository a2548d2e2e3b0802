package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"entrasync/graphsync/redact"
	"entrasync/target"
)

const (
	tries       = 4                      // of a request that the server was too busy for, and of an operation without an answer
	firstWait   = 500 * time.Millisecond // before it is tried again; doubled
	shortSecret = 4                      // bytes; a shorter password is part of many texts
)

// A handle is the server of one cycle and what was learned about it.
type handle struct {
	mu      sync.Mutex // protects what follows
	pinned  string     // address of the server: a name may lead to several, which do not know each other's last changes
	idle    []*connection
	learned *server
	schema  *schema // nil: not read
}

// A connection has its socket beside it, so that it can be cut.
type connection struct {
	*ldap.Conn
	socket net.Conn
}

// handle returns that of the cycle.
func (a *Adapter) handle() *handle {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = &handle{}
	}
	return a.open
}

// Close implements [target.Closer]: the next cycle connects again.
func (a *Adapter) Close(context.Context) error {
	a.mu.Lock()
	h := a.open
	a.open = nil
	a.mu.Unlock()
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.idle {
		_ = c.Close() // nothing is under way in it
	}
	h.idle = nil
	return nil
}

// take returns a connection that no other operation uses.
func (a *Adapter) take(ctx context.Context, h *handle) (*connection, error) {
	h.mu.Lock()
	for len(h.idle) > 0 {
		c := h.idle[len(h.idle)-1]
		h.idle = h.idle[:len(h.idle)-1]
		if !c.IsClosing() {
			h.mu.Unlock()
			return c, nil
		}
	}
	h.mu.Unlock()
	return a.connect(ctx, h)
}

// give returns a connection for the next operation, or closes one that is of no use any more.
func (a *Adapter) give(h *handle, c *connection, usable bool) {
	a.mu.Lock()
	current := a.open == h
	a.mu.Unlock()
	if usable && current && !c.IsClosing() {
		h.mu.Lock()
		h.idle = append(h.idle, c)
		h.mu.Unlock()
		return
	}
	_ = c.socket.Close() // also where the server does not answer
	_ = c.Close()
}

func (a *Adapter) connect(ctx context.Context, h *handle) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	socket, err := a.dial(ctx, h)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	defer stop()
	secured := socket
	if a.cfg.StartTLS {
		if err := startTLS(socket); err != nil {
			_ = socket.Close()
			return nil, err
		}
	}
	if a.address.Scheme == "ldaps" || a.cfg.StartTLS {
		channel := tls.Client(socket, a.tls)
		if err := channel.HandshakeContext(ctx); err != nil {
			_ = socket.Close()
			return nil, err
		}
		secured = channel
	}
	c := &connection{ldap.NewConn(secured, secured != socket), socket}
	c.SetTimeout(a.cfg.Timeout)
	c.Start()
	err = a.greet(c)
	if err != nil {
		_ = socket.Close()
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (a *Adapter) dial(ctx context.Context, h *handle) (net.Conn, error) {
	var dialer net.Dialer
	if a.address.Scheme == "ldapi" {
		return dialer.DialContext(ctx, "unix", a.address.Path)
	}
	h.mu.Lock()
	address := h.pinned
	h.mu.Unlock()
	if address == "" {
		port := a.address.Port()
		if port == "" {
			port = map[string]string{"ldap": "389", "ldaps": "636"}[a.address.Scheme]
		}
		address = net.JoinHostPort(a.address.Hostname(), port)
	}
	socket, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pinned == "" {
		h.pinned = socket.RemoteAddr().String()
	}
	return socket, nil
}

// startTLS asks for TLS (RFC 4511, section 4.14). That of go-ldap makes a text of why a certificate is not trusted.
func startTLS(socket net.Conn) error {
	request := ber.NewSequence("LDAP Request")
	request.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "MessageID"))
	operation := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "Start TLS")
	operation.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "requestName"))
	request.AppendChild(operation)
	if _, err := socket.Write(request.Bytes()); err != nil {
		return err
	}
	response, err := ber.ReadPacket(socket)
	if err != nil {
		return err
	}
	if err := ldap.GetLDAPError(response); err != nil {
		return &target.Error{Code: target.Untrusted, Message: "the server does not do StartTLS", Hint: "have a certificate set up on it, or use ldaps://", Detail: target.Clean(err.Error())}
	}
	return nil
}

// greet logs in.
func (a *Adapter) greet(c *connection) error {
	a.sent.Add(1)
	if a.cfg.BindDN == "" {
		return c.ExternalBind()
	}
	password, err := a.cfg.Password()
	if err != nil {
		return &target.Error{Code: target.Unauthorized, Message: "the password of bind_dn cannot be read", Hint: "check the target's password_file", Err: err}
	}
	if password == "" { // which a server may take for a login without an account
		return &target.Error{Code: target.Unauthorized, Message: "the password of bind_dn is empty", Hint: "write it into the target's password_file"}
	}
	return target.Redacted(redact.New(shortSecret, password), c.Bind(a.cfg.BindDN, password))
}

// A session is one operation under way.
type session struct {
	a       *Adapter
	h       *handle
	ctx     context.Context
	c       *connection
	server  *server
	changed bool // something was written, or may have been
}

// once runs an operation with a connection of its own. slot is false for a list, in whose pages others work.
func (a *Adapter) once(ctx context.Context, slot bool, do func(*session) error) (changed bool, err error) {
	if slot {
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	h := a.handle()
	c, err := a.take(ctx, h)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.socket.Close() })
	s := &session{a: a, h: h, ctx: ctx, c: c}
	if s.server, err = s.learn(); err == nil {
		err = do(s)
	}
	a.give(h, c, stop() && !lost(err))
	return s.changed, err
}

// run runs an operation, and again where that leads to the same: after a lost connection when repeat is set or nothing was
// written, and where the entry changed since it was looked up.
func (a *Adapter) run(ctx context.Context, op string, repeat bool, do func(*session) error) error {
	if err := ended(ctx, op); err != nil {
		return err
	}
	wait, unsure := firstWait, false
	for try := 1; ; try++ {
		changed, err := a.once(ctx, true, do)
		if err == nil {
			return nil
		}
		again := lost(err) && (repeat || !changed)
		unsure = unsure || changed && lost(err)
		stale := errors.Is(err, errStale)
		if try == tries || ctx.Err() != nil || !stale && !again {
			return a.failed(ctx, op, err, unsure)
		}
		if !stale {
			if err := sleep(ctx, wait); err != nil {
				return a.failed(ctx, op, err, unsure)
			}
			wait *= 2
		}
	}
}

// sleep waits about so long: workers who failed together do not come back together.
func sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait/2 + rand.N(wait)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a request, and again while the server is too busy for it. What was answered with a refusal has changed
// nothing.
func (s *session) send(write bool, do func() error) error {
	wait := firstWait
	for try := 1; ; try++ {
		if err := s.a.limiter.Wait(s.ctx); err != nil {
			return err
		}
		s.a.sent.Add(1)
		before := s.changed
		s.changed = before || write
		err := do()
		if _, refused := answer(err); refused {
			s.changed = before
		}
		if !busy(err) || try == tries {
			return err
		}
		s.a.throttled.Add(1)
		if err := sleep(s.ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

// search asks for entries below a base, or for that of the base's name.
func (s *session) search(base string, scope int, filter string, attributes []string, controls ...ldap.Control) (found *ldap.SearchResult, err error) {
	request := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, controls)
	err = s.send(false, func() (err error) {
		found, err = s.c.Search(request)
		return err
	})
	return found, err
}

// modify changes an entry, which has to be that of an id.
func (s *session) modify(name, id string, changes []ldap.Change, controls ...ldap.Control) error {
	request := ldap.NewModifyRequest(name, append(s.only(id), controls...))
	request.Changes = changes
	return stale(s.send(true, func() error { return s.c.Modify(request) }))
}

// rename gives an entry another name, below another one where above is not "".
func (s *session) rename(name, id, rdn, above string) error {
	request := ldap.NewModifyDNWithControlsRequest(name, rdn, true, above, s.only(id))
	return stale(s.send(true, func() error { return s.c.ModifyDN(request) }))
}

// remove deletes an entry.
func (s *session) remove(name, id string) error {
	return stale(s.send(true, func() error { return s.c.Del(ldap.NewDelRequest(name, s.only(id))) }))
}

// stale turns the answers that mean that an entry is not what was looked up any more.
func stale(err error) error {
	if answers(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultAssertionFailed) {
		return errStale
	}
	return err
}

const assertion = "1.3.6.1.1.12" // RFC 4528

// only is the control by which a write happens only while the name leads to the entry of an id.
func (s *session) only(id string) []ldap.Control {
	if !s.server.controls[assertion] {
		return nil
	}
	filter, ok := s.a.flavor.byID(id)
	if !ok {
		return nil
	}
	compiled, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil // of a UUID there is none
	}
	return []ldap.Control{ldap.NewControlString(assertion, true, string(compiled.Bytes()))}
}
