package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/admin"
)

// answerTo sends raw bytes and reads the response.
func answerTo(t *testing.T, dir, sent string) *http.Response {
	t.Helper()
	conn := dial(t, dir)
	go io.WriteString(conn, sent) // it may be refused before all is sent
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", sent, err)
	}
	return response
}

// errorOf reads an error document.
func errorOf(t *testing.T, response *http.Response) string {
	t.Helper()
	var document struct{ Format, Error string }
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil || document.Format != "entrasync/error/1" {
		t.Errorf("the error document: %+v, %v", document, err)
	}
	return document.Error
}

// What is no request of the API runs nothing, and the response says what is wrong.
func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service(t, dir, func(context.Context, *admin.Command) int {
		t.Error("it ran")
		return 0
	})
	form := func(parts ...string) string {
		var body strings.Builder
		for i := 0; i+1 < len(parts); i += 2 {
			fmt.Fprintf(&body, "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", parts[i], parts[i+1])
		}
		body.WriteString("--x--\r\n")
		return fmt.Sprintf("POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n%s", body.Len(), body.String())
	}
	plain := func(method, path, headers string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"
	}
	for name, tt := range map[string]struct {
		sent   string
		status int
		want   string // in the error
	}{
		"no JSON":                {post(`hello`), 400, "invalid character"},
		"JSON of another type":   {post(`["plan"]`), 400, "cannot unmarshal"},
		"args of another type":   {post(`{"args":"plan"}`), 400, "cannot unmarshal"},
		"an unknown key":         {post(`{"args":["plan"],"argz":[]}`), 400, `unknown field "argz"`},
		"two documents":          {post(`{"args":["plan"]}{}`), 400, "more after its end"},
		"no args":                {post(`{}`), 400, "no args"},
		"nothing":                {post(``), 400, "EOF"},
		"a huge body":            {post(`{"args":["` + strings.Repeat("a", 2<<20) + `"]}`), 413, "larger than 1048576 bytes"},
		"a huge body in pieces":  {plain("POST", "/v1/commands", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") + "200000\r\n{\"args\":[\"" + strings.Repeat("a", 0x200000-10) + "\r\n0\r\n\r\n", 413, "larger than"},
		"another content type":   {plain("POST", "/v1/commands", "Content-Length: 2\r\nContent-Type: text/plain\r\n") + "{}", 415, "Content-Type"},
		"no content type":        {plain("POST", "/v1/commands", "Content-Length: 2\r\n") + "{}", 415, "Content-Type"},
		"a wrong method":         {plain("GET", "/v1/commands", ""), 405, "takes POST, not GET"},
		"a read that is posted":  {plain("POST", "/v1/status", "Content-Length: 0\r\n"), 405, "takes GET, not POST"},
		"a decision by GET":      {plain("GET", "/v1/holds/h-1/approve", ""), 405, "takes POST, not GET"},
		"an unknown route":       {plain("GET", "/v1/accounts", ""), 404, "the API of entrasync v1 has no /v1/accounts"},
		"an unknown version":     {plain("GET", "/v2/status", ""), 404, "has no /v2/status"},
		"an unknown query":       {plain("GET", "/v1/status?out=/etc/passwd", ""), 400, `does not take "out"`},
		"a query that is none":   {plain("GET", "/v1/status?%zz", ""), 400, "query"},
		"an unknown body key":    {plain("POST", "/v1/holds/h-1/approve", "Content-Length: 11\r\n") + `{"all":"1"}`, 400, `does not take "all"`},
		"a body of another type": {plain("POST", "/v1/holds/h-1/approve", "Content-Length: 12\r\n") + `{"reason":1}`, 400, "cannot unmarshal"},
		"a query of a decision":  {plain("POST", "/v1/holds/h-1/approve?tenant=a", "Content-Length: 0\r\n"), 400, "no query"},
		"no such command":        {plain("DELETE", "/v1/commands/c-9", ""), 404, `no command "c-9"`},
		"a form without request": {form("file", "x"), 400, "want request"},
		"a form of other parts":  {form("request", `{"args":["plan"]}`, "fule", "x"), 400, "want file"},
		"a form of more parts":   {form("request", `{"args":["plan"]}`, "file", "x", "file", "y"), 400, "more than"},
		"an empty form":          {form(), 400, "form"},
	} {
		response := answerTo(t, dir, tt.sent)
		if why := errorOf(t, response); response.StatusCode != tt.status || !strings.Contains(why, tt.want) {
			t.Errorf("%s: %s %q, want %d with %q", name, response.Status, why, tt.status, tt.want)
		}
	}
	for name, sent := range map[string]string{
		"no HTTP":      "hello\r\n\r\n",
		"huge headers": "GET /v1/service HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
	} {
		if response := answerTo(t, dir, sent); response.StatusCode < 400 || response.StatusCode >= 500 {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
}

// A client that sends half a request is given up, and holds up neither others nor the end of the service.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := service(t, dir, func(context.Context, *admin.Command) int { return 0 })
	half := make([]net.Conn, 20)
	for i := range half {
		half[i] = dial(t, dir)
		io.WriteString(half[i], "POST /v1/commands HTTP/1.1\r\nHost: x\r\n")
	}
	if code, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); code != 0 || err != nil {
		t.Errorf("another client: %d, %v", code, err)
	}
	half[0].SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadAll(half[0]); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("half a request was awaited for 20s")
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the service took %s to end", took)
	}
}

