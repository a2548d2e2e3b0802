package msgraph_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// A receiver is a public address at which notifications arrive.
type receiver struct {
	*httptest.Server
	got chan notification
	say func(token string) string
}

type notification struct {
	Value []struct {
		ID        string `json:"subscriptionId"`
		Secret    string `json:"clientState"`
		Change    string `json:"changeType"`
		Resource  string `json:"resource"`
		Tenant    string `json:"tenantId"`
		Lifecycle string `json:"lifecycleEvent"`
	} `json:"value"`
}

func receive(t *testing.T) *receiver {
	r := &receiver{got: make(chan notification, 100), say: func(token string) string { return token }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if token := q.URL.Query().Get("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, r.say(token))
			return
		}
		var n notification
		if json.NewDecoder(q.Body).Decode(&n) == nil {
			r.got <- n
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) next(t *testing.T) notification {
	t.Helper()
	select {
	case n := <-r.got:
		return n
	case <-time.After(20 * time.Second):
		t.Fatal("no notification came")
		return notification{}
	}
}

// A subscription is made, delivers, is renewed and ends, by both sources of the emulator.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{Permissions: append(graphtest.DefaultPermissions(), "Group.Read.All")})
	for name, source := range map[string]graphsync.Subscriber{"over HTTP": w.open(t).Subscriptions(), "in process": w.server.Source(w.tenant.ID(), w.app.ClientID, w.app.Secret).Subscriptions()} {
		r := receive(t)
		soon := time.Now().Add(time.Hour).Truncate(time.Second)
		made, err := source.Subscribe(t.Context(), graphsync.NewSubscription{Stream: graphsync.Users, URL: r.URL + "/here", Secret: "s3cret", Expires: soon})
		if err != nil || made.ID == "" || made.Stream != graphsync.Users || !made.Expires.Equal(soon) || made.URL != r.URL+"/here" {
			t.Fatalf("%s: made %+v, %v", name, made, err)
		}
		user := w.tenant.AddUser(graphtest.Props{})
		n := r.next(t)
		if len(n.Value) != 1 || n.Value[0].ID != made.ID || n.Value[0].Secret != "s3cret" || n.Value[0].Change != "updated" || n.Value[0].Resource != "Users/"+user.String() || n.Value[0].Tenant != w.tenant.ID().String() {
			t.Errorf("%s: the notification of a new user is %+v", name, n)
		}
		w.tenant.Purge(user)
		if n := r.next(t); n.Value[0].Change != "deleted" {
			t.Errorf("%s: the notification of a purge is %+v", name, n)
		}
		later := soon.Add(48 * time.Hour)
		if renewed, err := source.Renew(t.Context(), made.ID, later); err != nil || !renewed.Expires.Equal(later) {
			t.Errorf("%s: renewed %+v, %v", name, renewed, err)
		}
		if all, err := source.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != made.ID || !all[0].Expires.Equal(later) || all[0].Stream != graphsync.Users {
			t.Errorf("%s: listed %+v, %v", name, all, err)
		}
		for range 2 { // one that has ended is no error
			if err := source.Unsubscribe(t.Context(), made.ID); err != nil {
				t.Errorf("%s: ended: %v", name, err)
			}
		}
		if _, err := source.Renew(t.Context(), made.ID, later); !errors.Is(err, graphsync.ErrNoSubscription) {
			t.Errorf("%s: renewal of none: %v", name, err)
		}
	}
}

// What keeps a subscription from being made is said, and in time.
func TestSubscriptionsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *world, r *receiver, wanted *graphsync.NewSubscription)
		class  graphsync.Class
		says   string
	}{
		"an address that does not echo": {func(_ *world, r *receiver, _ *graphsync.NewSubscription) { r.say = strings.ToUpper }, graphsync.Configuration, "must exactly match"},
		"an address without TLS":        {func(_ *world, _ *receiver, s *graphsync.NewSubscription) { s.URL = "http://sync.example.com/" }, graphsync.Configuration, "valid HTTPS address"},
		"too far an end": {func(_ *world, _ *receiver, s *graphsync.NewSubscription) {
			s.Expires = time.Now().Add(30 * 24 * time.Hour)
		}, graphsync.Configuration, "41760 minutes"},
		"groups without their permission": {func(_ *world, _ *receiver, s *graphsync.NewSubscription) { s.Stream = graphsync.Groups }, graphsync.PermissionMissing, "Group.Read.All"},
		"the limit of subscriptions": {func(w *world, _ *receiver, _ *graphsync.NewSubscription) {
			w.server.Fault(graphtest.SubscriptionLimit(http.StatusForbidden).On("/v1.0/subscriptions").Always())
		}, graphsync.SubscriptionLimit, "as many subscriptions"},
		"the limit, as 429": {func(w *world, _ *receiver, _ *graphsync.NewSubscription) {
			w.server.Fault(graphtest.SubscriptionLimit(http.StatusTooManyRequests).On("/v1.0/subscriptions").Always())
		}, graphsync.SubscriptionLimit, "as many subscriptions"},
		"throttling that lasts": {func(w *world, _ *receiver, _ *graphsync.NewSubscription) {
			w.server.Fault(graphtest.Throttle("600").On("/v1.0/subscriptions").Always())
		}, graphsync.Throttled, "slow down"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
			r := receive(t)
			wanted := graphsync.NewSubscription{Stream: graphsync.Users, URL: r.URL, Secret: "s3cret", Expires: time.Now().Add(time.Hour)}
			c.change(w, r, &wanted)
			began := time.Now()
			_, err := w.open(t).Subscriptions().Subscribe(t.Context(), wanted)
			e := (*graphsync.Error)(nil)
			if !errors.As(err, &e) || e.Class != c.class || !strings.Contains(e.Error()+e.Hint, c.says) {
				t.Errorf("refused with %v", err)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("the refusal took %s", took)
			}
		})
	}
}
