package msgraph_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
		"more counted than rows": {body: `{"@odata.count":2,"value":[` + good + `]}`, is: graphsync.ErrIncomplete},
		"more rows than counted": {body: `{"@odata.count":1,"value":[` + good + `,` + good + `]}`, is: graphsync.ErrIncomplete},
		"empty but counted":      {body: `{"@odata.count":1,"value":[]}`, is: graphsync.ErrIncomplete},
		"foreign next link":      {body: `{"@odata.count":1,"@odata.nextLink":"https://evil.test/","value":[` + good + `]}`, is: graphsync.ErrForeignLink},
		"count is no number":     {body: `{"@odata.count":"1","value":[` + good + `]}`, class: graphsync.BadResponse},
		"pages in a circle":      {body: `{"@odata.count":1,"@odata.nextLink":` + link + `,"value":[` + good + `]}`, class: graphsync.BadResponse},
	} {
		d := &double{graph: answer(200, test.body)}
		_, err := d.open(t).Assignments(t.Context(), mustID(g2), func([]graphsync.Assignment) error { return nil })
		if test.is != nil {
			if !errors.Is(err, test.is) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		explained(t, err, test.class)
	}
}

// One row that cannot be understood, or is of a principal type that is not known, costs only itself.
// Without a count the rows are good for what they say.
func TestOddAssignments(t *testing.T) {
	t.Parallel()
	const zero = "00000000-0000-0000-0000-000000000000"
	good := row("a1", "User", u1, zero)
	for name, test := range map[string]struct {
		body             string
		kinds            []graphsync.Kind
		counted, skipped bool
	}{
		"no count":               {`{"value":[` + good + `]}`, []graphsync.Kind{graphsync.User}, false, false},
		"unknown principal type": {`{"@odata.count":2,"value":[` + row("a2", "Ghost", u2, zero) + `,` + good + `]}`, []graphsync.Kind{0, graphsync.User}, true, false},
		"service principal":      {`{"@odata.count":2,"value":[` + row("a2", "ServicePrincipal", u2, zero) + `,` + good + `]}`, []graphsync.Kind{graphsync.User}, true, false},
		"principal is no GUID":   {`{"@odata.count":2,"value":[` + row("a2", "User", "u1", zero) + `,` + good + `]}`, []graphsync.Kind{graphsync.User}, true, true},
		"role is no GUID":        {`{"@odata.count":2,"value":[` + row("a2", "User", u1, "") + `,` + good + `]}`, []graphsync.Kind{graphsync.User}, true, true},
		"no id":                  {`{"@odata.count":2,"value":[` + row("", "User", u1, zero) + `,` + good + `]}`, []graphsync.Kind{graphsync.User}, true, true},
		"a number as row":        {`{"@odata.count":2,"value":[7,` + good + `]}`, []graphsync.Kind{graphsync.User}, true, true},
	} {
		var kinds []graphsync.Kind
		list, err := (&double{graph: answer(200, test.body)}).open(t).Assignments(t.Context(), mustID(g2), func(page []graphsync.Assignment) error {
			for _, a := range page {
				kinds = append(kinds, a.PrincipalKind)
			}
			return nil
		})
		if err != nil || !slices.Equal(kinds, test.kinds) || list.Counted != test.counted || (len(list.Skipped) == 1) != test.skipped {
			t.Errorf("%s: kinds %v, %+v, %v", name, kinds, list, err)
		}
	}
}

// Where Graph will not count, the rows are read without a count.
func TestCountRefused(t *testing.T) {
	t.Parallel()
	d := &double{graph: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("$count") {
			answer(400, `{"error":{"code":"Request_UnsupportedQuery","message":"no count"}}`)(w, r)
			return
		}
		answer(200, `{"value":[`+row("a1", "User", u1, g1)+`]}`)(w, r)
	}}
	list, err := d.open(t).Assignments(t.Context(), mustID(g2), func([]graphsync.Assignment) error { return nil })
	if err != nil || list.Rows != 1 || list.Counted {
		t.Errorf("%+v, %v", list, err)
	}
}

