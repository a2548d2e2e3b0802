package safety

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"entrasync/target/scim/scimtest"
)

// An interruption ends a cycle at one of its calls.
type interruption struct {
	at    int    // the call's number, from 1; 0 is never
	on    string // the first call of this method to the application, instead
	crash bool   // the process dies; else the cycle is cancelled
	after bool   // the call is still carried out, its answer is lost
}

func (i interruption) String() string {
	switch {
	case i.at == 0:
		return "none"
	case i.crash && i.after:
		return fmt.Sprintf("crash after call %d", i.at)
	case i.crash:
		return fmt.Sprintf("crash before call %d", i.at)
	}
	return fmt.Sprintf("cancelled at call %d", i.at)
}

// A wire carries all calls of a process, counts them, and is where the process dies.
type wire struct {
	lost func() // takes the state away

	mu      sync.Mutex // guards what follows
	calls   int
	stop    interruption
	died    bool
	cancel  context.CancelFunc
	faults  []*callFault
	history []string        // of the cycle
	hosts   map[string]bool // that were asked for anything
}

// A callFault makes some calls to the application go wrong.
type callFault struct {
	name   string
	match  func(*http.Request) bool
	skip   int
	times  int // negative: until the faults are ended
	answer func(r *http.Request, next func() (*http.Response, error)) (*http.Response, error)
}

func (w *wire) begin(cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.cancel, w.history = 0, cancel, nil
}

func (w *wire) interrupt(i interruption) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop = i
}

func (w *wire) fault(f callFault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, &f)
}

func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = nil
}

func (w *wire) dead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.died
}

func (w *wire) revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.died = false
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// to returns a way to one of the two servers. The observer, when not nil, sees the calls that
// reached it.
func (w *wire) to(name string, next http.RoundTripper, observer *watch) http.RoundTripper {
	return way{wire: w, name: name, next: next, observer: observer}
}

type way struct {
	wire     *wire
	name     string
	next     http.RoundTripper
	observer *watch
}

var errDied = fmt.Errorf("the process has died")

// RoundTrip implements http.RoundTripper.
func (y way) RoundTrip(r *http.Request) (*http.Response, error) {
	w := y.wire
	w.mu.Lock()
	if w.died {
		w.mu.Unlock()
		return nil, errDied
	}
	w.calls++
	if w.hosts == nil {
		w.hosts = map[string]bool{}
	}
	w.hosts[r.URL.Host] = true
	w.history = append(w.history, y.name+" "+r.Method+" "+r.URL.Path+" "+r.URL.RawQuery)
	stop := w.stop
	hit := stop.at == w.calls || stop.on != "" && stop.on == r.Method && y.name == "front"
	if hit && stop.crash {
		w.died = true
	}
	cancel := w.cancel
	var fault *callFault
	if y.observer != nil {
		fault = w.pick(r)
	}
	w.mu.Unlock()

	switch {
	case hit && !stop.crash:
		cancel()
		return nil, context.Canceled
	case hit && !stop.after:
		w.lost()
		cancel()
		return nil, errDied
	}
	send := func() (*http.Response, error) {
		response, err := y.next.RoundTrip(r)
		if y.observer != nil && r.Method != http.MethodGet {
			y.observer.look()
		}
		return response, err
	}
	var response *http.Response
	var err error
	if fault != nil {
		response, err = fault.answer(r, send)
	} else {
		response, err = send()
	}
	if hit {
		w.lost()
		cancel()
		return nil, errDied
	}
	return response, err
}

// pick returns the fault that a call meets. The caller holds the lock.
func (w *wire) pick(r *http.Request) *callFault {
	for _, f := range w.faults {
		if f.times == 0 || !f.match(r) {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		f.times--
		w.history = append(w.history, "  meets "+f.name)
		return f
	}
	return nil
}

// method matches requests of some methods.
func method(names ...string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.Contains(strings.Join(names, " "), r.Method) }
}

// refuse answers with an error instead of doing the work.
func refuse(status int, scimType string, header ...string) func(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","scimType":%q,"detail":"no"}`, status, scimType)
	return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		response := scimtest.NewResponse(status, body, append(header, "Content-Type", "application/scim+json")...)
		response.Request = r
		return response, nil
	}
}

// lose does the work and loses the answer.
func lose(_ *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
	if response, err := next(); err == nil {
		response.Body.Close()
	}
	return nil, io.ErrUnexpectedEOF
}

// drop loses the request on its way.
func drop(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, io.ErrUnexpectedEOF
}

// belated does the work and answers as if it had failed.
func belated(status int) func(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return func(r *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
		if response, err := next(); err == nil {
			response.Body.Close()
		}
		return refuse(status, "")(r, nil)
	}
}
