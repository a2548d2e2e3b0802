package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"entrasync/graphsync/redact"
	"entrasync/target"
)

// maxLine bounds a message in either direction.
const maxLine = 1 << 20

// Why a child answers no more.
var (
	errFinished = errors.New("the cycle is over")
	errGarbage  = errors.New("it wrote something else than an answer to its standard output")
)

// A child is a running program. Its methods may be called concurrently.
type child struct {
	process *exec.Cmd
	group   *group // the process and what it starts
	stdin   *os.File
	lines   chan []byte   // to the program; unbuffered, so that what was taken was sent
	gone    chan struct{} // closed when nothing is answered any more
	reaped  chan struct{} // closed when the process has ended
	exited  chan struct{} // closed when nothing of it is left
	timeout time.Duration
	redact  redact.Redactor
	errors  *errorLog

	mu      sync.Mutex // protects what follows
	waiting map[int64]chan *answer
	last    int64
	heard   time.Time // when it wrote a message last
	why     error     // set before gone is closed
}

// start runs the program in a process group of its own, with the environment that is named and no other.
func start(cfg *ExecConfig, redactor redact.Redactor) (*child, error) {
	if err := trusted(cfg.Command); err != nil {
		return nil, err
	}
	c := &child{
		process: exec.Command(cfg.Command[0], cfg.Command[1:]...), lines: make(chan []byte), gone: make(chan struct{}), reaped: make(chan struct{}), exited: make(chan struct{}),
		timeout: cfg.Timeout, redact: redactor, errors: &errorLog{log: cfg.Log, redact: redactor}, waiting: map[int64]chan *answer{},
	}
	c.process.Env = []string{}
	for _, name := range cfg.Env {
		if value, ok := os.LookupEnv(name); ok {
			c.process.Env = append(c.process.Env, name+"="+value)
		}
	}
	apart(c.process)
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start program: %w", err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start program: %w", errors.Join(err, theirIn.Close(), ourOut.Close()))
	}
	ourErr, theirErr, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start program: %w", errors.Join(err, theirIn.Close(), ourOut.Close(), ourIn.Close(), theirOut.Close()))
	}
	c.process.Stdin, c.process.Stdout, c.process.Stderr, c.stdin = theirIn, theirOut, theirErr, ourOut
	err = c.process.Start()
	for _, theirs := range []*os.File{theirIn, theirOut, theirErr} {
		_ = theirs.Close() // the child has its own
	}
	if err != nil {
		for _, ours := range []*os.File{ourOut, ourIn, ourErr} {
			_ = ours.Close()
		}
		return nil, &target.Error{Op: "start program", Code: target.NotSCIM, Err: err, Message: fmt.Sprintf("%s cannot be started: %v", cfg.Command[0], err),
			Hint: "see that the file can be executed, and that its first line names an interpreter that is installed"}
	}
	c.group = groupOf(c.process.Process)
	read := make(chan struct{})
	go c.write()
	go c.read(ourIn, read)
	go c.errors.read(ourErr)
	go c.wait(ourIn, ourErr, read)
	return c, nil
}

// wait ends what the process has left when it ends: children of its own, and pipes that they hold open.
func (c *child) wait(stdout, stderr *os.File, read <-chan struct{}) {
	err := c.process.Wait()
	close(c.reaped)
	c.signal(syscall.SIGKILL)
	const drain = time.Second // for what it wrote before
	select {
	case <-read:
	case <-time.After(drain):
	}
	close(c.exited)
	c.group.close()
	c.fail(fmt.Errorf("it ended (%s)%s", exitText(err), c.errors.lastWords()))
	_, _, _ = stdout.Close(), stderr.Close(), c.stdin.Close()
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// signal sends a signal to the process and all that it started.
func (c *child) signal(s syscall.Signal) {
	select {
	case <-c.exited: // its number may be that of another process by now
	default:
		c.group.signal(s)
	}
}

// write hands messages to the program, one a line.
func (c *child) write() {
	for {
		select {
		case line := <-c.lines:
			if _, err := c.stdin.Write(append(line, '\n')); err != nil {
				return // it has closed its input; wait says how it ended
			}
		case <-c.gone:
			return
		}
	}
}

// read takes what the program writes to its standard output.
func (c *child) read(stdout io.Reader, done chan<- struct{}) {
	defer close(done)
	lines := bufio.NewReaderSize(stdout, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			c.end(fmt.Errorf("%w: a line of more than 1 MiB", errGarbage), 0)
			return
		case err != nil:
			if len(bytes.TrimSpace(line)) == 0 && c.closedOutput() {
				return
			}
			c.end(errors.New("it closed its standard output"), 0)
			return
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := c.take(line); err != nil {
			c.end(err, 0)
			return
		}
	}
}

// closedOutput waits a moment for the process to end, as its output has, and reports whether it did.
func (c *child) closedOutput() bool {
	const moment = time.Second
	select {
	case <-c.reaped:
		return true
	case <-time.After(moment):
		return false
	}
}

// take hands an answer to the call that waits for it. An answer that comes too late is dropped.
func (c *child) take(line []byte) error {
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return fmt.Errorf("%w: %s", errGarbage, target.Clean(c.redact.Text(string(line[:min(len(line), 300)]))))
	}
	id, err := strconv.ParseInt(string(a.ID), 10, 64)
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Version != "2.0" || err != nil || id < 1 || id > c.last {
		return fmt.Errorf("%w: a message without the id of a question: %s", errGarbage, target.Clean(c.redact.Text(string(line[:min(len(line), 300)]))))
	}
	c.heard = time.Now()
	if waits, ok := c.waiting[id]; ok {
		delete(c.waiting, id)
		waits <- &a
	}
	return nil
}

