package wire_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/target"
	"entrasync/target/wire"
	"entrasync/target/wire/wiretest"
)

// odd returns an adapter for a program that does wrong at one message.
func odd(tb testing.TB, cfg wire.ExecConfig, words ...string) *wire.Adapter {
	tb.Helper()
	script, err := filepath.Abs("testdata/odd.py")
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Command = append([]string{wiretest.Interpreter(tb), script}, words...)
	return started(tb, cfg)
}

func path(tb testing.TB, text string) target.Path {
	tb.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func named(tb testing.TB, name string) []target.Attribute {
	return []target.Attribute{{Path: path(tb, "userName"), Value: name}}
}

// fails checks the whole error: what can be done about it, and what it says.
func fails(t *testing.T, err error, code target.Code, unsure bool, words string) {
	t.Helper()
	var e *target.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error of code %s", err, code)
	}
	if e.Code != code || e.Indeterminate != unsure || !strings.Contains(e.Error(), words) {
		t.Errorf("got code %s, unsure %v: %v\nwant code %s, unsure %v and %q", e.Code, e.Indeterminate, e, code, unsure, words)
	}
}

var boss = target.Ref{Kind: target.User, ID: "1"}

// Each way to answer wrongly is an error that says what happened, and of a write whether it may have happened.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	create := func(t *testing.T, a *wire.Adapter) error {
		_, err := a.Create(t.Context(), target.User, named(t, "ada@example.com"))
		return err
	}
	update := func(t *testing.T, a *wire.Adapter) error {
		_, err := a.Update(t.Context(), boss, named(t, "ada@example.com"))
		return err
	}
	get := func(t *testing.T, a *wire.Adapter) error {
		_, err := a.Get(t.Context(), boss)
		return err
	}
	list := func(t *testing.T, a *wire.Adapter) error {
		return a.List(t.Context(), target.User, func([]target.Resource) error { return nil })
	}
	for name, c := range map[string]struct {
		how, when string
		call      func(*testing.T, *wire.Adapter) error
		code      target.Code
		unsure    bool
		words     string
	}{
		"hangs in a create":            {"hang", "create", create, target.Unavailable, true, "did not answer within"},
		"hangs in a read":              {"hang", "get", get, target.Unavailable, false, "did not answer within"},
		"hangs at once":                {"hang", "hello", create, target.Unavailable, false, "did not answer within"},
		"never answers one":            {"skip", "update", update, target.Unavailable, true, "did not answer within"},
		"dies in a create":             {"die", "create", create, target.Unavailable, true, "exit status 3); its last words: could not reach the database"},
		"dies in a read":               {"die", "get", get, target.Unavailable, false, "ended 4 times in this cycle and is not started again before the next one: it ended (exit status 3)"},
		"dies at once":                 {"die", "hello", create, target.Unavailable, false, "exit status 3"},
		"floods its output":            {"flood", "create", create, target.Unavailable, true, "a line of more than 1 MiB"},
		"writes garbage":               {"garbage", "update", update, target.Unavailable, true, "something else than an answer to its standard output: Traceback"},
		"writes garbage at once":       {"garbage", "hello", create, target.NotSCIM, false, "something else than an answer to its standard output: Traceback"},
		"closes its output":            {"closed", "create", create, target.Unavailable, true, "closed its standard output"},
		"answers to no question":       {"otherid", "create", create, target.Unavailable, true, "without the id of a question"},
		"answers without an id":        {"noid", "create", create, target.Unavailable, true, "without the id of a question"},
		"answers nothing":              {"empty", "create", create, target.Unavailable, true, "neither result nor error"},
		"creates another account":      {"another", "create", create, target.Conflict, false, "another identity"},
		"updates another account":      {"another", "update", update, target.Unavailable, true, `answered about another resource, "boss"`},
		"reads another account":        {"another", "get", get, target.Rejected, false, `answered about another resource, "boss"`},
		"makes an account without id":  {"nonsense", "create", create, target.Unavailable, true, "makes no sense"},
		"reads an account without id":  {"nonsense", "get", get, target.Rejected, false, "makes no sense"},
		"lists in a circle":            {"circle", "list", list, target.Rejected, false, "does not get on"},
		"introduces itself as nothing": {"empty", "hello", get, target.NotSCIM, false, "neither result nor error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			if c.how == "hang" || c.how == "skip" {
				timeout = 3 * time.Second
			}
			a := odd(t, wire.ExecConfig{Timeout: timeout, Grace: 50 * time.Millisecond}, c.how, c.when)
			err := c.call(t, a)
			fails(t, err, c.code, c.unsure, c.words)
			var e *target.Error
			if errors.As(err, &e); e.Hint == "" && c.code != target.Conflict {
				t.Errorf("it does not say what to do: %v", err)
			}
		})
	}
}