// Only Graph's own word for a missing object makes an assignment absent; a refusal is no answer, and
// is not provoked for each of them.
func TestAssignmentPresence(t *testing.T) {
	t.Parallel()
	graphError := func(status int, code string) http.HandlerFunc {
		return answer(status, `{"error":{"code":"`+code+`","message":"m"}}`)
	}
	for name, test := range map[string]struct {
		graph http.HandlerFunc
		want  graphsync.Presence
		fails bool
	}{
		"there":                 {answer(200, row("a/1", "User", u1, g1)), graphsync.Present, false},
		"gone":                  {graphError(404, "Request_ResourceNotFound"), graphsync.Absent, false},
		"another 404":           {graphError(404, "itemNotFound"), graphsync.Unknown, false},
		"a proxy's 404":         {answer(404, "<html>"), graphsync.Unknown, false},
		"refused":               {graphError(400, "BadRequest"), graphsync.Unknown, false},
		"forbidden":             {graphError(403, "Authorization_RequestDenied"), graphsync.Unknown, false},
		"about another":         {answer(200, row("a2", "User", u1, g1)), 0, true},
		"not signed in":         {graphError(401, "InvalidAuthenticationToken"), 0, true},
		"the app's id is gone ": {graphError(401, "Authorization_IdentityNotFound"), 0, true},
	} {
		d := &double{graph: test.graph, roles: []string{"Application.Read.All"}}
		got, err := d.open(t).AssignmentPresence(t.Context(), mustID(g2), []string{"a/1"})
		if (err != nil) != test.fails || !test.fails && got[0] != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if path := d.requests()[0].URL.EscapedPath(); path != "/v1.0/servicePrincipals/"+g2+"/appRoleAssignedTo/a%2F1" {
			t.Errorf("%s: asked for %s", name, path)
		}
	}
	d := &double{graph: graphError(400, "BadRequest")}
	ids := make([]string, 200)
	for i := range ids {
		ids[i] = fmt.Sprint("a", i)
	}
	if got, err := d.open(t).AssignmentPresence(t.Context(), mustID(g2), ids); err != nil || slices.Contains(got, graphsync.Present) || len(d.requests()) > 20 {
		t.Errorf("%d requests, %v", len(d.requests()), err)
	}
}

// A link to a further page that Graph refuses asks to begin again; the same refusal of a first page
// does not.
func TestRefusedLinks(t *testing.T) {
	t.Parallel()
	refusal := func(status int) http.HandlerFunc {
		return answer(status, `{"error":{"code":"Directory_ExpiredPageToken","message":"m"}}`)
	}
	pages := func(status int) http.HandlerFunc {
		return inTurn(answer(200, `{"@odata.count":1,"@odata.nextLink":"`+origin+`/v1.0/next","value":[]}`), refusal(status))
	}
	for _, status := range []int{400, 404, 409, 410, 422} {
		_, err := (&double{graph: pages(status)}).open(t).Assignments(t.Context(), mustID(g2), func([]graphsync.Assignment) error { return nil })
		if !errors.Is(err, graphsync.ErrResync) {
			t.Errorf("assignments, %d: %v", status, err)
		}
		_, err = (&double{graph: pages(status)}).open(t).Members(t.Context(), mustID(g1), func([]graphsync.MemberChange) error { return nil })
		if !errors.Is(err, graphsync.ErrResync) {
			t.Errorf("members, %d: %v", status, err)
		}
		_, err = (&double{graph: refusal(status)}).open(t).DeltaPage(t.Context(), graphsync.Users, []string{"id"}, origin+"/v1.0/users/delta?$deltatoken=1")
		if !errors.Is(err, graphsync.ErrResync) {
			t.Errorf("delta, %d: %v", status, err)
		}
	}
	for _, status := range []int{401, 403} {
		_, err := (&double{graph: refusal(status)}).open(t).DeltaPage(t.Context(), graphsync.Users, []string{"id"}, origin+"/v1.0/users/delta?$deltatoken=1")
		if err == nil || errors.Is(err, graphsync.ErrResync) {
			t.Errorf("delta, %d: %v", status, err)
		}
	}
	_, err := (&double{graph: refusal(400)}).open(t).DeltaPage(t.Context(), graphsync.Users, []string{"id"}, "")
	if explained(t, err, graphsync.Configuration); errors.Is(err, graphsync.ErrResync) {
		t.Error("a first page asks to begin again")
	}
	if _, err := (&double{}).open(t).DeltaPage(t.Context(), graphsync.Users, []string{"id"}, "https://graph.other.test/v1.0/users/delta?$deltatoken=1"); !errors.Is(err, graphsync.ErrResync) || !errors.Is(err, graphsync.ErrForeignLink) {
		t.Errorf("a link of another cloud: %v", err)
	}
}

