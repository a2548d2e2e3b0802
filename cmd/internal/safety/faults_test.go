package safety

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/target"
	"entrasync/target/scim/scimtest"
)

// An injectedFault is a fault at one stage of a cycle, until it is undone.
type injectedFault struct {
	stage, name string
	do          func(w *world) (undo func())
}

// Every fault at every stage: a cycle that changes only what is needed, and a full one, run
// into it. No user is removed; the report says what happened; and when the fault is over, all is as
// it should be.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	faults := slices.Concat(graphFaults(), directoryFaults(), frontFaults())
	rows := make([]string, len(faults))
	t.Run("all", func(t *testing.T) {
		for i, m := range faults {
			t.Run(m.stage+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) { rows[i] = suffer(t, m) })
			})
		}
	})
	var table bytes.Buffer
	out := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "stage\tfault\tincremental cycle\tfull cycle\tkept")
	for _, row := range rows {
		fmt.Fprintln(out, row)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d faults\n%s", len(rows), table.String())
}

// A company is a directory in which all is well and everybody has an account.
func company(t *testing.T) (*world, *cast) {
	t.Helper()
	count, percent := 25, 10.0
	w := newWorld(t, settings{groups: true, guests: true, nested: true, concurrency: 4, pageSize: 5, membersPage: 4, maxBody: 1 << 20, verify: true,
		onRemove: desired.OnRemove{Do: plan.Deactivate}, guard: guard.Guard{Removals: guard.Limit{Count: &count, Percent: &percent}}})
	d := &cast{Tenant: w.tenant, ids: map[string]graphsync.ID{}}
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("person%02d", i))
	}
	d.hire(names...)
	d.group("Sales", names[:6]...)
	d.group("Support", names[4:9]...)
	d.Assign(frontApp, d.ids["Sales"], "Editor")
	d.Assign(frontApp, d.ids["Support"], "Viewer")
	for _, name := range names[9:] {
		d.Assign(frontApp, d.ids[name], "Admin")
	}
	w.watch.leave(w.front.Seed(t, map[string]any{"userName": "root@example.com", "displayName": "Root"}))
	w.mustRun(reconcile.Options{Apply: true})
	return w, d
}

// mustRun makes a cycle that has no reason to fail.
func (w *world) mustRun(opts reconcile.Options) *reconcile.Report {
	w.t.Helper()
	report, err := w.run(opts)
	if err != nil || len(report.Errors) > 0 {
		w.t.Fatalf("a cycle without faults: %v %+v", err, report.Errors)
	}
	return report
}

// bustle gives a cycle something to do at every stage. No user leaves.
func bustle(d *cast, round int) {
	who, team := fmt.Sprintf("joiner%d", round), fmt.Sprintf("Team %d", round)
	d.hire(who)
	d.AddMember(d.ids["Sales"], d.ids[who])
	d.Set(d.ids["person01"], "jobTitle", fmt.Sprintf("Title %d", round))
	d.Set(d.ids["Support"], "displayName", fmt.Sprintf("Support %d", round))
	d.group(team, "person00", who)
	d.Assign(frontApp, d.ids[team], "Viewer")
}

