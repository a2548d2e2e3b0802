package ldaptest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// An Op is the kind of a request, by its tag (RFC 4511, section 4).
type Op byte

// The requests.
const (
	Bind     Op = 0x60
	Search   Op = 0x63
	Modify   Op = 0x66
	Add      Op = 0x68
	Delete   Op = 0x4a
	Rename   Op = 0x6c
	Abandon  Op = 0x50
	Unbind   Op = 0x42
	Extended Op = 0x77
)

// Writes reports whether a request changes entries.
func (o Op) Writes() bool { return o == Modify || o == Add || o == Delete || o == Rename }

// A Fate is what happens to a request.
type Fate int

// The fates.
const (
	Pass  Fate = iota
	Lose       // it is carried out, and the connection breaks before the answer
	Drop       // the connection breaks before it is carried out
	Busy       // it is refused with busy
	Stall      // it is never answered, and not carried out
	Cross      // it is answered with what is no LDAP
)

// A Proxy passes what is sent on to a server, and has some requests go wrong.
type Proxy struct {
	Address string
	server  string

	mu    sync.Mutex // guards what follows
	fate  func(Op) Fate
	hides []byte
	seen  map[Op]int
}

// NewProxy starts one that ends with the test.
func (s *Server) NewProxy(tb testing.TB) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	p := &Proxy{Address: l.Addr().String(), server: s.Address(), seen: map[Op]int{}}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// Break says what happens to each request from now on; nil lets all pass.
func (p *Proxy) Break(fate func(Op) Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate = fate
}

// Hide takes a control out of the list of those that the server has.
func (p *Proxy) Hide(control string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hides = []byte(control)
}

// Seen returns how many requests of a kind there were.
func (p *Proxy) Seen(op Op) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[op]
}

func (p *Proxy) decide(op Op) Fate {
	p.mu.Lock()
	p.seen[op]++
	fate := p.fate
	p.mu.Unlock()
	if fate == nil || op == Bind || op == Abandon || op == Unbind || op == Extended {
		return Pass
	}
	return fate(op)
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex // guards lost and what is written to the client
	lost := map[byte]bool{}
	go func() { // answers
		defer client.Close()
		for {
			message, id, op, err := read(server)
			if err != nil {
				return
			}
			mu.Lock()
			end := lost[id] && op != 0x64 && op != 0x73 // not an entry or a reference of a search
			if !end && !lost[id] {
				_, err = client.Write(p.hidden(message))
			}
			mu.Unlock()
			if end || err != nil {
				_ = server.Close()
				return
			}
		}
	}()
	for {
		message, id, op, err := read(client)
		if err != nil {
			return
		}
		switch p.decide(Op(op)) {
		case Drop:
			return
		case Stall:
			continue
		case Busy:
			mu.Lock()
			_, err = client.Write(answer(message, op, 51))
			mu.Unlock()
		case Cross:
			mu.Lock()
			_, err = client.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			mu.Unlock()
		case Lose:
			mu.Lock()
			lost[id] = true
			mu.Unlock()
			_, err = server.Write(message)
		default:
			_, err = server.Write(message)
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) hidden(message []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hides) == 0 {
		return message
	}
	return bytes.ReplaceAll(message, p.hides, bytes.Repeat([]byte("9"), len(p.hides)))
}

// read reads a message: its last byte of the number, and the tag of what is asked or answered.
func read(from io.Reader) (message []byte, id, op byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, 0, 0, err
	}
	length := int(head[1])
	if length >= 0x80 {
		more := make([]byte, length&0x7f)
		if _, err := io.ReadFull(from, more); err != nil {
			return nil, 0, 0, err
		}
		length = 0
		for _, b := range more {
			length = length<<8 | int(b)
		}
		head = append(head, more...)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(from, body); err != nil {
		return nil, 0, 0, err
	}
	if len(body) < 4 || body[0] != 2 || len(body) < 3+int(body[1]) {
		return nil, 0, 0, errors.New("no LDAP message")
	}
	end := 2 + int(body[1])
	return append(head, body...), body[end-1], body[end], nil
}

// answer is the answer with a code to a request.
func answer(request []byte, op, code byte) []byte {
	body := request[2:]
	if request[1] >= 0x80 {
		body = request[2+int(request[1]&0x7f):]
	}
	number := body[:2+int(body[1])]
	tag := map[Op]byte{Search: 0x65, Modify: 0x67, Add: 0x69, Delete: 0x6b, Rename: 0x6d}[Op(op)]
	result := append(bytes.Clone(number), tag, 7, 0x0a, 1, code, 4, 0, 4, 0)
	return append([]byte{0x30, byte(len(result))}, result...)
}
