package subscriptions

import (
	"errors"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

const here = "https://sync.example.com/consent/notifications"

func TestDecide(t *testing.T) {
	t.Parallel()
	stands := state.Subscription{ID: "1", URL: here, Renewed: noon, Expires: noon.Add(lifetime)}
	with := func(change func(*state.Subscription)) state.Subscription {
		r := stands
		change(&r)
		return r
	}
	later := noon.Add(time.Hour)
	for name, c := range map[string]struct {
		r    state.Subscription
		url  string
		now  time.Time
		want step
	}{
		"none, and none wanted":                  {state.Subscription{}, "", noon, nothing},
		"none, and one wanted":                   {state.Subscription{}, here, noon, create},
		"as it should be":                        {stands, here, later, nothing},
		"just before half of its life":           {stands, here, noon.Add(lifetime/2 - time.Second), nothing},
		"half of its life is over":               {stands, here, noon.Add(lifetime / 2), renew},
		"it has expired":                         {stands, here, noon.Add(lifetime), create},
		"no longer wanted":                       {stands, "", later, end},
		"no longer wanted, tried in vain":        {with(func(r *state.Subscription) { r.NextTry = later.Add(1) }), "", later, nothing},
		"another address":                        {with(func(r *state.Subscription) { r.NextTry = later.Add(1) }), here + "/", later, create},
		"Graph has removed it":                   {with(func(r *state.Subscription) { r.Asked = subscriptionRemoved }), here, later, create},
		"an authorization is asked for":          {with(func(r *state.Subscription) { r.Asked = reauthorizationRequired }), here, later, renew},
		"the same, tried in vain a moment ago":   {with(func(r *state.Subscription) { r.Asked, r.NextTry = reauthorizationRequired, later.Add(1) }), here, later, nothing},
		"not made yet":                           {with(func(r *state.Subscription) { r.ID = "" }), here, later, create},
		"not made, and to be tried later":        {with(func(r *state.Subscription) { r.ID, r.NextTry = "", later.Add(1) }), here, later, nothing},
		"not made, and to be tried now":          {with(func(r *state.Subscription) { r.ID, r.NextTry = "", later }), here, later, create},
		"silent since it was renewed":            {with(func(r *state.Subscription) { r.Silent = noon.Add(1) }), here, later, renew},
		"silent, and renewed since then already": {with(func(r *state.Subscription) { r.Silent = noon.Add(-1) }), here, later, nothing},
	} {
		if got := decide(&c.r, c.url, c.now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	limit := &graphsync.Error{Class: graphsync.SubscriptionLimit}
	asked := &graphsync.Error{Class: graphsync.Throttled, RetryAfter: 90 * time.Minute}
	for _, c := range []struct {
		failures int
		err      error
		want     time.Duration
	}{
		{1, errors.New("some"), time.Minute}, {2, errors.New("some"), 2 * time.Minute}, {5, errors.New("some"), 16 * time.Minute},
		{100, errors.New("some"), 6 * time.Hour}, {1, limit, time.Hour}, {2, limit, 2 * time.Hour}, {9, limit, 6 * time.Hour}, {1, asked, 90 * time.Minute},
	} {
		if got := backoff(c.failures, c.err); got != c.want {
			t.Errorf("after %d times %v: %s, want %s", c.failures, c.err, got, c.want)
		}
	}
}

// A subscription is silent when three reads in a row found changes of which no notification came, for as long as one may take.
func TestJudge(t *testing.T) {
	t.Parallel()
	minute := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	reads := func(r *state.Subscription, minutes ...int) (silent []int) {
		for i, m := range minutes {
			before := minute(m - 2)
			if i > 0 {
				before = minute(minutes[i-1])
			}
			if judge(r, read{before: before, at: minute(m)}, 15*time.Minute) {
				silent = append(silent, m)
			}
		}
		return silent
	}
	r := state.Subscription{ID: "1", Renewed: noon.Add(-time.Hour)}
	if got := reads(&r, 2, 4, 6, 8, 16); got != nil {
		t.Errorf("silent in minutes %v, when a notification may still come", got)
	}
	if got := reads(&r, 18, 20); len(got) != 1 || got[0] != 18 {
		t.Errorf("silent in minutes %v, want 18 alone: it is reported once", got)
	}
	few := state.Subscription{ID: "1", Renewed: noon.Add(-time.Hour)}
	if got := reads(&few, 2, 40); got != nil {
		t.Errorf("silent in minutes %v after two reads", got)
	}
	delivers := state.Subscription{ID: "1", Renewed: noon.Add(-time.Hour)}
	reads(&delivers, 2, 4, 6)
	delivers.Delivered = minute(7)
	if got := reads(&delivers, 8, 30); got != nil || delivers.Unseen != 1 {
		t.Errorf("silent in minutes %v although one came in minute 7, %d unseen", got, delivers.Unseen)
	}
	fresh := state.Subscription{ID: "1", Renewed: minute(30)} // what changed before it was made is none of it
	if got := reads(&fresh, 2, 20, 31); got != nil || fresh.Unseen != 0 {
		t.Errorf("silent in minutes %v before it was made", got)
	}
}