func suffer(t *testing.T, m injectedFault) string {
	w, d := company(t)
	before := w.working()
	undo := m.do(w)
	var told []string
	refused := false // by an application that says yes and does nothing: told once, not sent for ever
	for round, full := range []bool{false, true} {
		time.Sleep(time.Hour)
		bustle(d, round)
		began := time.Now()
		report, err := w.run(reconcile.Options{Apply: true, Full: full})
		if took := time.Since(began); took > 2*time.Hour {
			t.Errorf("a cycle took %v", took)
		}
		told = append(told, tell(report, err))
		refused = refused || slices.ContainsFunc(report.Errors, func(e plan.Failure) bool {
			return strings.Contains(e.Message, "did not take") || e.Code == string(target.Unverified)
		})
	}
	if len(w.watch.reported) > 0 {
		t.Errorf("%s at %s:\n%s", m.name, m.stage, strings.Join(w.watch.reported, "\n"))
	}
	after := w.working()
	kept := 0
	for id := range before {
		if after[id] {
			kept++
		}
	}
	if kept < len(before) {
		t.Errorf("%s at %s: %d of %d accounts still work", m.name, m.stage, kept, len(before))
	}
	undo()
	for round := range 3 {
		time.Sleep(25 * time.Hour)
		report, err := w.run(reconcile.Options{Apply: true, Full: round == 0}) // what was damaged under way is read again
		if err != nil {
			t.Fatalf("after %s at %s: %v", m.name, m.stage, err)
		}
		if report.Summary.Held > 0 {
			t.Errorf("after %s at %s: %d actions are held", m.name, m.stage, report.Summary.Held)
		}
	}
	if differences := append(w.differences(nil), w.leavers(nil)...); len(differences) > 0 && !refused {
		t.Errorf("after %s at %s:\n%s", m.name, m.stage, strings.Join(differences, "\n"))
	}
	for host := range w.wire.hosts {
		if !strings.HasSuffix(w.graph.URL(), "//"+host) && host != "scim.example" {
			t.Errorf("%s at %s led to a request to %s", m.name, m.stage, host)
		}
	}
	if text := w.log.String(); strings.Contains(text, clientSecret) || strings.Contains(text, bearerToken) {
		t.Errorf("%s at %s: a secret is in the log", m.name, m.stage)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d of %d", m.stage, m.name, told[0], told[1], kept, len(before))
}

// working returns the ids of the accounts that can be used.
func (w *world) working() map[string]bool {
	ids := map[string]bool{}
	for id, a := range w.inventory().accounts {
		if a.active {
			ids[id] = true
		}
	}
	return ids
}

// tell puts what a cycle reported into one cell.
func tell(report *reconcile.Report, err error) string {
	text := string(report.Result)
	switch {
	case err != nil:
		text += ": " + report.Failure.Code
	case len(report.Errors) > 0:
		text += fmt.Sprintf(": %d x %s", len(report.Errors), report.Errors[0].Code)
	case report.Summary.Held > 0:
		text += fmt.Sprintf(": %d held by %s", report.Summary.Held, report.Held[0].Guard)
	case len(report.Notes) > 0:
		text += ": " + report.Notes[0]
	}
	if runes := []rune(text); len(runes) > 70 {
		text = string(runes[:69]) + "…"
	}
	return text
}

// graphFaults are answers of Graph and of the token endpoint.
func graphFaults() (out []injectedFault) {
	raw := func(status int, body string, header ...string) graphtest.Fault {
		return graphtest.Fault{Respond: func(*http.Request, func() *graphtest.Response) *graphtest.Response {
			h := http.Header{"Content-Type": {"application/json"}}
			for i := 0; i+1 < len(header); i += 2 {
				h.Set(header[i], header[i+1])
			}
			return &graphtest.Response{Status: status, Header: h, Body: []byte(body)}
		}}
	}
	edit := func(change func(body []byte) []byte) graphtest.Fault {
		return graphtest.Fault{Respond: func(_ *http.Request, next func() *graphtest.Response) *graphtest.Response {
			response := next()
			response.Body = change(response.Body)
			return response
		}}
	}
	faults := []struct {
		name  string
		fault graphtest.Fault
	}{
		{"429 for ever", graphtest.Throttle("120")}, {"429 asking for nothing", graphtest.Throttle("0")}, {"503", graphtest.Unavailable("5")},
		{"500", graphtest.ServerError(500)}, {"502", graphtest.ServerError(502)}, {"504", graphtest.ServerError(504)},
		{"401", graphtest.GraphFailure(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")},
		{"403", graphtest.GraphFailure(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")},
		{"404", graphtest.GraphFailure(404, "Request_ResourceNotFound", "Resource does not exist.")},
		{"connection dropped", graphtest.DropConnection()}, {"body cut off", graphtest.TruncatedBody()}, {"half a body", graphtest.BrokenJSON()},
		{"HTML", graphtest.HTMLPage()}, {"slow", graphtest.Slow(time.Hour)}, {"slow body", graphtest.SlowBody(10 * time.Minute)},
		{"redirect to another host", raw(302, "", "Location", "https://evil.example/")},
		{"nothing", raw(200, "")}, {"null", raw(200, "null")}, {"empty object", raw(200, "{}")},
		{"empty list", raw(200, `{"@odata.count":0,"value":[]}`)},
		{"2 MB", raw(200, `{"value":["`+strings.Repeat("x", 2<<20)+`"]}`)},
		{"deep JSON", raw(200, `{"value":`+strings.Repeat("[", 200_000)+strings.Repeat("]", 200_000)+`}`)},
		{"invalid UTF-8", edit(func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte(`"displayName":"`), []byte("\"displayName\":\"\xff\xfe"))
		})},
		{"control characters", edit(func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte(`"value":[`), []byte("\x00\"value\":["))
		})},
		{"wrong types", edit(func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte(`"value":[`), []byte(`"value":[17,"x",null,[],`))
		})},
		{"ids that are none", edit(func(body []byte) []byte { return bytes.ReplaceAll(body, []byte(`"id":"`), []byte(`"id":"../`)) })},
		{"keys twice", edit(func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte(`"value":[`), []byte(`"value":[],"value":[`))
		})},
	}
	stages := []string{"token", "users", "groups", "app", "assignments", "lookups"}
	for _, stage := range stages {
		for _, f := range faults {
			if stage == "app" && f.name == "invalid UTF-8" || stage == "lookups" && f.name == "empty list" {
				continue // a name that nothing is made of; a lookup that finds no user is in directoryFaults
			}
			out = append(out, onGraph(stage, f.name, f.fault))
		}
	}
	for _, stage := range []string{"users", "groups"} {
		for name, f := range map[string]graphtest.Fault{
			"endless paging": graphtest.EndlessPaging(), "410 with a place to go": graphtest.Expired410(), "410": graphtest.ResyncRequired(),
			"400 state not found": graphtest.SyncStateNotFound(400), "404 state not found": graphtest.SyncStateNotFound(404),
			"link to another host": graphtest.ForeignNextLink("evil.example"), "link without TLS": graphtest.HTTPNextLink(),
			"replayed pages": graphtest.ReplayPage(), "out of order": graphtest.OutOfOrder(), "empty pages": graphtest.EmptyPage(),
			"entry missing": graphtest.MissingRow(), "id no GUID": graphtest.BadRecord(`{"id":"not-a-guid","displayName":"x"}`),
		} {
			out = append(out, onGraph(stage, name, f))
		}
	}
	for name, f := range map[string]graphtest.Fault{"row missing": graphtest.MissingRow(), "miscounted": graphtest.WrongCount(3), "undercounted": graphtest.WrongCount(-3)} {
		out = append(out, onGraph("assignments", name, f))
	}
	slices.SortStableFunc(out, func(a, b injectedFault) int { return slices.Index(stages, a.stage) - slices.Index(stages, b.stage) })
	return out
}

