package target_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"entrasync/target"
)

// An inProcess base calls a handler without a socket, so that it works in a bubble of
// virtual time.
type inProcess struct{ handler http.HandlerFunc }

func (p inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); p.handler(w, req) }()
	select {
	case <-done:
		return w.Result(), nil
	case <-req.Context().Done():
		<-done
		return nil, req.Context().Err()
	}
}

// A broken base fails each request after it may have been sent.
type broken struct{ tries *atomic.Int64 }

func (b broken) RoundTrip(*http.Request) (*http.Response, error) {
	b.tries.Add(1)
	return nil, io.ErrUnexpectedEOF
}

func transport(t testing.TB, cfg target.TransportConfig) *target.Transport {
	t.Helper()
	tr, err := target.NewTransport(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func fixed(req *http.Request) *http.Request {
	req.Header["Idempotency-Key"] = nil
	return req
}

func secret(s string) target.Secret { return func() (string, error) { return s, nil } }

// script answers with one step after the other, and the last for ever.
func script(steps ...http.HandlerFunc) (http.HandlerFunc, *atomic.Int64) {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		steps[min(i, len(steps)-1)](w, r)
	}, &n
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		io.Copy(w, r.Body)
	}
}

func TestTransportWaitsWhenThrottled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		first  http.HandlerFunc
		method string
		least  time.Duration
		most   time.Duration
	}{
		{"seconds", status(429, "Retry-After", "7"), "POST", 7 * time.Second, 7 * time.Second},
		{"fraction", status(503, "Retry-After", "0.25"), "POST", 250 * time.Millisecond, 250 * time.Millisecond},
		{"date by the server's clock", status(429, "Date", "Tue, 01 Jan 2030 00:00:00 GMT", "Retry-After", "Tue, 01 Jan 2030 00:00:09 GMT"), "PATCH", 9 * time.Second, 9 * time.Second},
		{"nothing said", status(429), "POST", 250 * time.Millisecond, 500 * time.Millisecond},
		{"nonsense said", status(429, "Retry-After", "NaN"), "POST", 250 * time.Millisecond, 500 * time.Millisecond},
		{"Databricks", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"detail":"REQUEST_LIMIT_EXCEEDED"}`, 500)
		}, "POST", 250 * time.Millisecond, 500 * time.Millisecond},
		{"403 with Retry-After", status(403, "Retry-After", "3"), "POST", 3 * time.Second, 3 * time.Second},
		{"403 with nothing left", status(403, "x-ratelimit-remaining", "0"), "POST", 250 * time.Millisecond, 500 * time.Millisecond},
		{"403 with nothing left for a while", status(403, "X-Rate-Limit-Remaining", "0", "X-Rate-Limit-Reset", "5"), "PATCH", 5 * time.Second, 5 * time.Second},
		{"403 with nothing left until a date", status(403, "Date", "Tue, 01 Jan 2030 00:00:00 GMT", "RateLimit-Remaining", "0", "RateLimit-Reset", "1893456006"), "DELETE", 6 * time.Second, 6 * time.Second},
		{"403 in words", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"detail":"Secondary Rate Limit reached. Slow down."}`, http.StatusForbidden)
		}, "POST", 250 * time.Millisecond, 500 * time.Millisecond},
		{"420", status(420), "POST", 250 * time.Millisecond, 500 * time.Millisecond},
		{"509", status(509), "POST", 250 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler, n := script(tt.first, status(201))
				tr := transport(t, target.TransportConfig{Base: inProcess{handler}})
				start := time.Now()
				answer, err := tr.RoundTrip(request(t, tt.method, "http://x/Users", "body"))
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(answer.Body)
				took := time.Since(start)
				if answer.StatusCode != 201 || string(body) != "body" || took < tt.least || took > tt.most {
					t.Errorf("%d %q after %v", answer.StatusCode, body, took)
				}
				if got := tr.Traffic(); got != (target.Traffic{Requests: 2, Throttled: 1}) || n.Load() != 2 {
					t.Errorf("traffic %+v", got)
				}
			})
		})
	}
}

func TestTransportHoldsAllCallersBackWhenOneIsThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		tr := transport(t, target.TransportConfig{Base: inProcess{func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if at = append(at, time.Since(start)); len(at) == 1 {
				status(429, "Retry-After", "10")(w, r)
			}
		}}})
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if _, err := tr.RoundTrip(request(t, "GET", "http://x/", "")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, d := range at[1:] {
			if d < 10*time.Second {
				t.Errorf("a request was sent after %v", d)
			}
		}
	})
}