// A look-up that is answered with other people's accounts finds no one.
func TestFindsNoStrangers(t *testing.T) {
	t.Parallel()
	a := odd(t, wire.ExecConfig{}, "strangers", "find")
	found, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada@example.com")
	if err != nil || len(found) != 0 {
		t.Errorf("found %v (%v)", found, err)
	}
}

// A program that dies is started again, three times in a cycle; the next cycle begins with none.
func TestRestarts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "starts")
	a := odd(t, wire.ExecConfig{Config: map[string]string{"file": file}}, "die", "create")
	starts := func() int {
		text, _ := os.ReadFile(file)
		return strings.Count(string(text), "started")
	}
	for cycle := 1; cycle <= 2; cycle++ {
		for range 4 {
			_, err := a.Create(t.Context(), target.User, named(t, "ada@example.com"))
			fails(t, err, target.Unavailable, true, "exit status 3")
		}
		_, err := a.Create(t.Context(), target.User, named(t, "ada@example.com"))
		fails(t, err, target.Unavailable, false, "ended 4 times in this cycle")
		if got := starts(); got != 4*cycle {
			t.Errorf("started %d times after %d cycles, want %d", got, cycle, 4*cycle)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A question whose program dies is asked again of the next one: only a change may have happened.
func TestAsksAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "starts")
	a := odd(t, wire.ExecConfig{Config: map[string]string{"file": file}}, "die-once", "get")
	if _, err := a.Get(t.Context(), boss); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Count(string(text), "started") != 2 {
		t.Errorf("started %q (%v), want twice", text, err)
	}
}

// Calls in flight when it dies are all unsure, and later ones are answered by the next child.
func TestOthersInFlight(t *testing.T) {
	t.Parallel()
	a := odd(t, wire.ExecConfig{Concurrency: 8}, "die", "delete")
	if _, err := a.Create(t.Context(), target.User, named(t, "ada@example.com")); err != nil {
		t.Fatal(err)
	}
	fails(t, a.Delete(t.Context(), boss), target.Unavailable, true, "exit status 3")
	if _, err := a.Create(t.Context(), target.User, named(t, "bob@example.com")); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// What a program has started ends with it, also when it holds the pipes open.
func TestForks(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pid")
	script, err := filepath.Abs("testdata/odd.py")
	if err != nil {
		t.Fatal(err)
	}
	// env is a program of its own, which hands a variable on that this process does not have.
	a := started(t, wire.ExecConfig{Command: []string{"/usr/bin/env", "PIDFILE=" + pids, wiretest.Interpreter(t), script, "fork", "create"}})
	_, err = a.Create(t.Context(), target.User, named(t, "ada@example.com"))
	fails(t, err, target.Unavailable, true, "exit status 0")
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ") // no one has waited for it yet
	}
	for deadline := time.Now().Add(10 * time.Second); !gone(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			if left, err := os.FindProcess(pid); err == nil {
				_ = left.Kill()
			}
			t.Fatal("what the program started is still running")
		}
	}
}

// A program that ignores the end of its input and SIGTERM is killed.
func TestStubborn(t *testing.T) {
	t.Parallel()
	a := odd(t, wire.ExecConfig{Grace: 100 * time.Millisecond}, "stubborn", "close")
	if _, err := a.Get(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("ending it took %v", took)
	}
}

// A program gets the variables that are named and no others, and the secrets by hello.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	a := odd(t, wire.ExecConfig{Env: []string{"PATH", "NO_SUCH_VARIABLE"}}, "env", "get")
	_, err := a.Get(t.Context(), boss)
	var e *target.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(e.Detail) {
		if name != "PATH" && name != "LC_CTYPE" { // the second is set by Python itself
			t.Errorf("it has the variable %s", name)
		}
	}
}