func onGraph(stage, name string, f graphtest.Fault) injectedFault {
	return injectedFault{stage: stage, name: name, do: func(w *world) func() {
		end := w.graph.Fault(f.On(streams[stage]).Always())
		if stage != "lookups" {
			return end
		}
		// Users missing from a full round are looked up.
		endMissing := w.graph.Fault(graphtest.MissingRow().On(streams["users"]).Always())
		return func() { end(); endMissing() }
	}}
}

// directoryFaults are things that happen to the tenant or the registration.
func directoryFaults() []injectedFault {
	return []injectedFault{
		{"consent", "taken back", func(w *world) func() {
			w.tenant.Grant(frontApp)
			return func() { w.tenant.Grant(frontApp, graphtest.DefaultPermissions()...) }
		}},
		{"consent", "one permission gone", func(w *world) func() {
			w.tenant.Grant(frontApp, graphtest.DefaultPermissions()[1:]...)
			return func() { w.tenant.Grant(frontApp, graphtest.DefaultPermissions()...) }
		}},
		{"app", "disabled", func(w *world) func() {
			w.tenant.SetAppEnabled(frontApp, false)
			return func() { w.tenant.SetAppEnabled(frontApp, true) }
		}},
		{"app", "registration disabled", func(w *world) func() {
			w.graph.DisableApp(frontApp, true)
			return func() { w.graph.DisableApp(frontApp, false) }
		}},
		{"credential", "secret expired", func(w *world) func() {
			w.graph.SetSecret(frontApp, clientSecret, time.Now().Add(-time.Hour))
			w.source.Refresh(w.t.Context())
			return func() { w.graph.SetSecret(frontApp, clientSecret, time.Time{}) }
		}},
		{"credential", "another secret", func(w *world) func() {
			w.graph.SetSecret(frontApp, "rolled", time.Time{})
			w.source.Refresh(w.t.Context())
			return func() { w.graph.SetSecret(frontApp, clientSecret, time.Time{}) }
		}},
		{"lookups", "no user is found", func(w *world) func() {
			// A full round shows no user, and asked directly Graph knows none either.
			var ends []func()
			for _, path := range []string{streams["users"], streams["lookups"]} {
				ends = append(ends, w.graph.Fault(graphtest.Fault{Path: path, Times: -1, Match: func(r *http.Request) bool {
					return r.Method == http.MethodPost || !strings.Contains(r.URL.RawQuery, "token")
				}, Respond: func(_ *http.Request, next func() *graphtest.Response) *graphtest.Response {
					response := next()
					response.Body = emptied(response.Body)
					return response
				}}))
			}
			return func() {
				for _, end := range ends {
					end()
				}
			}
		}},
	}
}

