package target

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// longestWait bounds the growth between attempts.
const longestWait = 30 * time.Second

// A gate holds all requests to an application back while one was told to wait.
type gate struct {
	mu    sync.Mutex // protects until
	until time.Time
}

func (g *gate) close(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.until) {
		g.until = until
	}
}

func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		left := time.Until(g.until)
		g.mu.Unlock()
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backoffBefore returns the wait before the n-th further attempt: doubled each time, and spread so
// that workers who failed together do not come back together.
func (t *Transport) backoffBefore(n int) time.Duration {
	wait := min(t.backoff<<min(n-1, 16), longestWait)
	return wait/2 + rand.N(wait/2+1)
}

// repeatable reports whether sending a request again leads to the same as sending it once.
func repeatable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPatch, http.MethodPost:
		_, fixed := req.Header["Idempotency-Key"] // as net/http's Transport has it
		return fixed
	}
	return false
}

func writes(req *http.Request) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead
}

// retryAfter reads Retry-After: seconds, whole (RFC 9110, section 10.2.3) or with a fraction
// as some send, or a date, which is held against the answer's own clock where it has one.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds >= 0 && seconds < 1e9) {
			return 0, false
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if sent, err := http.ParseTime(header.Get("Date")); err == nil {
		now = sent
	}
	return max(0, until.Sub(now)), true
}

// RetryAfter returns how long an answer asks to wait, 0 when it does not say.
func RetryAfter(header http.Header) time.Duration {
	wait, _ := askedWait(header, time.Now())
	return wait
}
