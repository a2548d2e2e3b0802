package subscriptions

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"time"

	"entrasync/graphsync"
)

// Bounds of what is received.
const (
	longestToken = 4 << 10
	longestBody  = 1 << 20
)

// Handler receives what Graph posts. Anyone who knows the address can post to it, so that nothing is told apart in the answer:
// a notification that fits no subscription gets the same 202 as one that does.
func (s *Subscriptions) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); query.Has("validationToken") {
			s.validate(w, query.Get("validationToken"))
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
		if err != nil {
			s.counts.refused.Add(1)
			status := http.StatusBadRequest
			if errors.As(err, new(*http.MaxBytesError)) {
				status = http.StatusRequestEntityTooLarge
			}
			w.WriteHeader(status)
			return
		}
		var posted struct {
			Value []notification `json:"value"`
		}
		if json.Unmarshal(body, &posted) != nil {
			s.counts.refused.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.receive(posted.Value)
		w.WriteHeader(http.StatusAccepted)
	})
}

// validate echoes what Graph sends to see that the address belongs to the app ("Endpoint validation"). The text is escaped because
// the request may come from anyone: it must not become a page.
func (s *Subscriptions) validate(w http.ResponseWriter, token string) {
	if token == "" || len(token) > longestToken {
		s.counts.refused.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.counts.validated.Add(1)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, html.EscapeString(token))
}

// A notification is what is read of one: the rest is not believed, and so not read.
type notification struct {
	Tenant       string `json:"tenantId"`
	Subscription string `json:"subscriptionId"`
	Secret       string `json:"clientState"`
	Lifecycle    string `json:"lifecycleEvent"`
}

// receive takes the notifications that have the secret of a subscription as hints, each subscription once.
func (s *Subscriptions) receive(all []notification) {
	hints := map[key]bool{}
	wake := false
	for i := range all {
		k, ok := s.match(&all[i])
		if !ok {
			s.counts.refused.Add(1)
			continue
		}
		s.counts.accepted.Add(1)
		hints[k] = true
		wake = s.mark(k, all[i].Lifecycle) || wake
	}
	if wake {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	for k := range hints {
		s.Hint(k.tenant, k.stream)
	}
}

// match finds the subscription that a notification is of: by its tenant, its secret, and its id as far as that is known.
func (s *Subscriptions) match(n *notification) (found key, ok bool) {
	tenant, err := graphsync.ParseID(n.Tenant)
	if err != nil {
		return key{}, false
	}
	secret := sha256.Sum256([]byte(n.Secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range streams {
		k := key{tenant, stream}
		known := s.known[k]
		if subtle.ConstantTimeCompare(known.Secret, secret[:]) == 1 && (known.ID == "" || known.ID == n.Subscription) {
			found, ok = k, true
		}
	}
	return found, ok
}

// mark notes what came, and reports whether it is to be written soon: what asks for something, and a delivery when the last one that
// was written is a while ago.
func (s *Subscriptions) mark(k key, lifecycle string) (soon bool) {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.marks[k]
	switch lifecycle {
	case reauthorizationRequired, subscriptionRemoved:
		m.asked, soon = lifecycle, true
	default: // also missed, which asks for a read
		soon = now.Sub(s.known[k].Delivered) > writeEvery && now.Sub(m.delivered) > writeEvery
		m.delivered = now.UTC().Truncate(time.Millisecond)
	}
	s.marks[k] = m
	return soon
}
