package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/cmd/internal/admin"
)

// service serves a directory until the test ends.
func service(t *testing.T, dir string, run func(context.Context, *admin.Command) int) (stop func()) {
	t.Helper()
	listener, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- admin.Serve(ctx, dir, listener, admin.Service{Version: "v1", Log: slog.New(slog.DiscardHandler), Run: run})
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func call(ctx context.Context, dir string, request admin.Request) (code int, out, errs, file string, err error) {
	var o, e, f bytes.Buffer
	code, err = admin.Call(ctx, dir, request, admin.Streams{Stdout: &o, Stderr: &e, Output: &f})
	return code, o.String(), e.String(), f.String(), err
}

func TestCall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := service(t, dir, func(_ context.Context, c *admin.Command) int {
		fmt.Fprintf(c.Stdout, "%q in %s", c.Args, c.Config)
		fmt.Fprint(c.Stderr, c.Stdout.Terminal(), c.Stderr.Terminal())
		c.Output.Write(bytes.ToUpper(c.File))
		c.Stdout.Write(c.Stdin)
		return 4
	})
	info, err := os.Stat(filepath.Join(dir, "entrasync.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	large := bytes.Repeat([]byte("ab"), 1<<20)
	code, out, errs, file, err := call(t.Context(), dir, admin.Request{Args: []string{"plan", "--json"}, Config: "/c.yaml", Stdin: []byte("!"), StderrTerminal: true, File: large})
	if err != nil || code != 4 || out != `["plan" "--json"] in /c.yaml!` || errs != "false true" || file != strings.Repeat("AB", 1<<20) {
		t.Errorf("code %d, out %q, err %q, file of %d bytes, %v", code, out, errs, len(file), err)
	}
	stop()
	if _, err := os.Stat(filepath.Join(dir, "entrasync.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("a service that has stopped: %v", err)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	done := func(context.Context, *admin.Command) int { return 0 }
	t.Run("long path", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		service(t, dir, done)
		if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("left by a killed process", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "entrasync.sock"), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		left.SetUnlinkOnClose(false)
		left.Close()
		if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); !errors.Is(err, admin.ErrUnreachable) {
			t.Errorf("no server behind the socket: %v", err)
		}
		service(t, dir, done)
		if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("something else there", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		name := filepath.Join(dir, "entrasync.sock")
		if err := os.WriteFile(name, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Listen(dir); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("listen: %v", err)
		}
		if text, err := os.ReadFile(name); string(text) != "mine" {
			t.Errorf("the file: %q, %v", text, err)
		}
	})
}

// The end of the client's context, of the client, and of the service each end the command.
func TestCancel(t *testing.T) {
	t.Parallel()
	started := make(chan bool, 1)
	run := func(ctx context.Context, c *admin.Command) int {
		started <- true
		<-ctx.Done()
		fmt.Fprint(c.Stderr, "stopped")
		started <- true
		return 1
	}
	t.Run("interrupt", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		started := make(chan bool, 1)
		service(t, dir, func(ctx context.Context, c *admin.Command) int {
			started <- true
			<-ctx.Done()
			fmt.Fprint(c.Stderr, "stopped")
			return 1
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		if code, _, errs, _, err := call(ctx, dir, admin.Request{Args: []string{"plan"}}); code != 1 || errs != "stopped" || err != nil {
			t.Errorf("code %d, %q, %v", code, errs, err)
		}
	})
	t.Run("client gone", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		service(t, dir, run)
		conn := dial(t, dir)
		io.WriteString(conn, post(`{"args":["plan"]}`))
		<-started
		conn.Close()
		<-started
	})
	t.Run("service stops", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		started := make(chan bool, 1)
		stop := service(t, dir, func(ctx context.Context, c *admin.Command) int {
			started <- true
			<-ctx.Done()
			return 7
		})
		go func() { <-started; stop() }()
		if code, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); code != 7 || err != nil {
			t.Errorf("code %d, %v", code, err)
		}
	})
}

// A pager that does not read holds up no service.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written := make(chan error, 1)
	service(t, dir, func(_ context.Context, c *admin.Command) int {
		_, err := c.Stdout.Write(bytes.Repeat([]byte("x"), 32<<20))
		written <- err
		return 0
	})
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := admin.Call(context.Background(), dir, admin.Request{Args: []string{"plan"}}, admin.Streams{Stdout: w, Stderr: io.Discard, Output: io.Discard})
		w.Close()
		ended <- err
	}()
	if err := <-written; err != nil { // nothing has been read yet
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); n != 32<<20 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func dial(t testing.TB, dir string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(dir, "entrasync.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// post is a request that runs a command, as it goes over the wire.
func post(body string) string {
	return fmt.Sprintf("POST /v1/commands HTTP/1.1\r\nHost: entrasync\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began, end := make(chan bool), make(chan bool)
	service(t, dir, func(context.Context, *admin.Command) int {
		began <- true
		<-end
		return 0
	})
	defer close(end)
	for range 16 {
		conn := dial(t, dir)
		io.WriteString(conn, post(`{"args":["plan"]}`))
		<-began
	}
	var refused *admin.RefusedError
	if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); !errors.As(err, &refused) || !strings.Contains(refused.Why, "busy") {
		t.Errorf("one too many: %v", err)
	}
}

// What a command prints arrives byte for byte, whether or not it is text, and however its pieces divide it.
func TestBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service(t, dir, func(_ context.Context, c *admin.Command) int {
		c.Stdout.Write(c.Stdin)
		c.Output.Write(c.File)
		return 0
	})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	wide := []byte("x" + strings.Repeat("é", 400_000)) // a piece ends within a character
	code, out, errs, file, err := call(t.Context(), dir, admin.Request{Args: []string{"eval"}, Stdin: all, File: wide})
	if err != nil || code != 0 || out != string(all) || errs != "" || file != string(wide) {
		t.Errorf("code %d, out %q, err %q, file of %d bytes, %v", code, out, errs, len(file), err)
	}
}

// Connections beyond the limit are closed, and there is room again when others end.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service(t, dir, func(context.Context, *admin.Command) int { return 0 })
	open := make([]net.Conn, 64)
	for i := range open {
		open[i] = dial(t, dir)
		io.WriteString(open[i], "GET /v1/service HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := open[i].Read(make([]byte, 1)); err != nil { // it was accepted
			t.Fatal(err)
		}
	}
	if n, err := dial(t, dir).Read(make([]byte, 1)); err == nil {
		t.Errorf("one more was answered with %d bytes", n)
	}
	for _, conn := range open {
		conn.Close()
	}
	for {
		if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); err == nil {
			return // the test's own time limit ends this otherwise
		}
	}
}
