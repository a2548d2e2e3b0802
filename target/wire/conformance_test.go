package wire_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/target"
	"entrasync/target/targettest"
	"entrasync/target/wire"
	"entrasync/target/wire/wiretest"
)

// program returns an adapter for a program that keeps its accounts in a file, and ends it with the test.
func program(tb testing.TB, command []string, file string) *wire.Adapter {
	tb.Helper()
	return started(tb, wire.ExecConfig{Command: command, Config: map[string]string{"file": file}})
}

func started(tb testing.TB, cfg wire.ExecConfig) *wire.Adapter {
	tb.Helper()
	a, err := wire.Exec(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close(tb.Context()) }) // which has ended: the program is, too
	return a
}

func TestConformanceOfPrograms(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{"go": wiretest.Go(t), "python": wiretest.Python(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, targettest.Harness{New: func(tb testing.TB) targettest.App {
				file := filepath.Join(tb.TempDir(), "people")
				open := func(tb testing.TB) target.Adapter { return program(tb, command, file) }
				return targettest.App{Adapter: open(tb), Reopen: open}
			}})
		})
	}
}

func TestConformanceOfAReceiver(t *testing.T) {
	t.Parallel()
	command := wiretest.Go(t)
	targettest.Run(t, targettest.Harness{
		New: func(tb testing.TB) targettest.App {
			r := wiretest.NewReceiver(tb, command, filepath.Join(tb.TempDir(), "people"))
			open := func(tb testing.TB) target.Adapter { return webhook(tb, r, wiretest.Secret("first")) }
			return targettest.App{Adapter: open(tb), Reopen: open}
		},
		Quirky: func(tb testing.TB, quirk targettest.Quirk) targettest.App {
			r := wiretest.NewReceiver(tb, command, filepath.Join(tb.TempDir(), "people"))
			switch quirk {
			case targettest.Busy:
				r.Break(busy())
			case targettest.OddForEve:
				r.Break(func(w http.ResponseWriter, m wiretest.Message, _ func() []byte) bool {
					if !strings.Contains(m.Body, "eve") {
						return false
					}
					_, _ = w.Write([]byte("<html>blocked</html>"))
					return true
				})
			default:
				return targettest.App{}
			}
			return targettest.App{Adapter: webhook(tb, r, wiretest.Secret("first"))}
		},
	})
}

// busy refuses every other update for being asked too often.
func busy() func(http.ResponseWriter, wiretest.Message, func() []byte) bool {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, m wiretest.Message, _ func() []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if n++; m.Method != "update" || n%2 == 0 {
			return false
		}
		w.Header().Set("Retry-After", "0.01")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
}

func transport(tb testing.TB, r *wiretest.Receiver) *target.Transport {
	tb.Helper()
	t, err := target.NewTransport(target.TransportConfig{CAFile: r.CAFile, NoRedirects: true, Backoff: time.Millisecond, Timeout: 5 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func webhook(tb testing.TB, r *wiretest.Receiver, secret string) *wire.Adapter {
	tb.Helper()
	cfg := wire.WebhookConfig{URL: r.URL, Secret: func() (string, error) { return secret, nil }}
	a, err := wire.Webhook(cfg, transport(tb, r))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}
