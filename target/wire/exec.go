package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"entrasync/graphsync/redact"
	"entrasync/target"
)

// ExecConfig says which program to start. Only Command is needed.
type ExecConfig struct {
	Command []string                 // absolute path of the program, and its arguments; no shell sees them
	Env     []string                 // names of environment variables to hand on; it has no others
	Config  map[string]string        // handed over in hello
	Secrets map[string]target.Secret // handed over in hello, read each time

	Timeout     time.Duration // of one message; default one minute
	Concurrency int           // messages that wait for an answer at once; default 4
	Grace       time.Duration // before a program that is to end is told again, and then killed; default 10 s

	Version string       // of entrasync
	Log     *slog.Logger // takes the program's standard error; nil: it is dropped
}

// maxRestarts is how often a program that ended on its own is started again in one cycle.
const maxRestarts = 3

// Exec returns an adapter whose application is a program. Nothing is started yet.
func Exec(cfg ExecConfig) (*Adapter, error) {
	if len(cfg.Command) == 0 || !filepath.IsAbs(cfg.Command[0]) {
		return nil, errors.New("command: the program is not named by an absolute path, such as [/opt/acme/provision]")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 4
	}
	if cfg.Grace == 0 {
		cfg.Grace = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Adapter{channel: &program{cfg: cfg, slots: make(chan struct{}, cfg.Concurrency), starting: make(chan struct{}, 1)}}, nil
}

// A program is the application of type exec: a child process that is started when the first message of a cycle is
// due, and ended with the cycle.
type program struct {
	cfg      ExecConfig
	slots    chan struct{} // one for each message that waits for an answer
	starting chan struct{} // held while a child is started
	sent     atomic.Int64

	mu       sync.Mutex // protects what follows
	child    *child     // the last one that was started
	greeting *HelloResult
	failures int // children that ended on their own in this cycle
	counted  bool
	active   int         // calls under way
	timer    *time.Timer // ends the child when nothing is asked any more
}

func (p *program) concurrency() int { return cap(p.slots) }

func (p *program) traffic() target.Traffic { return target.Traffic{Requests: p.sent.Load()} }

// call implements channel.
func (p *program) call(ctx context.Context, c *call) error {
	if err := ended(ctx, c.op); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ended(ctx, c.op)
	}
	p.enter(1)
	defer p.enter(-1)
	for {
		child, _, err := p.running(ctx)
		if err != nil {
			return withOp(err, c.op)
		}
		p.sent.Add(1)
		if err = child.call(ctx, c); !repeatable(child, err) {
			return err
		}
	}
}

// repeatable reports whether a call failed because the child ended, and has certainly changed nothing. How often the
// next child may end is bounded, see mayStart.
func repeatable(c *child, err error) bool {
	var e *target.Error
	return errors.As(err, &e) && !e.Indeterminate && c.reason() != nil && errors.Is(e.Err, c.reason())
}

// idle is how long a child without a message is kept, where no end of a cycle comes: check only asks.
const idle = time.Minute

// enter counts a call that begins or ends.
func (p *program) enter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active += n
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if c := p.child; p.active == 0 && c != nil {
		p.timer = time.AfterFunc(idle, func() { p.part(c) })
	}
}

// withOp names the operation in an error about the program as such.
func withOp(err error, op string) error {
	var e *target.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Op = op
	return &named
}

// hello implements channel. A child that it had to start for that is ended by the next end.
func (p *program) hello(ctx context.Context) (*HelloResult, error) {
	if err := ended(ctx, "hello"); err != nil {
		return nil, err
	}
	_, greeting, err := p.running(ctx)
	return greeting, err
}