// emptied returns a Graph list without its entries, its links as they were.
func emptied(body []byte) []byte {
	from, to := bytes.Index(body, []byte(`"value":[`)), bytes.LastIndexByte(body, ']')
	if from < 0 || to < 0 {
		return body
	}
	return slices.Concat(body[:from], []byte(`"value":[`), body[to:])
}

// frontFaults are answers of the application.
func frontFaults() (out []injectedFault) {
	stages := []struct {
		name  string
		match func(*http.Request) bool
	}{
		{"find", method(http.MethodGet)},
		{"create user", func(r *http.Request) bool {
			return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/Users")
		}},
		{"update user", func(r *http.Request) bool {
			return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Users")
		}},
		{"create group", func(r *http.Request) bool {
			return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/Groups")
		}},
		{"change group", func(r *http.Request) bool {
			return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups")
		}},
	}
	type answerer = func(r *http.Request, next func() (*http.Response, error)) (*http.Response, error)
	raw := func(status int, body string, header ...string) answerer {
		return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			response := scimtest.NewResponse(status, body, append([]string{"Content-Type", "application/scim+json"}, header...)...)
			response.Request = r
			return response, nil
		}
	}
	faults := []struct {
		name   string
		answer answerer
	}{
		{"400", refuse(400, "invalidValue")}, {"401", refuse(401, "")}, {"403", refuse(403, "")}, {"409", refuse(409, "uniqueness")},
		{"413", refuse(413, "")}, {"429", refuse(429, "", "Retry-After", "60")}, {"500", refuse(500, "")}, {"500 though done", belated(500)},
		{"503", refuse(503, "", "Retry-After", "60")}, {"504 though done", belated(504)}, {"answer lost", lose}, {"request lost", drop},
		{"HTML", raw(200, "<html><body>Sign in</body></html>", "Content-Type", "text/html")}, {"nothing", raw(200, "")}, {"null", raw(200, "null")},
		{"empty object", raw(200, "{}")}, {"half a body", raw(200, `{"schemas":["urn:ietf:p`)}, {"2 MB", raw(200, `{"x":"`+strings.Repeat("x", 2<<20)+`"}`)},
		{"deep JSON", raw(200, strings.Repeat(`{"a":`, 200_000))}, {"redirect to another host", raw(302, "", "Location", "https://evil.example/Users")},
		{"redirect that keeps the method", raw(307, "", "Location", "https://evil.example/Users")},
		{"log injection", raw(400, `{"detail":"no\r\nlevel=ERROR msg=\"all accounts deleted\" \u001b[31m"}`)},
		{"echoed credential", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return raw(400, `{"detail":"not with `+r.Header.Get("Authorization")+`"}`)(r, nil)
		}},
	}
	for _, stage := range stages {
		for _, f := range faults {
			out = append(out, injectedFault{stage: stage.name, name: f.name, do: func(w *world) func() {
				w.wire.fault(callFault{name: f.name, match: stage.match, times: -1, answer: f.answer})
				return w.wire.heal
			}})
		}
	}
	endless := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1000000,"itemsPerPage":1,"startIndex":1,"Resources":[{"id":"same","userName":"same"}]}`
	out = append(out, injectedFault{stage: "find", name: "endless list", do: func(w *world) func() {
		w.wire.fault(callFault{name: "endless list", match: method(http.MethodGet), times: -1, answer: raw(200, endless)})
		return w.wire.heal
	}})
	return out
}