// A 403 that says nothing of how often it is asked is about what may be done: asking again does not help.
func TestTransportDoesNotTakeARefusalForThrottling(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]http.HandlerFunc{
		"plain":         status(403),
		"requests left": status(403, "X-RateLimit-Remaining", "41", "X-RateLimit-Reset", "5"),
		"a licence": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"detail":"the licence quota is used up"}`, http.StatusForbidden)
		},
		"a bad request": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"detail":"attribute rateLimit is unknown"}`, 400)
		},
	} {
		handler, n := script(refused, status(201))
		tr := transport(t, target.TransportConfig{Base: inProcess{handler}, Backoff: time.Millisecond})
		answer, err := tr.RoundTrip(request(t, "POST", "http://x/Users", "{}"))
		if err != nil || answer.StatusCode >= 429 || n.Load() != 1 || tr.Traffic().Throttled != 0 {
			t.Errorf("%s: %v %v after %d requests", name, answer, err, n.Load())
		}
	}
}

func TestTransportGivesUpOnLongWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, n := script(status(429, "Retry-After", "3600"))
		answer, err := transport(t, target.TransportConfig{Base: inProcess{handler}}).RoundTrip(request(t, "GET", "http://x/", ""))
		if err != nil || answer.StatusCode != 429 || n.Load() != 1 || target.RetryAfter(answer.Header) != time.Hour {
			t.Errorf("%v %v after %d requests", answer, err, n.Load())
		}
	})
}

// An application that asks for a wait of 0 each time is not asked without end.
func TestTransportGivesUpOnWaitsOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, n := script(status(429, "Retry-After", "0"))
		answer, err := transport(t, target.TransportConfig{Base: inProcess{handler}}).RoundTrip(request(t, "GET", "http://x/", ""))
		if err != nil || answer.StatusCode != 429 || n.Load() < 2 || n.Load() > 20 {
			t.Errorf("%v %v after %d requests", answer, err, n.Load())
		}
	})
}

func TestTransportRepeats(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		fixed        bool
		tries        int64
		unsure       bool
	}{
		{"GET", "GET", false, 4, false},
		{"PUT", "PUT", false, 4, true},
		{"DELETE", "DELETE", false, 4, true},
		{"PATCH of fixed outcome", "PATCH", true, 4, true},
		{"PATCH", "PATCH", false, 1, true},
		{"POST", "POST", false, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int64
				req := request(t, tt.method, "http://x/", "{}")
				if tt.fixed {
					fixed(req)
				}
				_, err := transport(t, target.TransportConfig{Base: broken{&tries}}).RoundTrip(req)
				var e *target.Error
				if !errors.As(err, &e) || e.Code != target.Unavailable || e.Indeterminate != tt.unsure || tries.Load() != tt.tries {
					t.Errorf("%d tries, %#v", tries.Load(), err)
				}
				handler, n := script(status(502))
				req = request(t, tt.method, "http://x/", "{}")
				if tt.fixed {
					fixed(req)
				}
				answer, err := transport(t, target.TransportConfig{Base: inProcess{handler}}).RoundTrip(req)
				if err != nil || answer.StatusCode != 502 || n.Load() != tt.tries {
					t.Errorf("502: %d tries, %v", n.Load(), err)
				}
			})
		})
	}
}

func TestTransportRepeatsAPostThatNeverLeft(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(status(201))
	url := server.URL
	server.Close()
	tr := transport(t, target.TransportConfig{Backoff: time.Millisecond})
	_, err := tr.RoundTrip(request(t, "POST", url, "{}"))
	var e *target.Error
	if !errors.As(err, &e) || e.Indeterminate || !strings.Contains(e.Message, "connection refused") || tr.Traffic().Requests != 4 {
		t.Errorf("%+v after %+v", err, tr.Traffic())
	}
}

func TestTransportPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most atomic.Int64
		tr := transport(t, target.TransportConfig{Rate: 10, Concurrency: 2, Base: inProcess{func(http.ResponseWriter, *http.Request) {
			most.Store(max(most.Load(), inFlight.Add(1)))
			time.Sleep(time.Second)
			inFlight.Add(-1)
		}}})
		start := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { tr.RoundTrip(request(t, "GET", "http://x/", "")) })
		}
		wg.Wait()
		if most.Load() != 2 || time.Since(start) < 10*time.Second {
			t.Errorf("%d at once, %v for twenty", most.Load(), time.Since(start))
		}
	})
}