// running returns the child, which is started when there is none.
func (p *program) running(ctx context.Context) (*child, *HelloResult, error) {
	if c, greeting := p.alive(); c != nil {
		return c, greeting, nil
	}
	select {
	case p.starting <- struct{}{}:
		defer func() { <-p.starting }()
	case <-ctx.Done():
		return nil, nil, ended(ctx, "hello")
	}
	if c, greeting := p.alive(); c != nil {
		return c, greeting, nil
	}
	if err := p.mayStart(); err != nil {
		return nil, nil, err
	}
	secrets, redactor, err := p.secrets()
	if err != nil {
		return nil, nil, err
	}
	c, err := start(&p.cfg, redactor)
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	p.child, p.greeting, p.counted = c, nil, false
	p.mu.Unlock()
	greeting, err := p.greet(ctx, c, secrets)
	if err != nil {
		c.end(errors.New("it did not introduce itself"), 0)
		if ctx.Err() != nil {
			p.mu.Lock()
			p.child = nil // it is not to blame
			p.mu.Unlock()
		}
		return nil, nil, err
	}
	p.mu.Lock()
	p.greeting = greeting
	p.mu.Unlock()
	return c, greeting, nil
}

// alive returns the child that answers, nil when there is none.
func (p *program) alive() (*child, *HelloResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child == nil || p.greeting == nil || p.child.reason() != nil {
		return nil, nil
	}
	return p.child, p.greeting
}

// mayStart counts the child that has ended, and refuses to start another one too often.
func (p *program) mayStart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child == nil {
		return nil
	}
	if !p.counted {
		p.failures, p.counted = p.failures+1, true
	}
	if p.failures <= maxRestarts {
		return nil
	}
	return &target.Error{Op: "start program", Code: target.Unavailable, Err: p.child.reason(),
		Message: fmt.Sprintf("the program ended %d times in this cycle and is not started again before the next one: %v", p.failures, p.child.reason()),
		Hint:    "see its standard error in the log, and try it with: entrasync target test"}
}

// secrets reads the secrets as they are now, and what hides them in texts.
func (p *program) secrets() (map[string]string, redact.Redactor, error) {
	values := map[string]string{}
	for name, secret := range p.cfg.Secrets {
		value, err := secret()
		if err != nil {
			return nil, redact.Redactor{}, &target.Error{Op: "start program", Code: target.Unauthorized, Err: err,
				Message: "the secret " + name + " cannot be read", Hint: "see that the file exists and may be read"}
		}
		values[name] = value
	}
	const shortest = 4
	return values, redact.New(shortest, slices.Collect(maps.Values(values))...), nil
}

func (p *program) greet(ctx context.Context, c *child, secrets map[string]string) (*HelloResult, error) {
	var result HelloResult
	params := HelloParams{Protocol: Protocol, Product: "entrasync/" + p.cfg.Version, Config: p.cfg.Config, Secrets: secrets}
	p.sent.Add(1)
	if err := c.call(ctx, &call{op: "hello", method: "hello", params: params, result: &result}); err != nil {
		return nil, unspoken(err, c)
	}
	return &result, checkHello(&result)
}

// unspoken is the error of a hello that was not answered as the protocol has it: every other message would fail, too.
func unspoken(err error, c *child) error {
	var e *target.Error
	if !errors.As(err, &e) || e.Code != target.Rejected && !errors.Is(c.reason(), errGarbage) {
		return err
	}
	stopping := *e
	stopping.Code, stopping.Indeterminate = target.NotSCIM, false
	return &stopping
}

// end implements channel: the child is told that the cycle is over, and ended unless another cycle uses it.
func (p *program) end(ctx context.Context) error {
	p.mu.Lock()
	c, greeting, busy := p.child, p.greeting, p.active > 0
	p.failures = 0
	over := c == nil || greeting == nil || c.reason() != nil
	if over {
		p.child, p.greeting = nil, nil
	}
	p.mu.Unlock()
	if over {
		return nil
	}
	p.sent.Add(1)
	err := c.call(ctx, &call{op: "close", method: "close", params: Nothing{}})
	if err != nil && target.CodeOf(err) == target.Unsupported { // it has nothing to finish
		err = nil
	}
	if !busy {
		p.part(c)
	}
	return err
}

// part ends a child that has nothing to do.
func (p *program) part(c *child) {
	p.mu.Lock()
	if p.active > 0 {
		p.mu.Unlock()
		return // a call has begun meanwhile
	}
	if p.child == c {
		p.child, p.greeting = nil, nil
	}
	p.mu.Unlock()
	c.end(errFinished, p.cfg.Grace)
}