// A command of the version before this API is told that it is old, in the frames that it reads; and a service
// of that version is named as such to a command of this one.
func TestOtherVersions(t *testing.T) {
	t.Parallel()
	t.Run("an older command", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		service(t, dir, func(context.Context, *admin.Command) int { t.Error("it ran"); return 0 })
		conn := dial(t, dir)
		request := `{"protocol":1,"version":"v0","args":["plan"]}`
		conn.Write(append(binary.BigEndian.AppendUint32([]byte{'q'}, uint32(len(request))), request...))
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, _ := io.ReadAll(conn)
		if len(answer) < 5 || answer[0] != 'r' || int(binary.BigEndian.Uint32(answer[1:])) != len(answer)-5 || !strings.Contains(string(answer), "older version") {
			t.Errorf("answered %q", answer)
		}
	})
	t.Run("an older service", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		listener, err := admin.Listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			io.ReadFull(conn, make([]byte, 5))
			conn.Write([]byte("r\x00\x00\x00\x08too long"))
		}()
		var refused *admin.RefusedError
		if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); !errors.As(err, &refused) || !strings.Contains(refused.Why, "older version") {
			t.Errorf("called: %v", err)
		}
	})
	t.Run("another API", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		listener, err := admin.Listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
		go server.Serve(listener)
		defer server.Close()
		var refused *admin.RefusedError
		if _, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan"}}); !errors.As(err, &refused) || !strings.Contains(refused.Why, "404") {
			t.Errorf("called: %v", err)
		}
	})
}

// Whatever is sent, the service answers with HTTP, with the refusal of old frames, or closes the connection; and
// it still serves the next client.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(post(`{"args":["plan"]}`)))
	f.Add([]byte("GET /v1/status?tenant=a HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("q\x00\x00\x00\x02{}"))
	f.Add([]byte("DELETE /v1/commands/c-1 HTTP/1.1\r\nHost: x\r\n\r\n"))
	dir := f.TempDir()
	listener, err := admin.Listen(dir)
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.Cleanup(cancel)
	go admin.Serve(ctx, dir, listener, admin.Service{Version: "v1", Log: slog.New(slog.DiscardHandler), Run: func(_ context.Context, c *admin.Command) int { return len(c.Args) }})
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn := dial(t, dir)
		conn.Write(sent)
		conn.(*net.UnixConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		if err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Fatal(err)
		}
		if len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 ")) && answer[0] != 'r' {
			t.Errorf("answered %q", answer)
		}
		if code, _, _, _, err := call(t.Context(), dir, admin.Request{Args: []string{"plan", "a"}}); code != 2 || err != nil {
			t.Errorf("the next client: %d, %v", code, err)
		}
	})
}
