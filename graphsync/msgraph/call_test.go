package msgraph_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
)

// readUsers asks for the first page of users.
func readUsers(t *testing.T, s *msgraph.Source) (*graphsync.Page, error) {
	t.Helper()
	return s.DeltaPage(t.Context(), graphsync.Users, []string{"id"}, "")
}

func TestWaitsAndRepeats(t *testing.T) {
	t.Parallel()
	date := func(w http.ResponseWriter, r *http.Request) {
		answer(429, "", "Retry-After", time.Now().Add(42*time.Second).UTC().Format(http.TimeFormat))(w, r)
	}
	reset := func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) }
	refused := func(http.ResponseWriter, *http.Request) { panic(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}) }
	for name, test := range map[string]struct {
		before    []http.HandlerFunc
		wait      time.Duration // at least; at most a tenth and a second more
		throttled int64
	}{
		"seconds":            {[]http.HandlerFunc{answer(429, graphError("TooManyRequests", "slow"), "Retry-After", "17")}, 17 * time.Second, 1},
		"fraction":           {[]http.HandlerFunc{answer(429, "", "Retry-After", "2.5")}, 2500 * time.Millisecond, 1},
		"date":               {[]http.HandlerFunc{date}, 41 * time.Second, 1},
		"nonsense":           {[]http.HandlerFunc{answer(429, "", "Retry-After", "soon")}, time.Second, 1},
		"negative":           {[]http.HandlerFunc{answer(429, "", "Retry-After", "-5")}, time.Second, 1},
		"longer than 100 s":  {[]http.HandlerFunc{answer(429, "", "Retry-After", "150")}, 150 * time.Second, 1},
		"503 with a wait":    {[]http.HandlerFunc{answer(503, "<html>", "Retry-After", "30")}, 30 * time.Second, 1},
		"growing":            {[]http.HandlerFunc{answer(500, ""), answer(502, ""), answer(504, ""), answer(503, "")}, (1 + 2 + 4 + 8) * time.Second, 1},
		"refused for once":   {[]http.HandlerFunc{refused, refused}, 3 * time.Second, 0},
		"connection lost":    {[]http.HandlerFunc{reset, reset}, 3 * time.Second, 0},
		"body is not JSON":   {[]http.HandlerFunc{answer(200, `{"value":[{`), answer(200, "<html>")}, 3 * time.Second, 0},
		"many 429 in a row":  {[]http.HandlerFunc{answer(429, ""), answer(429, ""), answer(429, ""), answer(429, ""), answer(429, ""), answer(429, "")}, 63 * time.Second, 6},
		"unauthorized, once": {[]http.HandlerFunc{answer(401, graphError("InvalidAuthenticationToken", "expired"))}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &double{}
				s := d.open(t)
				d.graph = answer(200, emptyRound)
				if _, err := readUsers(t, s); err != nil { // a token that is not fresh
					t.Fatal(err)
				}
				d.graph = inTurn(append(test.before, answer(200, emptyRound))...)
				before := time.Now()
				if _, err := readUsers(t, s); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(before); waited < test.wait || waited > test.wait*11/10+time.Second {
					t.Errorf("waited %s, want %s", waited, test.wait)
				}
				if got := s.Traffic(); got.Throttled != test.throttled || got.Requests != int64(len(test.before)+2) {
					t.Errorf("traffic %+v, want %d throttled and %d requests", got, test.throttled, len(test.before)+2)
				}
			})
		})
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		graph    http.HandlerFunc
		class    graphsync.Class
		requests int64
		within   time.Duration
	}{
		"faults":                 {answer(500, ""), graphsync.Transient, 5, time.Minute},
		"lost connections":       {func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) }, graphsync.Transient, 5, time.Minute},
		"broken bodies":          {answer(200, `{"value":[`), graphsync.BadResponse, 3, time.Minute},
		"undocumented JSON":      {answer(200, `{"value":[]}`), graphsync.BadResponse, 1, 0},
		"throttled for too long": {answer(429, "", "Retry-After", "120"), graphsync.Throttled, 5, 11 * time.Minute},
		"throttled in a hurry":   {answer(429, "", "Retry-After", "0.001"), graphsync.Throttled, 18, 11 * time.Minute},
		"a wait beyond patience": {answer(429, "", "Retry-After", "7200"), graphsync.Throttled, 1, 0},
		"unauthorized twice":     {answer(401, graphError("InvalidAuthenticationToken", "no")), graphsync.Configuration, 1, 0},
		"redirect":               {answer(302, "", "Location", "https://evil.test/"), graphsync.BadResponse, 1, 0},
		"a slow answer":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic(r.Context().Err()) }, graphsync.Transient, 5, 11 * time.Minute},
		"too large":              {answer(200, `{"value":[`+strings.Repeat(" ", 2<<20)), graphsync.BadResponse, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &double{graph: test.graph}
				s := d.open(t, func(c *msgraph.Config) { c.MaxBody = 1 << 20 })
				before := time.Now()
				page, err := readUsers(t, s)
				e := explained(t, err, test.class)
				if page != nil {
					t.Error("a page next to the error")
				}
				if got := s.Traffic().Requests; got != test.requests {
					t.Errorf("%d requests, want %d", got, test.requests)
				}
				if took := time.Since(before); took > test.within {
					t.Errorf("took %s", took)
				}
				if name == "a wait beyond patience" && e.RetryAfter != 2*time.Hour {
					t.Errorf("retry after %s", e.RetryAfter)
				}
			})
		})
	}
}

