package scimtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// A phpServer serves a folder of PHP pages with PHP's own server. It ends with the test.
type phpServer struct {
	dir     string
	env     []string
	address atomic.Value // string, another one after each start
	process *supervised
}

// start begins to serve. Another process may take a port between its choice and its use.
func (p *phpServer) start(tb testing.TB) {
	tb.Helper()
	if p.process == nil {
		tb.Cleanup(func() { p.stop(tb) })
	}
	said := ""
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		p.process = supervise("TERM", p.dir, p.env, "php", "-S", address, "-t", p.dir)
		output, err := p.process.start()
		if err != nil {
			tb.Fatalf("start PHP: %v", err)
		}
		if said, err = lineWith(output, "started", "Failed"); err == nil && strings.Contains(said, "started") {
			p.address.Store(address)
			return
		}
		p.stop(tb)
	}
	tb.Fatalf("PHP does not start: %s", said)
}

// stop ends it; requests fail until start.
func (p *phpServer) stop(testing.TB) { p.process.stop() }

// lineWith reads until a line has one of some words, and has the rest read so that nothing blocks.
func lineWith(output io.Reader, words ...string) (string, error) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		for _, word := range words {
			if strings.Contains(lines.Text(), word) {
				go io.Copy(io.Discard, output)
				return lines.Text(), nil
			}
		}
	}
	return "", fmt.Errorf("its output ended: %w", io.ErrUnexpectedEOF)
}
