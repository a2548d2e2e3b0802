package subscriptions

import (
	"errors"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A step is what is to be done about a subscription.
type step string

const (
	nothing step = ""
	create  step = "create"
	renew   step = "renew"
	end     step = "end"
)

// The notifications of a subscription's life ("Reduce missing subscriptions and change notifications").
const (
	reauthorizationRequired = "reauthorizationRequired"
	subscriptionRemoved     = "subscriptionRemoved"
	missed                  = "missed"
)

// decide says what is to be done about a subscription as it stands: r is the zero record of its tenant and stream when there
// is none. url is where notifications are to go, "" when there are to be none.
func decide(r *state.Subscription, url string, now time.Time) step {
	waits := now.Before(r.NextTry)
	switch {
	case url == "" && r.URL == "":
		return nothing
	case url == "":
		return unless(waits, end)
	case r.URL != url: // also when there is none: what was tried at another address says nothing
		return create
	case waits:
		return nothing
	case r.ID == "", !now.Before(r.Expires), r.Asked == subscriptionRemoved:
		return create
	case r.Asked == reauthorizationRequired, !now.Before(halfLife(r)), r.Silent.After(r.Renewed):
		return renew // of a silent one it shows whether Graph still has it
	}
	return nothing
}

func unless(waits bool, s step) step {
	if waits {
		return nothing
	}
	return s
}

// halfLife is when a subscription is renewed: two weeks are left to try again.
func halfLife(r *state.Subscription) time.Time { return r.Renewed.Add(r.Expires.Sub(r.Renewed) / 2) }

const (
	firstBackoff   = time.Minute
	limitBackoff   = time.Hour // what another app has to change
	longestBackoff = 6 * time.Hour
)

// backoff is how long after so many failures in a row the next attempt comes.
func backoff(failures int, err error) time.Duration {
	first := firstBackoff
	var e *graphsync.Error
	if errors.As(err, &e) {
		if e.Class == graphsync.SubscriptionLimit {
			first = limitBackoff
		}
		first = max(first, e.RetryAfter)
	}
	wait := first
	for range failures - 1 {
		if wait *= 2; wait >= longestBackoff {
			break
		}
	}
	return min(wait, longestBackoff)
}

// silentAfter is how many reads in a row have to find changes without a notification.
const silentAfter = 3

// A read is one of a stream, as far as its notifications are judged by it.
type read struct {
	before time.Time // when the stream was read the time before
	at     time.Time
}

// judge notes that a read found changes. It reports whether the subscription is from now on one that delivers nothing:
// several reads in a row found changes, the first of them longer ago than a notification may take, and none came.
func judge(r *state.Subscription, found read, expectWithin time.Duration) (silent bool) {
	if r.ID == "" || found.before.Before(r.Renewed) || r.Delivered.After(found.before) {
		r.Unseen, r.UnseenSince = 0, time.Time{}
		return false
	}
	if r.Unseen++; r.UnseenSince.IsZero() {
		r.UnseenSince = found.at
	}
	if r.Unseen < silentAfter || found.at.Sub(r.UnseenSince) < expectWithin || !r.Silent.IsZero() {
		return false
	}
	r.Silent = found.at
	return true
}