// A host that has never answered is more likely misconfigured than passing through a problem.
func TestRefusedFromTheStart(t *testing.T) {
	t.Parallel()
	d := &double{graph: func(http.ResponseWriter, *http.Request) { panic(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}) }}
	s := d.open(t)
	_, err := readUsers(t, s)
	if explained(t, err, graphsync.Unreachable); s.Traffic().Requests != 1 {
		t.Errorf("%d requests", s.Traffic().Requests)
	}
}

// A body that trickles in is cut off by the limit on an attempt.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := graphtest.New(graphtest.Options{})
		tenant := server.AddTenant(graphtest.TenantSpec{})
		app, _ := tenant.App(graphtest.AppSpec{Secret: planted})
		tenant.Populate(graphtest.GenerateOptions{Users: 100})
		cloud, err := graphsync.CustomCloud(server.URL(), server.URL())
		if err != nil {
			t.Fatal(err)
		}
		s, err := msgraph.Open(msgraph.Config{Tenant: tenant.ID(), Cloud: cloud, HTTP: server.Transport(), Timeout: time.Minute,
			Credential: msgraph.Credential{ClientID: app.ClientID, Secret: func() (string, error) { return planted, nil }}})
		if err != nil {
			t.Fatal(err)
		}
		server.Fault(graphtest.SlowBody(30 * time.Second).On("/v1.0/users/delta").Always())
		before := time.Now()
		_, err = s.DeltaPage(t.Context(), graphsync.Users, []string{"id", "displayName"}, "")
		explained(t, err, graphsync.Transient)
		if took := time.Since(before); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("took %s for five attempts of a minute", took)
		}
		server.Reset()
		if _, err := s.DeltaPage(t.Context(), graphsync.Users, []string{"id", "displayName"}, ""); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestCancellationEndsAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := &double{graph: answer(429, "", "Retry-After", "300")}
		s := d.open(t)
		time.AfterFunc(3*time.Second, cancel)
		before := time.Now()
		_, err := s.DeltaPage(ctx, graphsync.Users, nil, "")
		if !errors.Is(err, context.Canceled) || time.Since(before) != 3*time.Second {
			t.Errorf("ended after %s with %v", time.Since(before), err)
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	const good = origin + "/v1.0/users/delta?$skiptoken=a+b%2Bc==&x=%7B1%7D"
	d := &double{graph: answer(200, emptyRound)}
	s := d.open(t)
	if _, err := s.DeltaPage(t.Context(), graphsync.Users, []string{"id"}, good); err != nil {
		t.Fatal(err)
	}
	if got := d.requests()[0].URL.String(); got != good {
		t.Errorf("followed %s, want %s verbatim", got, good)
	}
	for _, link := range []string{
		"http://graph.double.test/v1.0/users/delta", "https://graph.double.test:8443/v1.0/users/delta", "https://evil.test/v1.0/users/delta",
		"https://graph.double.test@evil.test/", "https://graph.double.test.evil.test/", "//graph.double.test/v1.0", "/v1.0/users/delta", "::",
	} {
		before, issued := len(d.requests()), d.issued()
		if _, err := s.DeltaPage(t.Context(), graphsync.Groups, nil, link); !errors.Is(err, graphsync.ErrForeignLink) {
			t.Errorf("%s: %v", link, err)
		}
		if len(d.requests()) != before || d.issued() != issued {
			t.Errorf("%s: something was sent", link)
		}
		// The same link in an answer, before it is stored.
		for _, name := range []string{"nextLink", "deltaLink"} {
			other := &double{graph: answer(200, `{"value":[],"@odata.`+name+`":`+quoteJSON(link)+`}`)}
			if page, err := readUsers(t, other.open(t)); !errors.Is(err, graphsync.ErrForeignLink) || page != nil {
				t.Errorf("%s %s: %v", name, link, err)
			}
		}
	}
	loop := &double{graph: answer(200, `{"value":[],"@odata.nextLink":`+quoteJSON(good)+`}`)}
	_, err := loop.open(t).DeltaPage(t.Context(), graphsync.Users, nil, good)
	explained(t, err, graphsync.BadResponse)
}

func TestResync(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"410 without a body": answer(410, "", "Location", origin+"/v1.0/users/delta?$deltatoken="),
		"410 to elsewhere":   answer(410, graphError("resyncRequired", "x"), "Location", "https://evil.test/"),
		"400":                answer(400, graphError("syncStateNotFound", "The sync state generation is not found.")),
		"404":                answer(404, graphError("SyncStateInvalid", "x")),
	} {
		d := &double{graph: handler}
		if _, err := readUsers(t, d.open(t)); !errors.Is(err, graphsync.ErrResync) || len(d.requests()) != 1 {
			t.Errorf("%s: %v after %d requests", name, err, len(d.requests()))
		}
	}
	d := &double{graph: answer(400, graphError("Request_UnsupportedQuery", "x"))}
	if _, err := readUsers(t, d.open(t)); errors.Is(err, graphsync.ErrResync) {
		t.Error("any 400 begins a new round")
	}
}