func TestAssignmentsRequest(t *testing.T) {
	t.Parallel()
	next := origin + "/v1.0/next?$skiptoken=a%2Bb"
	d := &double{graph: inTurn(
		answer(200, `{"@odata.count":1,"@odata.nextLink":`+quoteJSON(next)+`,"value":[]}`),
		answer(200, `{"value":[`+row("a1", "User", u1, g1)+`]}`))}
	rows := 0
	_, err := d.open(t).Assignments(t.Context(), mustID(g2), func(page []graphsync.Assignment) error { rows += len(page); return nil })
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
	_, err := d.open(t).Members(t.Context(), mustID(g1), func([]graphsync.MemberChange) error { return nil })
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
			t.Error("an app next to the error")
		}
	}
	for _, body := range []string{`{"value":[]}`, `{"value":[{"id":"` + g1 + `"},{"id":"` + g2 + `"}]}`, `{"value":[{"id":"x"}]}`} {
		_, err := (&double{graph: answer(200, body)}).open(t).Organization(t.Context())
		explained(t, err, graphsync.BadResponse)
	}
	for _, body := range []string{`{"value":[{"@odata.type":"#microsoft.graph.user","id":"x"}]}`, `{"value":[null]}`} {
		bad, err := (&double{graph: answer(200, body)}).open(t).Members(t.Context(), mustID(g1), func([]graphsync.MemberChange) error { return nil })
		if err != nil || len(bad) != 1 || bad[0].Object != mustID(g1) {
			t.Errorf("members %s: %v, %v", body, bad, err)
		}
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
				t.Errorf("presence %v next to the error", got)
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

// A list that never ends is left after a bounded number of requests, whatever its pages look like.
func TestListsWithoutEnd(t *testing.T) {
	t.Parallel()
	const zero = "00000000-0000-0000-0000-000000000000"
	user := func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }
	type reader func(*testing.T, *double) error
	lists := map[string]struct {
		read reader
		row  func(n int) string
	}{
		"appRoleAssignedTo": {func(t *testing.T, d *double) error {
			_, err := d.open(t).Assignments(t.Context(), mustID(g2), func([]graphsync.Assignment) error { return nil })
			return err
		}, func(n int) string { return row(fmt.Sprint("a", n), "User", user(n), zero) }},
		"members": {func(t *testing.T, d *double) error {
			_, err := d.open(t).Members(t.Context(), mustID(g1), func([]graphsync.MemberChange) error { return nil })
			return err
		}, func(n int) string { return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.user","id":%q}`, user(n)) }},
		"getByIds": {func(t *testing.T, d *double) error {
			_, err := d.open(t).Presence(t.Context(), graphsync.User, []graphsync.ID{mustID(u1)})
			return err
		}, func(n int) string { return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.user","id":%q}`, user(n)) }},
	}
	for name, list := range lists {
		for kind, page := range map[string]func(n int) (link, row int){
			"a link back":                 func(n int) (int, int) { return n % 3, n },
			"the same page by other ways": func(n int) (int, int) { return n, 1 },
			"ever new":                    func(n int) (int, int) { return n, n },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				n := 0
				d := &double{graph: func(w http.ResponseWriter, r *http.Request) {
					n++
					link, of := page(n)
					answer(200, fmt.Sprintf(`{"@odata.count":5,"@odata.nextLink":"%s/v1.0/next?%d","value":[%s]}`, origin, link, list.row(of)))(w, r)
				}}
				explained(t, list.read(t, d), graphsync.BadResponse)
				if n > 10_000 || kind != "ever new" && n > 5 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// A token of another tenant reads nothing: its directory would be taken for this one.
func TestTokenOfAnotherTenant(t *testing.T) {
	t.Parallel()
	d := &double{graph: answer(200, `{"value":[]}`), token: func(w http.ResponseWriter, _ *http.Request) {
		claims := base64.RawURLEncoding.EncodeToString([]byte(`{"roles":["User.Read.All"],"tid":"` + g1 + `"}`))
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"eyJhbGciOiJub25lIn0.%s.c2ln"}`, claims)
	}}
	_, err := d.open(t).DeltaPage(t.Context(), graphsync.Users, []string{"id"}, "")
	explained(t, err, graphsync.CredentialInvalid)
	if !strings.Contains(err.Error(), "token of tenant "+g1+" instead of tenant "+tenantID.String()) || len(d.requests()) != 0 {
		t.Errorf("%v after %d requests to Graph", err, len(d.requests()))
	}
}

// What the token endpoint and Graph repeat of a secret or a token is in no error.
func TestEchoesAreBlanked(t *testing.T) {
	t.Parallel()
	escaped := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, `\u%04x`, s[i])
		}
		return b.String()
	}
	spellings := map[string]func(string) string{
		"plain": func(s string) string { return s }, "JSON": escaped, "URL": func(s string) string { return strings.ReplaceAll(s, "-", "%2d") },
		"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + s)) },
	}
	for name, spell := range spellings {
		d := &double{token: answer(401, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret: `+spell(planted)+`"}`)}
		_, err := d.open(t).Permissions(t.Context())
		if err == nil || strings.Contains(err.Error(), spell(planted)) || strings.Contains(err.Error(), planted) {
			t.Errorf("%s, token endpoint: %v", name, err)
		}
		token := ""
		d = &double{roles: []string{"User.Read.All"}, graph: func(w http.ResponseWriter, r *http.Request) {
			token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			answer(400, `{"error":{"code":"Request_BadRequest","message":"what is `+spell(token)+`?"}}`)(w, r)
		}}
		_, err = d.open(t).DeltaPage(t.Context(), graphsync.Users, []string{"id"}, "")
		if err == nil || token == "" || strings.Contains(err.Error(), spell(token)[:12]) || strings.Contains(err.Error(), token[:12]) {
			t.Errorf("%s, Graph: %v", name, err)
		}
	}
}
