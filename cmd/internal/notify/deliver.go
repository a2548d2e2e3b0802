package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// How a delivery is tried again: the wait doubles from the first to the longest, and ends after giveUp.
const (
	firstRetry   = 5 * time.Second
	longestRetry = time.Hour
	giveUp       = 7 * 24 * time.Hour
)

// A Channel is a way to people or to another program.
type Channel struct {
	Route
	Sender Sender
	Window time.Duration // events within it are one message, and at most one message is made in it
}

// A Deliverer delivers what a queue holds.
type Deliverer struct {
	Log *slog.Logger
	Now func() time.Time

	mu       sync.Mutex // protects the rest
	queue    *Queue
	channels []Channel
	packed   map[string]time.Time // by channel: when a message was made last
	problems map[string]string    // by channel: why the last delivery failed
}

// Configure has events delivered to other channels from now on.
func (d *Deliverer) Configure(queue *Queue, channels []Channel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue, d.channels = queue, channels
	if d.packed == nil {
		d.packed, d.problems = map[string]time.Time{}, map[string]string{}
	}
}

// Observe queues what a cycle or another part of the service has to report.
func (d *Deliverer) Observe(scope string, conditions []Condition, happened ...Event) {
	d.mu.Lock()
	queue := d.queue
	d.mu.Unlock()
	if queue == nil || len(queue.Routes) == 0 {
		return
	}
	if err := queue.Observe(scope, d.Now(), conditions, happened...); err != nil {
		d.Log.Error("keep what is to be reported", "error", err)
	}
}

// Cycle queues what the end of a cycle has to report. One that could not run says nothing of what is held or skipped.
func (d *Deliverer) Cycle(o Outcome) {
	if o.Err == nil {
		d.Observe(o.scope(), o.conditions(), o.happened()...)
		return
	}
	for _, kind := range []string{Failing, Consent} {
		var of []Condition
		for _, c := range o.conditions() {
			if c.Type == kind {
				of = append(of, c)
			}
		}
		d.Observe(o.scope()+"/"+kind, of)
	}
}

// Run delivers until ctx ends.
func (d *Deliverer) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		d.Deliver(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Deliver makes messages of what waits long enough, and sends those that are due. A channel that does not answer does
// not keep others waiting.
func (d *Deliverer) Deliver(ctx context.Context) {
	d.mu.Lock()
	queue, channels := d.queue, d.channels
	d.mu.Unlock()
	if queue == nil {
		return
	}
	var sending sync.WaitGroup
	for i := range channels {
		sending.Go(func() { d.channel(ctx, queue, &channels[i]) })
	}
	sending.Wait()
}

func (d *Deliverer) channel(ctx context.Context, queue *Queue, c *Channel) {
	now := d.Now()
	d.mu.Lock()
	last := d.packed[c.Name]
	d.mu.Unlock()
	if oldest := queue.oldest(c.Name); !oldest.IsZero() && now.Sub(oldest) >= c.Window && now.Sub(last) >= c.Window {
		if err := queue.Pack(c.Name, now); err != nil {
			d.Log.Error("keep what is to be reported", "channel", c.Name, "error", err)
			return
		}
		d.mu.Lock()
		d.packed[c.Name] = now
		d.mu.Unlock()
	}
	for _, m := range queue.messages(c.Name) {
		if ctx.Err() != nil {
			return
		}
		if m.Next.After(now) {
			continue
		}
		if d.send(ctx, queue, c, m) != nil {
			return // the others wait for the same receiver
		}
	}
}

func (d *Deliverer) send(ctx context.Context, queue *Queue, c *Channel, m queued) error {
	if mine, err := queue.claim(c.Name, m.ID, d.Now()); err != nil || !mine {
		return d.kept(err)
	}
	err := c.Sender.Send(ctx, &m.Message)
	if ctx.Err() != nil && err != nil {
		return err // it is sent again by the next start
	}
	d.mu.Lock()
	delete(d.problems, c.Name)
	if err != nil {
		d.problems[c.Name] = err.Error()
	}
	d.mu.Unlock()
	if err == nil {
		d.Log.Info("reported", "channel", c.Name, "id", m.ID, "events", len(m.Events))
		return d.kept(queue.done(c.Name, m.ID))
	}
	now := d.Now()
	m.Attempts++
	m.Next, m.Error = now.Add(RetryWait(m.Attempts)), err.Error()
	if now.Sub(m.Since) > giveUp {
		d.Log.Error("not reported: given up after a week", "channel", c.Name, "id", m.ID, "events", len(m.Events), "error", err)
		return d.kept(queue.done(c.Name, m.ID))
	}
	d.Log.Warn("not reported; it is tried again", "channel", c.Name, "id", m.ID, "error", err, "next", m.Next.UTC().Format(time.RFC3339), "hint", "see that the channel works with: entrasync notify test "+c.Name)
	_ = d.kept(queue.failed(c.Name, m))
	return err
}

func (d *Deliverer) kept(err error) error {
	if err != nil {
		d.Log.Error("keep what was reported", "error", err)
	}
	return err
}

// RetryWait is how long a message waits after so many failures.
func RetryWait(attempts int) time.Duration {
	wait := firstRetry
	for range attempts - 1 {
		if wait *= 2; wait >= longestRetry {
			return longestRetry
		}
	}
	return wait
}

// Problems returns why the last delivery to each channel failed.
func (d *Deliverer) Problems() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]string{}
	for name, problem := range d.problems {
		out[name] = problem
	}
	return out
}
