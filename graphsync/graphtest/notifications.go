package graphtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entrasync/graphsync"
)

// A Delivery says how change notifications travel. The zero value is once, in order, about a tenth of a second after
// the change. Graph promises none of that.
type Delivery struct {
	Delay   time.Duration // each comes that much later
	Copies  int           // each comes that often; 0 is once
	Lost    bool          // none comes
	Reverse bool          // those of half a second come one by one, the last one first
}

const (
	gathered      = 100 * time.Millisecond // changes of that time come in one notification
	gatheredLong  = 500 * time.Millisecond
	validateIn    = 10 * time.Second // the answer to a validation request ("Endpoint validation")
	deliverIn     = 3 * time.Second  // the answer to a notification ("Process the change notification")
	longestAnswer = 4 << 10
)

// A Sent is a notification that the server has posted, or tried to.
type Sent struct {
	URL    string
	Status int // 0 without an answer
	Err    error
	Took   time.Duration
}

// notifier holds the subscriptions of all tenants and posts their notifications.
type notifier struct {
	now    func() time.Time
	client *http.Client
	active atomic.Int64 // how many subscriptions there are: an edit without any costs nothing

	mu            sync.Mutex // guards the rest
	subscriptions []*subscription
	made          int
	delivery      Delivery
	waiting       map[*subscription][]map[string]any // changes that are being gathered
	sent          []Sent
}

func (n *notifier) init(opts Options) {
	transport := opts.Deliver
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.Proxy = nil
		own.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		transport = own
	}
	n.now, n.waiting = opts.Now, map[*subscription][]map[string]any{}
	n.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Deliver has notifications of changes that follow travel in another way.
func (s *Server) Deliver(d Delivery) {
	s.notifier.mu.Lock()
	defer s.notifier.mu.Unlock()
	s.notifier.delivery = d
}

// Sent returns the notifications that were posted since the server began, forged ones included.
func (s *Server) Sent() []Sent {
	s.notifier.mu.Lock()
	defer s.notifier.mu.Unlock()
	return slices.Clone(s.notifier.sent)
}

// Notifications are the subscriptions of all apps to a tenant, and what is posted to them in addition to changes.
type Notifications struct{ tenant *Tenant }

// Notifications returns those of the tenant.
func (t *Tenant) Notifications() Notifications { return Notifications{t} }

// Subscriptions returns the streams that the apps of a tenant are subscribed to, sorted, with the end of each.
func (of Notifications) Subscriptions() (all []graphsync.Subscription) {
	t := of.tenant
	for _, s := range t.s.notifier.all(t.s.opts.Now()) {
		if s.tenant == t {
			all = append(all, graphsync.Subscription{ID: s.id, Stream: s.stream, URL: s.url, Expires: s.expires})
		}
	}
	slices.SortFunc(all, func(a, b graphsync.Subscription) int { return strings.Compare(string(a.Stream), string(b.Stream)) })
	return all
}

// Lifecycle posts a notification of a subscription's life for each subscription of the tenant: reauthorizationRequired,
// subscriptionRemoved, which removes it first, or missed.
func (of Notifications) Lifecycle(event string) {
	t := of.tenant
	n := &t.s.notifier
	for _, s := range n.all(t.s.opts.Now()) {
		if s.tenant != t || s.life == "" {
			continue
		}
		n.mu.Lock()
		n.subscriptions = slices.DeleteFunc(n.subscriptions, func(o *subscription) bool {
			if o.id == s.id && event == "reauthorizationRequired" {
				o.reauthorize = true
			}
			return o.id == s.id && event == "subscriptionRemoved"
		})
		n.active.Store(int64(len(n.subscriptions)))
		n.mu.Unlock()
		n.post(s.life, collection(s.notice(map[string]any{"lifecycleEvent": event})))
	}
}

// Remove ends the subscriptions of the tenant without a word, as when they expire.
func (of Notifications) Remove() {
	t := of.tenant
	n := &t.s.notifier
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subscriptions = slices.DeleteFunc(n.subscriptions, func(o *subscription) bool { return o.tenant == t })
	n.active.Store(int64(len(n.subscriptions)))
}

