package msgraph_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
)

const (
	u1 = "00000000-0000-4000-8000-0000000000a1"
	u2 = "00000000-0000-4000-8000-0000000000a2"
	g1 = "00000000-0000-4000-8000-0000000000b1"
	g2 = "00000000-0000-4000-8000-0000000000b2"
)

// row is an element of appRoleAssignedTo.
func row(id, kind, principal, role string) string {
	return fmt.Sprintf(`{"id":%q,"createdDateTime":"2026-01-01T00:00:00Z","deletedDateTime":null,"appRoleId":%q,"principalId":%q,"principalType":%q,"resourceId":%q}`,
		id, role, principal, kind, g2)
}

func TestAssignmentsRefused(t *testing.T) {
	t.Parallel()
	const zero = "00000000-0000-0000-0000-000000000000"
	good := row("a1", "User", u1, zero)
	link := quoteJSON(origin + "/v1.0/next")
	for name, test := range map[string]struct {
		body  string
		is    error
		class graphsync.Class
	}{
		"no count":               {body: `{"value":[` + good + `]}`, is: graphsync.ErrIncomplete},
		"more counted than rows": {body: `{"@odata.count":2,"value":[` + good + `]}`, is: graphsync.ErrIncomplete},
		"more rows than counted": {body: `{"@odata.count":1,"value":[` + good + `,` + good + `]}`, is: graphsync.ErrIncomplete},
		"empty but counted":      {body: `{"@odata.count":1,"value":[]}`, is: graphsync.ErrIncomplete},
		"foreign next link":      {body: `{"@odata.count":1,"@odata.nextLink":"https://evil.test/","value":[` + good + `]}`, is: graphsync.ErrForeignLink},
		"count is no number":     {body: `{"@odata.count":"1","value":[` + good + `]}`, class: graphsync.BadResponse},
		"unknown principal type": {body: `{"@odata.count":1,"value":[` + row("a1", "Ghost", u1, zero) + `]}`, class: graphsync.BadResponse},
		"principal is no GUID":   {body: `{"@odata.count":1,"value":[` + row("a1", "User", "u1", zero) + `]}`, class: graphsync.BadResponse},
		"role is no GUID":        {body: `{"@odata.count":1,"value":[` + row("a1", "User", u1, "") + `]}`, class: graphsync.BadResponse},
		"no id":                  {body: `{"@odata.count":1,"value":[` + row("", "User", u1, zero) + `]}`, class: graphsync.BadResponse},
		"a number as row":        {body: `{"@odata.count":1,"value":[7]}`, class: graphsync.BadResponse},
		"pages in a circle":      {body: `{"@odata.count":1,"@odata.nextLink":` + link + `,"value":[` + good + `]}`, class: graphsync.BadResponse},
	} {
		d := &double{graph: answer(200, test.body)}
		err := d.open(t).Assignments(t.Context(), mustID(g2), func([]graphsync.Assignment) error { return nil })
		if test.is != nil {
			if !errors.Is(err, test.is) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		explained(t, err, test.class)
	}
}

func TestAssignmentsRequest(t *testing.T) {
	t.Parallel()
	next := origin + "/v1.0/next?$skiptoken=a%2Bb"
	d := &double{graph: inTurn(
		answer(200, `{"@odata.count":1,"@odata.nextLink":`+quoteJSON(next)+`,"value":[]}`),
		answer(200, `{"value":[`+row("a1", "User", u1, g1)+`]}`))}
	rows := 0
	err := d.open(t).Assignments(t.Context(), mustID(g2), func(page []graphsync.Assignment) error { rows += len(page); return nil })
	if err != nil || rows != 1 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	first, second := d.requests()[0], d.requests()[1]
	if q := first.URL.Query(); first.URL.Path != "/v1.0/servicePrincipals/"+g2+"/appRoleAssignedTo" || q.Get("$top") != "999" || q.Get("$count") != "true" {
		t.Errorf("first request %s", first.URL)
	}
	if second.URL.String() != next {
		t.Errorf("second request %s, want %s", second.URL, next)
	}
	for _, r := range d.requests() {
		if r.Header.Get("ConsistencyLevel") != "eventual" {
			t.Error("ConsistencyLevel is missing")
		}
	}
}

func TestEmptyPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	n := 0
	d := &double{graph: func(w http.ResponseWriter, r *http.Request) {
		n++
		answer(200, fmt.Sprintf(`{"@odata.nextLink":"%s/v1.0/next?%d","value":[]}`, origin, n))(w, r)
	}}
	err := d.open(t).Members(t.Context(), mustID(g1), func([]graphsync.MemberChange) error { return nil })
	explained(t, err, graphsync.BadResponse)
	if n > 200 {
		t.Errorf("%d requests", n)
	}
}

func TestAnswersRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `[]`, `{"id":"7","accountEnabled":true}`, `{"id":"` + g1 + `"}`, `{"id":null,"accountEnabled":true}`, `{"id":"` + g1 + `","accountEnabled":"yes"}`} {
		app, err := (&double{graph: answer(200, body)}).open(t).App(t.Context(), g2)
		if explained(t, err, graphsync.BadResponse); app != nil {
			t.Error("an app beside the error")
		}
	}
	for _, body := range []string{`{"value":[]}`, `{"value":[{"id":"` + g1 + `"},{"id":"` + g2 + `"}]}`, `{"value":[{"id":"x"}]}`} {
		_, err := (&double{graph: answer(200, body)}).open(t).Organization(t.Context())
		explained(t, err, graphsync.BadResponse)
	}
	for _, body := range []string{`{"value":[{"id":"` + u1 + `"}]}`, `{"value":[{"@odata.type":"#microsoft.graph.user","id":"x"}]}`, `{"value":[null]}`} {
		err := (&double{graph: answer(200, body)}).open(t).Members(t.Context(), mustID(g1), func([]graphsync.MemberChange) error { return nil })
		explained(t, err, graphsync.BadResponse)
		_, err = (&double{graph: answer(200, body)}).open(t).Presence(t.Context(), graphsync.User, []graphsync.ID{mustID(u1)})
		explained(t, err, graphsync.BadResponse)
	}
	if _, err := (&double{}).open(t).App(t.Context(), "' or 1 eq 1"); err == nil || !strings.Contains(err.Error(), "app id") {
		t.Errorf("an app id that is no GUID: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		// A page of something in between is no answer, whatever its status.
		for _, status := range []int{200, 404} {
			d := &double{graph: inTurn(answer(200, `{"value":[]}`), answer(status, "<html>"))}
			got, err := d.open(t).Presence(t.Context(), graphsync.User, []graphsync.ID{mustID(u1)})
			if explained(t, err, graphsync.BadResponse); got != nil {
				t.Errorf("presence %v beside the error", got)
			}
		}
	})
	// A deleted item that is another object answers nothing.
	d := &double{graph: inTurn(answer(200, `{"value":[]}`), answer(200, `{"id":"`+u2+`"}`))}
	_, err := d.open(t).Presence(t.Context(), graphsync.User, []graphsync.ID{mustID(u1)})
	explained(t, err, graphsync.BadResponse)
}

// The Date header of the last response says what time it is there.
func TestGraphsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := graphtest.New(graphtest.Options{})
		tenant := server.AddTenant(graphtest.TenantSpec{})
		tenant.App(graphtest.AppSpec{ClientID: "6a1e0000-0000-0000-0000-000000000001", Secret: "s"})
		cloud, err := graphsync.CustomCloud(server.URL(), server.URL())
		if err != nil {
			t.Fatal(err)
		}
		source, err := msgraph.Open(msgraph.Config{Tenant: tenant.ID(), Cloud: cloud, HTTP: server.Transport(),
			Credential: msgraph.Credential{ClientID: "6a1e0000-0000-0000-0000-000000000001", Secret: func() (string, error) { return "s", nil }}})
		if err != nil {
			t.Fatal(err)
		}
		if _, known := source.Time(); known {
			t.Error("there is a time before the first response")
		}
		for _, ahead := range []time.Duration{0, 2 * time.Hour, -90 * time.Minute} {
			server.SetClock(ahead)
			if _, err := source.Organization(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // of the bubble's clock
			now, known := source.Time()
			if off := now.Sub(time.Now()); !known || (off-ahead).Abs() > time.Second {
				t.Errorf("%v ahead: %v, %v", ahead, off, known)
			}
		}
	})
}