// A refusal renews the token, in case consent is younger, but not again and again.
func TestForbidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &double{graph: answer(200, emptyRound), roles: []string{"User.Read.All"}}
		s := d.open(t)
		if _, err := readUsers(t, s); err != nil {
			t.Fatal(err)
		}
		d.graph = inTurn(answer(403, graphError("Authorization_RequestDenied", "Insufficient privileges")), answer(200, emptyRound))
		if _, err := readUsers(t, s); err != nil || d.issued() != 2 {
			t.Fatalf("%v after %d tokens", err, d.issued())
		}
		d.graph = answer(403, graphError("Authorization_RequestDenied", "Insufficient privileges"))
		for range 20 {
			_, err := s.DeltaPage(t.Context(), graphsync.Groups, nil, "")
			if e := explained(t, err, graphsync.PermissionMissing); !strings.Contains(e.Hint, "GroupMember.Read.All") {
				t.Fatalf("hint %q does not name the permission", e.Hint)
			}
		}
		if d.issued() != 2 {
			t.Errorf("%d tokens were asked for", d.issued())
		}
		s.Refresh(t.Context())
		d.roles = nil
		_, err := readUsers(t, s)
		explained(t, err, graphsync.ConsentMissing)
		if d.issued() != 3 {
			t.Errorf("Refresh did not renew the token: %d", d.issued())
		}
	})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	d := &double{graph: answer(200, emptyRound)}
	if _, err := readUsers(t, d.open(t, func(c *msgraph.Config) { c.UserAgent = "entrasync/1.2" })); err != nil {
		t.Fatal(err)
	}
	got := d.requests()[0].Header
	for name, want := range map[string]string{"User-Agent": "entrasync/1.2", "X-Ms-Throttle-Priority": "Low", "Accept": "application/json"} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	if !strings.HasPrefix(got.Get("Authorization"), "Bearer eyJ") {
		t.Error("no token")
	}
}

// While one call waits because Graph throttles, the others wait as well: a request sent meanwhile would be refused
// and would prolong the wait.
func TestAllCallsWaitForAThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var sent []time.Duration
		throttled := false
		d := &double{}
		d.graph = func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, time.Since(began)) // one at a time: the calls below take turns
			if !throttled {
				throttled = true
				answer(429, "", "Retry-After", "20")(w, r)
				return
			}
			answer(200, emptyRound)(w, r)
		}
		s := d.open(t)
		ended := make(chan error)
		go func() {
			_, err := readUsers(t, s)
			ended <- err
		}()
		synctest.Wait() // it waits
		time.Sleep(5 * time.Second)
		if _, err := readUsers(t, s); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(sent) != 3 || sent[1] < 20*time.Second {
			t.Errorf("requests were sent after %v, want none between the first and 20s", sent)
		}
		if waited := time.Since(began); waited > 23*time.Second {
			t.Errorf("took %s", waited)
		}

		throttled = false
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			_, err := readUsers(t, s)
			ended <- err
		}()
		synctest.Wait()
		if _, err := s.DeltaPage(ctx, graphsync.Users, nil, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call whose time was up during the wait ended with %v", err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A call that ends because another one was refused says nothing of what it asked: a 404 of the other is no absence,
// and a 403 of the other no missing permission.
func TestRefusalOfAnotherCallSaysNothing(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]error{
		"404":          &graphsync.Error{Class: graphsync.BadResponse, Op: "groups/delta", Status: 404, Code: "Request_ResourceNotFound", Message: "there is no such group"},
		"403":          &graphsync.Error{Class: graphsync.PermissionMissing, Op: "groups/delta", Status: 403, Code: "Authorization_RequestDenied", Message: "refused"},
		"refused link": fmt.Errorf("read groups: %w", graphsync.ErrResync),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &double{}
				s := d.open(t)
				d.graph = answer(200, emptyRound)
				if _, err := readUsers(t, s); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				none := answer(200, `{"value": []}`)
				d.graph = func(w http.ResponseWriter, r *http.Request) { // of the ids none is there: are they in the deleted items?
					if strings.Contains(r.URL.Path, "deletedItems") {
						cancel(other)
						<-r.Context().Done()
						return
					}
					none(w, r)
				}
				answers, err := s.Presence(ctx, graphsync.User, []graphsync.ID{{1}})
				if e := (*graphsync.Error)(nil); err == nil || errors.As(err, &e) || errors.Is(err, graphsync.ErrResync) {
					t.Errorf("answers %v: %v", answers, err)
				}
				answers, err = s.Presence(ctx, graphsync.User, []graphsync.ID{{1}})
				if e := (*graphsync.Error)(nil); err == nil || errors.As(err, &e) || errors.Is(err, graphsync.ErrResync) {
					t.Errorf("begun when the other had ended it: answers %v: %v", answers, err)
				}
			})
		})
	}
}