// Several applications that are one for the configuration share its rate, whichever of them has much
// to do; their requests in flight are their own, so that one that hangs stops no other.
func TestTransportsShareARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := rate.NewLimiter(rate.Inf, 1)
		hang := make(chan struct{})
		base := inProcess{func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Host == "hangs.example" {
				<-hang
			}
		}}
		cfg := target.TransportConfig{Base: base, Rate: 2, Concurrency: 1, Limiter: limiter}
		a, b, hangs := transport(t, cfg), transport(t, cfg), transport(t, cfg)
		var all sync.WaitGroup
		send := func(tr *target.Transport, url string) {
			if answer, err := tr.RoundTrip(request(t, "GET", url, "")); err != nil {
				t.Error(err)
			} else {
				answer.Body.Close()
			}
		}
		var other sync.WaitGroup
		other.Go(func() { send(hangs, "https://hangs.example/") })
		synctest.Wait()
		start := time.Now()
		for range 4 {
			all.Go(func() { send(a, "https://a.example/") })
			all.Go(func() { send(b, "https://b.example/") })
		}
		all.Wait()
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("nine requests at two a second had been sent after %v, want 4s", took)
		}
		close(hang)
		other.Wait()
	})
}

func TestTransportTimeoutAndCancellation(t *testing.T) {
	t.Parallel()
	slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	synctest.Test(t, func(t *testing.T) {
		tr := transport(t, target.TransportConfig{Timeout: 5 * time.Second, Base: inProcess{slow}})
		start := time.Now()
		_, err := tr.RoundTrip(request(t, "POST", "http://x/", ""))
		var e *target.Error
		if !errors.As(err, &e) || e.Message != "no complete answer within 5s" || !e.Indeterminate || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = tr.RoundTrip(request(t, "GET", "http://x/", "").WithContext(ctx))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("caller's deadline: %v", err)
		}

		ctx, stop := context.WithCancel(t.Context())
		stop()
		before := tr.Traffic().Requests
		_, err = tr.RoundTrip(request(t, "GET", "http://x/", "").WithContext(ctx))
		if !errors.Is(err, context.Canceled) || tr.Traffic().Requests != before {
			t.Errorf("after cancellation: %v, %d requests", err, tr.Traffic().Requests-before)
		}
	})
}

func TestTransportEndsADrippingBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
		}
	}))
	defer server.Close()
	_, err := transport(t, target.TransportConfig{Timeout: 100 * time.Millisecond, Retries: -1, MaxBody: 1 << 40}).RoundTrip(request(t, "GET", server.URL, ""))
	if err == nil || !strings.Contains(err.Error(), "no complete answer within 100ms") {
		t.Error(err)
	}
}

func TestTransportBoundsAnswers(t *testing.T) {
	t.Parallel()
	tr := transport(t, target.TransportConfig{MaxBody: 10, Base: inProcess{status(200)}})
	if _, err := tr.RoundTrip(request(t, "POST", "http://x/", "0123456789")); err != nil {
		t.Error(err)
	}
	// A write whose response is too large may have been carried out: it has to be looked for.
	for method, unsure := range map[string]bool{"POST": true, "PATCH": true, "PUT": true, "DELETE": true, "GET": false} {
		_, err := tr.RoundTrip(request(t, method, "http://x/", "0123456789a"))
		var e *target.Error
		if !errors.As(err, &e) || e.Code != target.Rejected || e.Indeterminate != unsure || !strings.Contains(err.Error(), "larger than 10 bytes") {
			t.Errorf("%s: %#v", method, err)
		}
	}
}

// A 503 that names no wait may come from behind an application that did the work: what must not be
// done twice is not sent again.
func TestTransportDoesNotRepeatAfterA503WithoutAWait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		fixed        bool
		retryAfter   []string
		again        bool
	}{
		{"POST", "POST", false, nil, false},
		{"PATCH", "PATCH", false, nil, false},
		{"POST with a wait", "POST", false, []string{"Retry-After", "1"}, true},
		{"PATCH of fixed outcome", "PATCH", true, nil, true},
		{"GET", "GET", false, nil, true},
		{"DELETE", "DELETE", false, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler, n := script(status(503, tt.retryAfter...), status(200))
				req := request(t, tt.method, "http://x/", "{}")
				if tt.fixed {
					fixed(req)
				}
				answer, err := transport(t, target.TransportConfig{Base: inProcess{handler}}).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if again := n.Load() > 1; again != tt.again || (answer.StatusCode == 200) != tt.again {
					t.Errorf("sent %d times, status %d", n.Load(), answer.StatusCode)
				}
			})
		})
	}
}