// Forge posts notifications that Graph did not send, to each address that is subscribed for the tenant: with a wrong
// secret, of an unknown subscription, of an unknown tenant, and no notification at all. It returns how many there were.
func (of Notifications) Forge(times int) (posted int) {
	t := of.tenant
	n := &t.s.notifier
	for _, s := range n.all(t.s.opts.Now()) {
		if s.tenant != t {
			continue
		}
		right := s.changed(t.ID(), "updated")
		for range times {
			for _, wrong := range []map[string]any{
				{"clientState": "guessed"}, {"clientState": ""}, {"clientState": nil}, {"subscriptionId": newID("another").String(), "clientState": "guessed"},
				{"tenantId": newID("another tenant").String()}, {"lifecycleEvent": "missed", "clientState": "guessed"},
			} {
				forged := maps.Clone(right)
				maps.Copy(forged, wrong)
				n.post(s.url, collection(forged))
				posted++
			}
			n.post(s.url, []byte(`{"value":`))
			n.post(s.url, bytes.Repeat([]byte("x"), 2<<20))
			posted += 2
		}
	}
	return posted
}

// all returns copies of the subscriptions that have not expired: a renewal may change one at any time.
func (n *notifier) all(now time.Time) []*subscription {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(now)
	all := make([]*subscription, 0, len(n.subscriptions))
	for _, s := range n.subscriptions {
		one := *s
		all = append(all, &one)
	}
	return all
}

func (n *notifier) expire(now time.Time) {
	n.subscriptions = slices.DeleteFunc(n.subscriptions, func(s *subscription) bool { return !now.Before(s.expires) })
	n.active.Store(int64(len(n.subscriptions)))
}

func (n *notifier) of(t *Tenant, app string) (count int) {
	for _, s := range n.all(n.now()) {
		if s.tenant == t && s.app == app {
			count++
		}
	}
	return count
}

func (n *notifier) add(s *subscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made++
	s.id = newID("subscription", fmt.Sprint(n.made)).String()
	n.subscriptions = append(n.subscriptions, s)
	n.active.Store(int64(len(n.subscriptions)))
}

// What Graph says of an endpoint that does not validate.
const (
	mustRespond = "Notification endpoint must respond with 200 OK to validation request"
	mustBeText  = "The response must be text/plain"
	mustMatch   = "Response must exactly match validationToken query parameter"
)

// validate posts the request by which Graph sees that an address belongs to the app.
func (n *notifier) validate(ctx context.Context, address, id string) error {
	token := "Validation: Testing client application reachability for subscription Request-Id: " + id
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	query := u.Query()
	query.Set("validationToken", token)
	u.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, validateIn)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := n.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", mustRespond, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: it was %d", mustRespond, resp.StatusCode)
	case media != "text/plain":
		return fmt.Errorf("%s: it was %q", mustBeText, resp.Header.Get("Content-Type"))
	case string(body) != token:
		return errors.New(mustMatch)
	}
	return nil
}

// touched gathers a change for those who are subscribed to it.
func (n *notifier) touched(t *Tenant, stream graphsync.Stream, o *object) {
	if n.active.Load() == 0 {
		return
	}
	change := "updated"
	if o.state == purged {
		change = "deleted"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(n.now())
	for _, s := range n.subscriptions {
		if s.tenant != t || s.stream != stream || n.delivery.Lost || s.reauthorize || !slices.Contains(s.changes, change) {
			continue
		}
		entry := s.changed(o.id, change)
		if slices.ContainsFunc(n.waiting[s], func(w map[string]any) bool {
			return w["resource"] == entry["resource"] && w["changeType"] == change
		}) {
			continue
		}
		if n.waiting[s] = append(n.waiting[s], entry); len(n.waiting[s]) > 1 {
			continue
		}
		d := n.delivery
		window := gathered
		if d.Reverse {
			window = gatheredLong
		}
		time.AfterFunc(window+d.Delay, func() { n.deliver(s, d) })
	}
}

// deliver posts what was gathered for a subscription.
func (n *notifier) deliver(s *subscription, d Delivery) {
	n.mu.Lock()
	entries := n.waiting[s]
	delete(n.waiting, s)
	known := slices.Contains(n.subscriptions, s)
	n.mu.Unlock()
	if !known {
		return
	}
	batches := [][]map[string]any{entries}
	if d.Reverse {
		batches = nil
		for _, entry := range slices.Backward(entries) {
			batches = append(batches, []map[string]any{entry})
		}
	}
	for range max(d.Copies, 1) {
		for _, batch := range batches {
			n.post(s.url, collection(batch...))
		}
	}
}

func (n *notifier) post(address string, body []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), deliverIn)
	defer cancel()
	began := time.Now()
	sent := Sent{URL: address}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		var resp *http.Response
		if resp, err = n.client.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, longestAnswer))
			resp.Body.Close()
			sent.Status = resp.StatusCode
		}
	}
	sent.Err, sent.Took = err, time.Since(began)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sent) == maxRequests {
		n.sent = n.sent[maxRequests/2:]
	}
	n.sent = append(n.sent, sent)
}
