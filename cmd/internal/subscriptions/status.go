package subscriptions

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// The states of a subscription. Their words are part of --json.
const (
	Active  = "active"
	Pending = "pending" // not made yet
	Failed  = "failed"  // could not be made or renewed, and what there was has ended
	Silent  = "silent"  // delivers nothing
)

// A Status is how a subscription stands.
type Status struct {
	Stream    graphsync.Stream `json:"stream"`
	State     string           `json:"state"`
	Message   string           `json:"message,omitempty"` // what is wrong, and what follows from it
	Hint      string           `json:"hint,omitempty"`
	Expires   *time.Time       `json:"expires,omitempty"`
	Delivered *time.Time       `json:"last_notification,omitempty"`
	NextTry   *time.Time       `json:"next_try,omitempty"`
}

// StatusOf says how a subscription stands.
func StatusOf(r state.Subscription, now time.Time) Status {
	s := Status{Stream: r.Stream, State: Active, Hint: r.Hint, Expires: present(r.Expires), Delivered: present(r.Delivered), NextTry: present(r.NextTry)}
	lives := r.ID != "" && now.Before(r.Expires)
	switch {
	case r.Problem != "" && !lives:
		s.State, s.Message = Failed, r.Problem+"; the schedule finds what notifications would have hastened"
	case r.Problem != "":
		s.Message = fmt.Sprintf("it could not be renewed and ends on %s: %s", r.Expires.UTC().Format(time.DateOnly), r.Problem)
	case !lives:
		s.State = Pending
	case !r.Silent.IsZero():
		s.State, s.Message = Silent, "changes were read of which no notification came; the schedule finds them"
		s.Hint = "see that Graph reaches " + r.URL
	}
	return s
}

func present(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Of returns how the subscriptions of each tenant stand, from the state.
func Of(store state.Subscriptions, now time.Time) (map[graphsync.ID][]Status, error) {
	all, err := store.All()
	if err != nil {
		return nil, err
	}
	by := map[graphsync.ID][]Status{}
	for _, r := range all {
		by[r.Tenant] = append(by[r.Tenant], StatusOf(r, now))
	}
	for _, of := range by {
		slices.SortFunc(of, func(a, b Status) int { return -strings.Compare(string(a.Stream), string(b.Stream)) }) // users first
	}
	return by, nil
}

// Line is a status in one line for people.
func (s Status) Line() string {
	line := fmt.Sprintf("%s: %s", s.Stream, s.State)
	if s.Message != "" {
		line += ": " + s.Message
	}
	return line
}