// call sends a message and waits for its answer.
func (c *child) call(ctx context.Context, call *call) error {
	answered := make(chan *answer, 1)
	id := c.register(answered)
	defer c.unregister(id)
	line, err := encode(message{"2.0", id, call.method, call.params})
	if err != nil {
		return &target.Error{Op: call.op, Code: target.Rejected, Message: "a value has no form in JSON", Err: err}
	}
	if len(line) >= maxLine {
		return &target.Error{Op: call.op, Code: target.Rejected, Message: "the message is longer than 1 MiB", Hint: "shorten what the mapping writes"}
	}
	timeout := time.NewTimer(c.timeout)
	defer timeout.Stop()
	begun := time.Now()
	select {
	case c.lines <- line:
	case <-c.gone:
		return c.dead(call, false)
	case <-ctx.Done():
		return ended(ctx, call.op)
	case <-timeout.C:
		return c.late(call, begun, false)
	}
	select {
	case a := <-answered:
		return c.settled(call, a)
	case <-c.gone:
		select {
		case a := <-answered:
			return c.settled(call, a)
		default:
		}
		return c.dead(call, true)
	case <-ctx.Done():
		return &target.Error{Op: call.op, Code: target.Unavailable, Message: "stopped before it was answered", Err: ctx.Err(), Indeterminate: call.writes}
	case <-timeout.C:
		return c.late(call, begun, true)
	}
}

func (c *child) settled(call *call, a *answer) error {
	return target.Redacted(c.redact, call.settle(a))
}

func (c *child) register(answered chan *answer) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.waiting[c.last] = answered
	return c.last
}

func (c *child) unregister(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// dead is the error of a call to a program that has ended.
func (c *child) dead(call *call, sent bool) error {
	return &target.Error{Op: call.op, Code: target.Unavailable, Err: c.reason(), Indeterminate: sent && call.writes,
		Message: fmt.Sprintf("the program did not answer: %v", c.reason()), Hint: "see its standard error in the log, and try it with: entrasync target test"}
}

// late is the error of a call that was not answered in time. A program that wrote nothing at all meanwhile hangs, and
// is ended.
func (c *child) late(call *call, begun time.Time, sent bool) error {
	c.mu.Lock()
	silent := c.heard.Before(begun)
	c.mu.Unlock()
	if silent {
		c.end(fmt.Errorf("it answered nothing within %v", c.timeout), 0)
	}
	return &target.Error{Op: call.op, Code: target.Unavailable, Indeterminate: sent && call.writes,
		Message: fmt.Sprintf("the program did not answer within %v", c.timeout), Hint: "see whether it hangs, or raise the target's timeout"}
}

// reason is why the child answers no more, nil while it does.
func (c *child) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// fail has all calls end with the reason. The first one counts.
func (c *child) fail(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		c.why = why
		close(c.gone)
	}
}

// end has the process end: by the end of its input, then SIGTERM, then SIGKILL, each after a grace. Without one it is
// killed at once.
func (c *child) end(why error, grace time.Duration) {
	c.fail(why)
	if grace == 0 {
		c.signal(syscall.SIGKILL)
		return
	}
	_ = c.stdin.Close()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-c.exited:
			return
		case <-time.After(grace):
			c.signal(s)
		}
	}
	<-c.exited
}
