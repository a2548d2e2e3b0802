package notify

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entrasync/state"
)

// What is known of a tenant is not that of a tenant whose name begins alike.
func TestScopesThatBeginAlike(t *testing.T) {
	t.Parallel()
	queue := &Queue{News: open(t, filepath.Join(t.TempDir(), "state")).News(), Routes: []Route{{Name: "ops"}}}
	queued := func() (n int) {
		err := queue.News.View(func(tx state.NewsTx) error {
			for range tx.Records(eventPrefix) {
				n++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 3 {
		for _, tenant := range []string{"con", "contoso", "contoso-2"} {
			scope := "front/" + tenant
			if err := queue.Observe(scope, noon, []Condition{{Key: scope + "/failing", Mark: "x", Event: Event{Type: Failing, Severity: Critical, Tenant: tenant}},
				{Key: scope, Mark: "y", Event: Event{Type: Credential, Severity: Warning, Tenant: tenant}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if queued() != 6 {
		t.Errorf("%d events are queued, want 2 of each tenant", queued())
	}
	if err := queue.Observe("front/con", noon, nil); err != nil {
		t.Fatal(err)
	}
	if queued() != 7 {
		t.Errorf("%d events are queued, want one more: con has recovered", queued())
	}
}

// A gate is a receiver that lets a delivery wait.
type gate struct {
	mu      sync.Mutex // guards ids
	ids     []string
	arrived chan string
	answer  chan error
}

func (g *gate) Send(ctx context.Context, m *Message) error {
	g.mu.Lock()
	g.ids = append(g.ids, m.ID)
	g.mu.Unlock()
	g.arrived <- m.ID
	select {
	case err := <-g.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Of workers that share the state one sends a message. When it dies while it sends, another one does, under the same id.
func TestWorkersShareDeliveries(t *testing.T) {
	t.Parallel()
	store := open(t, filepath.Join(t.TempDir(), "state"))
	receiver := &gate{arrived: make(chan string, 9), answer: make(chan error)}
	route := Route{Name: "ops"}
	worker := func(now *time.Time) *Deliverer {
		d := &Deliverer{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return *now }}
		d.Configure(&Queue{News: store.News(), Routes: []Route{route}, Shared: true}, []Channel{{Route: route, Sender: receiver}})
		return d
	}
	now := noon
	first, second := worker(&now), worker(&now)
	first.Observe("service/reload_refused", []Condition{{Key: "service/reload_refused", Mark: "x", Event: Event{Type: ReloadRefused, Severity: Critical, At: noon}}})
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); first.Deliver(ctx) }()
	id := <-receiver.arrived

	second.Deliver(t.Context()) // returns at once: the first one is sending
	kill()
	<-ended
	second.Deliver(t.Context())
	if len(receiver.ids) != 1 {
		t.Fatalf("sent %d times before the claim has ended", len(receiver.ids))
	}
	now = now.Add(2*sendTime + time.Second)
	go func() { receiver.answer <- nil }()
	second.Deliver(t.Context())
	if again := <-receiver.arrived; again != id {
		t.Errorf("sent again as %s, want %s", again, id)
	}
	now = now.Add(time.Hour)
	first.Deliver(t.Context())
	second.Deliver(t.Context())
	if len(receiver.ids) != 2 || second.queue.Waiting() != 0 {
		t.Errorf("sent %d times, %d wait", len(receiver.ids), second.queue.Waiting())
	}
}

// A message that was refused waits for its retry also where workers share the state.
func TestSharedRetry(t *testing.T) {
	t.Parallel()
	now := noon
	receiver := &gate{arrived: make(chan string, 9), answer: make(chan error, 9)}
	route := Route{Name: "ops"}
	d := &Deliverer{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	d.Configure(&Queue{News: open(t, filepath.Join(t.TempDir(), "state")).News(), Routes: []Route{route}, Shared: true}, []Channel{{Route: route, Sender: receiver}})
	d.Observe("service/reload_refused", []Condition{{Key: "service/reload_refused", Mark: "x", Event: Event{Type: ReloadRefused, Severity: Critical, At: noon}}})
	receiver.answer <- errors.New("no")
	d.Deliver(t.Context())
	now = now.Add(firstRetry + time.Second)
	receiver.answer <- nil
	d.Deliver(t.Context())
	if len(receiver.ids) != 2 || receiver.ids[0] != receiver.ids[1] || d.queue.Waiting() != 0 {
		t.Errorf("sent as %v, %d wait", receiver.ids, d.queue.Waiting())
	}
}
