package graphtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync/graphtest"
)

func TestFaultsThatAnswerInstead(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	_, link, _ := b.round("/users/delta?$select=id")
	for name, c := range map[string]struct {
		fault        graphtest.Fault
		status       int
		code         string
		header, want string
	}{
		"throttled, seconds":  {graphtest.Throttle("2"), 429, "TooManyRequests", "Retry-After", "2"},
		"throttled, fraction": {graphtest.Throttle("0.5"), 429, "TooManyRequests", "Retry-After", "0.5"},
		"throttled, silent":   {graphtest.Throttle(""), 429, "TooManyRequests", "Retry-After", ""},
		"unavailable":         {graphtest.Unavailable("1"), 503, "serviceNotAvailable", "Retry-After", "1"},
		"server error":        {graphtest.ServerError(500), 500, "InternalServerError", "", ""},
		"gone":                {graphtest.Expired410(), 410, "syncStateNotFound", "Location", b.base + "/v1.0/users/delta?$deltatoken="},
		"not found 400":       {graphtest.SyncStateNotFound(400), 400, "syncStateNotFound", "Location", ""},
		"not found 404":       {graphtest.SyncStateNotFound(404), 404, "syncStateNotFound", "Location", ""},
		"resync":              {graphtest.ResyncRequired(), 410, "resyncRequired", "Location", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.server.Fault(c.fault)
			got := b.get(link)
			if got.status != c.status || got.code(t) != c.code || c.header != "" && got.header.Get(c.header) != c.want {
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
			if again := b.get(link); again.status != 200 {
				t.Errorf("the fault continues: %d", again.status)
			}
		})
	}
	b.server.Fault(graphtest.TokenFailure(401, 7000215, "invalid_client", "Invalid client secret provided."))
	refused(t, b.post("/"+b.tenant.Domain()+"/oauth2/v2.0/token", b.credentials()), 401, 7000215, "invalid_client")
	b.login()
}

