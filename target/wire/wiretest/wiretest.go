// Package wiretest has what tests of targets that speak the wire protocol share: the reference programs, and a receiver
// of webhooks over TLS that has one of them answer.
package wiretest

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Examples is the folder of the reference programs.
func Examples() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../../../configs/examples/targets")
}

// Go returns the command line of the reference program in Go. It is built once for its source, into the folder for
// temporary files.
func Go(tb testing.TB) []string {
	tb.Helper()
	program, err := built()
	if err != nil {
		tb.Fatalf("build the reference program: %v", err)
	}
	return []string{program}
}

var built = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(Examples(), "people")
	source, err := os.ReadFile(filepath.Join(folder, "main.go"))
	if err != nil {
		return "", err
	}
	program := filepath.Join(os.TempDir(), fmt.Sprintf("entrasync-people-%x", sha256.Sum256(source)))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	fresh := fmt.Sprintf("%s.%d", program, os.Getpid())
	build := exec.Command("go", "build", "-o", fresh, ".")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, os.Rename(fresh, program)
})

// Python returns the command line of the reference program in Python, with the interpreter itself: what is found
// first may be a script that looks for it.
func Python(tb testing.TB) []string {
	return []string{Interpreter(tb), filepath.Join(Examples(), "people.py")}
}

var interpreter = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// Interpreter returns the absolute path of Python.
func Interpreter(tb testing.TB) string {
	tb.Helper()
	path, err := interpreter()
	if err != nil {
		tb.Fatalf("python3 is needed: %v", err)
	}
	return path
}

// A Message is a webhook that was received.
type Message struct {
	ID     string // webhook-id
	Method string
	Body   string
}

// A Receiver takes webhooks over TLS, checks their signatures and has a program answer them.
type Receiver struct {
	URL     string
	CAFile  string
	Secrets []string // of which a message must be signed with one

	mu       sync.Mutex // protects what follows
	messages []Message
	broken   func(w http.ResponseWriter, m Message, answer func() []byte) bool
	input    io.Writer
	output   *bufio.Reader
}

// NewReceiver starts a receiver whose messages a program answers that keeps its accounts in the file.
func NewReceiver(tb testing.TB, command []string, file string) *Receiver {
	tb.Helper()
	r := &Receiver{Secrets: []string{Secret("first")}}
	r.start(tb, command)
	r.ask(question(tb, "hello", map[string]any{"protocol": 1, "config": map[string]string{"file": file}}))
	server := httptest.NewTLSServer(http.HandlerFunc(r.serve))
	tb.Cleanup(server.Close)
	r.URL, r.CAFile = server.URL+"/hooks", filepath.Join(tb.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(r.CAFile, certificate, 0o600); err != nil {
		tb.Fatal(err)
	}
	return r
}

// Secret makes a signing secret of a word.
func Secret(word string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(word+"/", 32)[:32]))
}

func (r *Receiver) start(tb testing.TB, command []string) {
	tb.Helper()
	process := exec.Command(command[0], command[1:]...)
	input, err := process.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := process.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = input.Close()
		_ = process.Wait()
	})
	r.input, r.output = input, bufio.NewReader(output)
}

// Break gives each message to f before it is answered. f answers itself and returns true, or leaves it alone. answer
// has the message carried out and returns what the program answered.
func (r *Receiver) Break(f func(w http.ResponseWriter, m Message, answer func() []byte) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = f
}

// Messages returns what was received so far, the newest last.
func (r *Receiver) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// ask has the program answer one message. The caller holds mu, or is alone.
func (r *Receiver) ask(message []byte) []byte {
	if _, err := r.input.Write(append(bytes.TrimSpace(message), '\n')); err != nil {
		return nil
	}
	line, err := r.output.ReadBytes('\n')
	if err != nil {
		return nil
	}
	return line
}

func (r *Receiver) serve(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || !r.signed(request.Header, body) {
		http.Error(w, "the signature is not mine", http.StatusUnauthorized)
		return
	}
	var named struct{ Method string }
	_ = json.Unmarshal(body, &named)
	m := Message{request.Header.Get("webhook-id"), named.Method, string(body)}
	r.mu.Lock()
	r.messages = append(r.messages, m)
	broken := r.broken
	r.mu.Unlock()
	answer := func() []byte {
		r.mu.Lock()
		defer r.mu.Unlock()
		if named.Method == "hello" { // the program was introduced when it started
			return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%q,"result":{"protocol":1,"name":"receiver","kinds":["user","group"],"abilities":["members","changeMembers"]}}`, m.ID)
		}
		return r.ask(body)
	}
	if broken != nil && broken(w, m, answer) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer())
}

// signed checks the signature as a receiver does that follows Standard Webhooks.
func (r *Receiver) signed(header http.Header, body []byte) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	const tolerance = 5 * time.Minute
	if id == "" || err != nil || time.Since(time.Unix(sent, 0)).Abs() > tolerance {
		return false
	}
	for _, secret := range r.Secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			continue
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if slices.ContainsFunc(strings.Fields(header.Get("webhook-signature")), func(got string) bool { return hmac.Equal([]byte(got), []byte(want)) }) {
			return true
		}
	}
	return false
}

// Ask has the receiver's program answer one message without a webhook, and returns the result.
func (r *Receiver) Ask(tb testing.TB, method string, params map[string]any) map[string]any {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	return result(tb, r.ask(question(tb, method, params)))
}

// Ask starts a program that keeps its accounts in the file, has it answer one message, and returns the result.
func Ask(tb testing.TB, command []string, file, method string, params map[string]any) map[string]any {
	tb.Helper()
	process := exec.Command(command[0], command[1:]...)
	hello := question(tb, "hello", map[string]any{"protocol": 1, "config": map[string]string{"file": file}})
	process.Stdin = bytes.NewReader(slices.Concat(hello, []byte("\n"), question(tb, method, params), []byte("\n")))
	process.Stderr = os.Stderr
	out, err := process.Output()
	if err != nil {
		tb.Fatalf("%s: %v", command[0], err)
	}
	_, answer, _ := bytes.Cut(out, []byte("\n"))
	return result(tb, answer)
}

func question(tb testing.TB, method string, params map[string]any) []byte {
	tb.Helper()
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func result(tb testing.TB, answer []byte) map[string]any {
	tb.Helper()
	var read struct {
		Result map[string]any
		Error  any
	}
	if err := json.Unmarshal(answer, &read); err != nil || read.Error != nil {
		tb.Fatalf("the program answered %s (%v)", answer, err)
	}
	return read.Result
}
