package scimtest

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A phpServer serves a folder of PHP pages with PHP's own server. It ends with the test.
type phpServer struct {
	dir     string
	env     []string
	address string // the same one each time
	cmd     *exec.Cmd
}

// start begins to serve and waits until the pages answer.
func (p *phpServer) start(tb testing.TB) {
	tb.Helper()
	if p.address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		p.address = l.Addr().String()
		l.Close()
		tb.Cleanup(func() { p.stop(tb) })
	}
	p.cmd = exec.Command("php", "-S", p.address, "-t", p.dir)
	p.cmd.Dir, p.cmd.Env = p.dir, append(os.Environ(), p.env...)
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get((&url.URL{Scheme: "http", Host: p.address, Path: "/api_scim.php/ServiceProviderConfig"}).String())
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("PHP does not answer: %v", err)
		}
	}
}

// stop ends it; requests fail until start.
func (p *phpServer) stop(tb testing.TB) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // killed
	p.cmd = nil
}