func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*bench{"socket": overTLS(t, graphtest.Options{}), "in process": inProcess(t, graphtest.Options{})} {
		t.Run(name, func(t *testing.T) {
			b.tenant.AddUser(nil)
			read := func() (*response, error) { return b.do(b.request("/users/delta")) }

			b.server.Fault(graphtest.DropConnection().Repeat(2)) // net/http repeats a GET once
			if got, err := read(); err == nil {
				t.Errorf("dropped: %d %s", got.status, got.body)
			}
			b.server.Reset()
			b.server.Fault(graphtest.TruncatedBody())
			if got, err := read(); !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(errorText(err), "stream error") {
				t.Errorf("truncated: %v %v", got, err)
			}
			b.server.Fault(graphtest.BrokenJSON())
			if got, err := read(); err != nil || got.status != 200 || json.Valid(got.body) {
				t.Errorf("broken: %v %v", got, err)
			}
			b.server.Fault(graphtest.HTMLPage())
			if got, err := read(); err != nil || got.status != 200 || got.header.Get("Content-Type") != "text/html" {
				t.Errorf("page: %v %v", got, err)
			}
			b.server.Fault(graphtest.SlowBody(time.Millisecond))
			if got, err := read(); err != nil || !json.Valid(got.body) {
				t.Errorf("slow: %v %v", got, err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFaultsInPages(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{PageSize: 2})
	for range 3 {
		b.tenant.Assign(b.app.ClientID, b.tenant.AddUser(nil), "Viewer")
	}
	want, _, _ := b.round("/users/delta?$select=id")

	b.server.Fault(graphtest.EmptyPage().Repeat(2))
	got, _, pages := b.round("/users/delta?$select=id")
	diff(t, want, got)
	diff(t, 4, pages)

	b.server.Fault(graphtest.ReplayPage().Skip(1))
	got, _, pages = b.round("/users/delta?$select=id")
	diff(t, append(want[:3:3], want[2]), got)
	diff(t, 3, pages)

	b.server.Fault(graphtest.OutOfOrder())
	first := b.get("/users/delta?$select=id")
	diff(t, []map[string]any{want[1], want[0]}, first.value(t))

	b.server.Fault(graphtest.BadRecord(`{"id":5}`))
	diff(t, 3, len(b.get("/users/delta?$select=id").value(t)))

	b.server.Fault(graphtest.ForeignNextLink("evil.example"))
	if got := b.get("/users/delta").text(t, "@odata.nextLink"); !strings.HasPrefix(got, "https://evil.example/v1.0/users/delta?") {
		t.Errorf("foreign link: %s", got)
	}
	b.server.Fault(graphtest.HTTPNextLink())
	if got := b.get("/users/delta").text(t, "@odata.nextLink"); !strings.HasPrefix(got, "http://") {
		t.Errorf("http link: %s", got)
	}

	end := b.server.Fault(graphtest.EndlessPaging().On("/v1.0/users/delta"))
	seen := map[string]bool{}
	link := "/users/delta()"
	for range 5 {
		page := b.get(link)
		link = page.text(t, "@odata.nextLink")
		if len(page.value(t)) != 0 || seen[link] {
			t.Fatalf("endless paging: %s", page.body)
		}
		seen[link] = true
	}
	end()
	if got, _, _ := b.round(link); len(got) != 3 {
		t.Errorf("after the end of endless paging: %d entries", len(got))
	}

	assigned := "/servicePrincipals/" + b.sp.String() + "/appRoleAssignedTo?$count=true"
	b.server.Fault(graphtest.MissingRow())
	page := b.get(assigned, "ConsistencyLevel", "eventual")
	if len(page.value(t)) != 2 || page.fields(t)["@odata.count"] != 3.0 {
		t.Errorf("missing row: %s", page.body)
	}
	b.server.Fault(graphtest.WrongCount(1))
	page = b.get(assigned, "ConsistencyLevel", "eventual")
	if len(page.value(t)) != 3 || page.fields(t)["@odata.count"] != 4.0 {
		t.Errorf("wrong count: %s", page.body)
	}
}

func TestFaultsAreAimed(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	other := b.server.AddTenant(graphtest.TenantSpec{Name: "Fabrikam"})
	b.server.Fault(graphtest.ServerError(500).Always().For(other.ID().String()))
	b.server.Fault(graphtest.ServerError(502).Always().On("/v1.0/groups/delta"))
	if got := b.get("/users/delta"); got.status != 200 {
		t.Errorf("another tenant's fault: %d", got.status)
	}
	for range 3 {
		if got := b.get("/groups/delta()"); got.status != 502 {
			t.Errorf("groups: %d", got.status)
		}
	}
	b.server.Fault(graphtest.ServerError(504).On("/v1.0/servicePrincipals/*/appRoleAssignedTo"))
	if got := b.get("/servicePrincipals(appId='" + b.app.ClientID + "')/appRoleAssignedTo"); got.status != 504 {
		t.Errorf("assignments: %d", got.status)
	}
	b.server.Reset()
	if got := b.get("/groups/delta"); got.status != 200 {
		t.Errorf("after Reset: %d", got.status)
	}
	log := b.server.Requests()
	if len(log) != 1 || log[0].Path != "/v1.0/groups/delta" || log[0].Status != 200 || log[0].Tenant != b.tenant.ID().String() || log[0].Method != "GET" {
		t.Errorf("requests: %+v", log)
	}
}

// In process the emulator lives in a bubble: waits take no time, tokens expire on its clock.
func TestInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := inProcess(t, graphtest.Options{})
		b.server.Fault(graphtest.Slow(90 * time.Second))
		start := time.Now()
		if got := b.get("/users/delta"); got.status != 200 || time.Since(start) != 90*time.Second {
			t.Errorf("%d after %v", got.status, time.Since(start))
		}
		b.server.Fault(graphtest.Slow(time.Hour))
		b.http.Timeout = time.Minute
		if _, err := b.do(b.request("/users/delta")); err == nil {
			t.Error("an hour passed within a minute's timeout")
		}
		time.Sleep(time.Hour)
		if got := b.get("/users/delta"); got.status != http.StatusUnauthorized {
			t.Errorf("an hour later the token is %d", got.status)
		}
	})
}