// lockedBuffer takes a log.
type lockedBuffer struct {
	mu   sync.Mutex // protects text
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const password = "correct-horse-battery-staple"

func secretive(log *lockedBuffer) wire.ExecConfig {
	return wire.ExecConfig{
		Log:     slog.New(slog.NewTextHandler(log, nil)),
		Secrets: map[string]target.Secret{"password": func() (string, error) { return password, nil }},
	}
}

// Standard error goes to the log, in bounds and without secrets; errors are without secrets, too.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	a := odd(t, secretive(&log), "leak", "hello")
	if _, err := a.Get(t.Context(), boss); err != nil {
		t.Error(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	text := log.String()
	if !strings.Contains(text, "line 1: [hidden]") || !strings.Contains(text, "more than is logged") || strings.Contains(text, "line 999") {
		t.Errorf("the log is %.2000s", text)
	}
	if strings.Contains(text, password) {
		t.Error("the log holds the secret")
	}
	a = odd(t, secretive(&log), "garbage", "hello")
	_, err := a.Get(t.Context(), boss)
	fails(t, err, target.NotSCIM, false, "the password is [hidden]")
}

// The program's own codes arrive, and what it does not know is no more than a refusal.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]target.Error{
		`{"code":1,"message":"no"}`:                                                       {Code: target.Rejected},
		`{"code":1,"message":"no","data":{"code":"duplicate_target"}}`:                    {Code: target.Conflict},
		`{"code":1,"message":"no","data":{"code":"target_forbidden"}}`:                    {Code: target.Forbidden},
		`{"code":1,"message":"no","data":{"code":"target_unauthorized"}}`:                 {Code: target.Unauthorized},
		`{"code":1,"message":"no","data":{"code":"target_not_scim"}}`:                     {Code: target.Rejected},
		`{"code":1,"message":"no","data":{"code":"whatever"}}`:                            {Code: target.Rejected},
		`{"code":1,"message":"no","data":{"code":"target_unavailable","unsure":true}}`:    {Code: target.Unavailable, Indeterminate: true},
		`{"code":1,"message":"no","data":{"code":"target_unavailable","retryAfter":1.5}}`: {Code: target.Unavailable, RetryAfter: 1500 * time.Millisecond},
		`{"code":1,"message":"no","data":{"attribute":"title"}}`:                          {Code: target.Rejected, Attribute: "title"},
		`{"code":-32601,"message":"no"}`:                                                  {Code: target.Unsupported},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			a := odd(t, wire.ExecConfig{}, "error", "create", text)
			_, err := a.Create(t.Context(), target.User, named(t, "ada@example.com"))
			var e *target.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if e.Code != want.Code || e.Indeterminate != want.Indeterminate || e.RetryAfter != want.RetryAfter || e.Attribute != want.Attribute || e.Detail != "no" {
				t.Errorf("got %+v, want %+v", e, want)
			}
		})
	}
}

// A program that others could replace is not started.
func TestTrustedPrograms(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		command []string
		mode    os.FileMode
		words   string
	}{
		"writable by all":             {[]string{script}, 0o757, "can be written by every user"},
		"an argument writable by all": {[]string{shell, script}, 0o646, "can be written by every user"},
		"missing":                     {[]string{script + "-missing"}, 0, "cannot be found"},
		"a folder":                    {[]string{filepath.Dir(script)}, 0, "is not a program"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mode != 0 {
				if err := os.Chmod(script, c.mode); err != nil {
					t.Fatal(err)
				}
			}
			a := started(t, wire.ExecConfig{Command: c.command})
			_, err := a.Get(t.Context(), boss)
			fails(t, err, target.Untrusted, false, c.words)
		})
	}
	if _, err := wire.Exec(wire.ExecConfig{Command: []string{"./program"}}); err == nil {
		t.Error("a relative path was accepted")
	}
}

// A caller that gives up gets its error at once, and a child is not to blame for it.
func TestCancelledWhileItWaits(t *testing.T) {
	t.Parallel()
	a := odd(t, wire.ExecConfig{Timeout: time.Minute}, "skip", "create")
	if _, err := a.Get(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := a.Create(ctx, target.User, named(t, "ada@example.com"))
	fails(t, err, target.Unavailable, true, "stopped before it was answered")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap the context's error", err)
	}
	if _, err := a.Get(t.Context(), boss); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
