package web_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/web"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// now is when the canned service is looked at.
var now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func id(n int) graphsync.ID {
	id, err := graphsync.ParseID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	if err != nil {
		panic(err)
	}
	return id
}

// A bench is a canned service with its pages.
type bench struct {
	tb      testing.TB
	store   *state.Store
	syncs   []web.Sync
	tenants []web.Tenant
	pages   *web.Server
	http    http.Handler
	log     *strings.Builder
	signIn  bool // links may be for any tenant
}

func newBench(tb testing.TB, access *web.Credential) *bench {
	tb.Helper()
	store, err := state.Open(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	b := &bench{tb: tb, store: store, log: &strings.Builder{}}
	b.pages = web.New(web.Service{
		Store: store, Syncs: func() []web.Sync { return b.syncs }, Tenants: func() ([]web.Tenant, error) { return b.tenants, nil },
		Heartbeat: func() time.Time { return now.Add(-3 * time.Second) },
		Advice: func(code string) string {
			return map[string]string{"required_missing": "Fill the directory attribute it comes from.", "removals": "Look at the names."}[code]
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "entrasync_build_info 1") }),
		Version: "1.0", Log: slog.New(slog.NewTextHandler(b.log, nil)), Now: func() time.Time { return now },
	}, access)
	b.http = b.pages.Handler()
	return b
}

// sync adds a sync of a tenant.
func (b *bench) sync(name, tenant string, number int) *web.Sync {
	b.syncs = append(b.syncs, web.Sync{
		Sync:       &reconcile.Sync{Name: name, TargetName: name, Tenant: id(number), Scope: desired.Scope{All: true, Guests: true}},
		TenantName: tenant, Next: now.Add(12 * time.Minute), Attempted: true,
	})
	return &b.syncs[len(b.syncs)-1]
}

// write changes the state of a tenant.
func (b *bench) write(tenant graphsync.ID, change func(tx *state.Tx) error) {
	b.tb.Helper()
	t, err := b.store.Tenant(tenant)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer t.Close()
	if err := t.Update(change); err != nil {
		b.tb.Fatal(err)
	}
}

// run stores a run that began so long ago.
func (b *bench) run(sync *web.Sync, ago time.Duration, report reconcile.Report, lines ...string) string {
	b.tb.Helper()
	started := now.Add(-ago)
	id := started.Format("20060102T150405.000Z")
	report.Format, report.Sync, report.Tenant, report.Run, report.Started = "entrasync/report/1", sync.Name, sync.Tenant, id, started
	if report.Cycle == "" {
		report.Cycle = reconcile.Incremental
	}
	if report.DurationMS == 0 {
		report.DurationMS = 1840
	}
	b.write(sync.Tenant, func(tx *state.Tx) error {
		for _, line := range lines {
			if err := tx.Runs(sync.Name).AppendLine(id, []byte(line)); err != nil {
				return err
			}
		}
		info := tx.SyncInfo(sync.Name)
		info.LastRun = started
		if report.Result != reconcile.Failed {
			info.LastSuccess = started
		}
		if info.FirstRun.IsZero() {
			info.FirstRun, info.LastFull = started, started
		}
		if err := tx.PutSyncInfo(sync.Name, info); err != nil {
			return err
		}
		return tx.Runs(sync.Name).Put(state.Run{ID: id, Started: started, Ended: started.Add(2 * time.Second), Result: string(report.Result), Report: encode(b.tb, report)})
	})
	return id
}

// hold stores a hold with its actions, as a cycle leaves them.
func (b *bench) hold(sync *web.Sync, hold, guard, cause string, people ...string) {
	b.tb.Helper()
	b.write(sync.Tenant, func(tx *state.Tx) error {
		for i, key := range people {
			target := fmt.Sprintf("t-%d", i+1)
			action := plan.Action{Op: plan.Deactivate, Kind: graphsync.User, SourceID: id(9000 + i), TargetID: &target, Key: key,
				Changes: []plan.Change{{Attribute: "active", Old: true, New: false}}, Why: "no longer assigned", Cause: cause}
			text := strings.TrimSuffix(string(encode(b.tb, action)), "}") +
				fmt.Sprintf(`,"held":{"guard":%s,"cause":%s}}`, encode(b.tb, guard), encode(b.tb, cause))
			source := id(9000 + i)
			key := append(append([]byte{1}, source[:]...), 0, 0, 0, 0)                               // users, source id, no parts
			if err := tx.Space(sync.Name, "held").Put(key, append([]byte{3}, text...)); err != nil { // 3: deactivate
				return err
			}
		}
		return tx.Holds(sync.Name).Put(state.Hold{ID: hold, Guard: guard, Cause: cause, Since: now.Add(-50 * time.Minute), Count: len(people), Sample: people[:min(10, len(people))]})
	})
}

// users puts people into the snapshot.
func (b *bench) users(tenant graphsync.ID, users ...graphsync.Change) {
	b.tb.Helper()
	b.write(tenant, func(tx *state.Tx) error {
		if err := tx.Cursors().BeginRound(graphsync.Users, "", now); err != nil {
			return err
		}
		_, err := tx.PutPage(graphsync.Users, &graphsync.Page{Changes: users, Delta: "https://graph.example/delta"}, now, nil)
		return err
	})
}

func user(n int, properties ...string) graphsync.Change {
	c := graphsync.Change{Kind: graphsync.User, ID: id(n)}
	for i := 0; i < len(properties); i += 2 {
		value, _ := json.Marshal(properties[i+1])
		c.Properties = append(c.Properties, graphsync.Property{Name: properties[i], Value: value})
	}
	return c
}

func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// get asks for a page as a browser on this machine does.
func (b *bench) get(path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Host = "127.0.0.1:8417"
	return b.do(r)
}

func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.http.ServeHTTP(w, r)
	return w
}

// canned is a service with something of everything.
func canned(tb testing.TB) *bench {
	b := newBench(tb, nil)
	b.syncs = make([]web.Sync, 0, 8) // pointers into it stay valid

	front := b.sync("front", "contoso", 1)
	for i := range 40 {
		report := reconcile.Report{Result: reconcile.OK, Summary: reconcile.Summary{Update: i * 7 % 11, Create: i % 4 / 3, Unchanged: 118}}
		report.Graph.Requests, report.Graph.Objects = 3, int64(i%5)
		if i == 9 {
			report.Result = reconcile.Failed
			report.Failure = &reconcile.CycleFailure{Code: "unreachable", Message: "graph.microsoft.com does not answer"}
		}
		if i == 22 {
			report.Result = reconcile.Partial
			report.Errors = []plan.Failure{{Kind: graphsync.User, SourceID: id(101), Key: "x", Op: plan.Update, Code: "target_rejected", Message: "no"}}
		}
		b.run(front, time.Duration(i+2)*30*time.Minute, report)
	}
	last := reconcile.Report{
		Result: reconcile.Partial, DurationMS: 73_400,
		Summary: reconcile.Summary{Create: 2, Update: 1, Members: 1, Held: 3, Skipped: 1, Unchanged: 118},
		Errors: []plan.Failure{{Kind: graphsync.User, SourceID: id(102), Key: "grace@contoso.example", Op: plan.Create, Code: "target_rejected",
			Message: "the target refused it with 400: userName must be shorter than 20 characters", RetryAt: "2026-11-22T10:18:00Z"}},
		Skipped: []plan.Skipped{{Kind: graphsync.User, SourceID: id(103), Key: "bob@contoso.example", Code: "required_missing", Why: "name.givenName is required and givenName is empty"}},
		Notes:   []string{"the list of app roles changed: everybody is evaluated"},
	}
	last.Graph = reconcile.GraphTraffic{Pages: 2, Objects: 14, Requests: 9, Throttled: 1}
	last.Target = reconcile.TargetTraffic{Requests: 6}
	b.run(front, 18*time.Minute, last,
		`{"op":"create","kind":"user","source_id":"`+id(101).String()+`","target_id":"t-9","key":"ada@contoso.example","changes":[{"attribute":"userName","old":null,"new":"ada@contoso.example"},{"attribute":"name.givenName","old":null,"new":"Ada"}],"why":"assigned through group Sales","outcome":"done"}`,
		`{"op":"create","kind":"user","source_id":"`+id(102).String()+`","target_id":null,"key":"grace@contoso.example","changes":[{"attribute":"userName","old":null,"new":"grace@contoso.example"}],"why":"assigned directly","outcome":"failed","error":{"kind":"user","source_id":"`+id(102).String()+`","key":"grace@contoso.example","op":"create","code":"target_rejected","message":"the target refused it with 400"}}`,
		`{"op":"update","kind":"user","source_id":"`+id(104).String()+`","target_id":"t-3","key":"alan@contoso.example","changes":[{"attribute":"title","old":"Analyst","new":"Director"},{"attribute":"nickName","old":"Al","new":null}],"why":"changed in the directory","outcome":"done"}`,
		`{"op":"members","kind":"group","source_id":"`+id(201).String()+`","target_id":"g-1","key":"Sales","add":["`+id(101).String()+`"],"remove":["`+id(103).String()+`"],"why":"members changed","outcome":"done"}`,
	)
	b.write(front.Tenant, func(tx *state.Tx) error {
		for n := range 121 {
			link := state.Link{Kind: graphsync.User, Source: id(1000 + n), TargetID: fmt.Sprint("t-", n), Key: fmt.Sprint("u", n), Active: true, Since: now}
			if n == 0 {
				link.Source, link.Key, link.LastOp, link.LastAt = id(101), "ada@contoso.example", "create", now.Add(-18*time.Minute)
			}
			if err := tx.Links("front").Put(link); err != nil {
				return err
			}
		}
		if err := tx.Retries("front").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: id(102)}, Code: "target_rejected", Op: "create", Name: "grace@contoso.example",
			Message: "the target refused it with 400: userName must be shorter than 20 characters", First: now.Add(-26 * time.Hour), Next: now.Add(48 * time.Minute), Attempts: 2}); err != nil {
			return err
		}
		return tx.Retries("front").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: id(103)}, Code: "required_missing", Name: "bob@contoso.example",
			Message: "name.givenName is required and givenName is empty", First: now.Add(-72 * time.Hour), Next: now, Skipped: true})
	})
	b.hold(front, "h-1", "removals", "group Sales lost its assignment", "ken@contoso.example", "dennis@contoso.example", "brian@contoso.example")
	b.users(front.Tenant,
		user(101, "displayName", "Ada Lovelace", "userPrincipalName", "ada@contoso.example", "mail", "ada@contoso.example"),
		user(102, "displayName", "Grace Hopper", "userPrincipalName", "grace@contoso.example"),
		user(103, "displayName", "Bob Kahn", "userPrincipalName", "bob@contoso.example"))

	fabrikam := b.sync("front", "fabrikam", 2)
	b.run(fabrikam, 21*time.Minute, reconcile.Report{Result: reconcile.Failed, DurationMS: 310, Failure: &reconcile.CycleFailure{
		Code: "credential_expired", Message: "the client secret of app 6a1e0000 has expired [AADSTS7000222]", Hint: "make a new one in the app registration and put it where client_secret_file points"}})

	engagement := b.sync("engagement", "contoso", 1)
	b.run(engagement, 40*time.Minute, reconcile.Report{Result: reconcile.Failed, DurationMS: 900, Failure: &reconcile.CycleFailure{Code: "target_unavailable", Message: "people.example answers 503"}})
	b.write(engagement.Tenant, func(tx *state.Tx) error {
		info := tx.SyncInfo("engagement")
		info.Quarantine = &state.Quarantine{Since: now.Add(-3 * time.Hour), Code: "target_unavailable", Message: "most records fail: people.example answers 503", NextProbe: now.Add(20 * time.Minute), Probes: 2}
		return tx.PutSyncInfo("engagement", info)
	})

	b.run(b.sync("archive", "northwind", 3), 9*time.Minute, reconcile.Report{Result: reconcile.OK, Summary: reconcile.Summary{Unchanged: 2400}})
	running := b.sync("archive", "tailspin", 4)
	running.Since, running.Next, running.Attempted = now.Add(-40*time.Second), now.Add(29*time.Minute), false
	closed := b.sync("archive", "wingtip", 5)
	closed.Paused, closed.Next = true, time.Time{}
	broken := b.sync("archive", "litware", 6)
	broken.Problem = &web.Problem{At: now.Add(-5 * time.Minute), Message: "open target archive: /srv/archive is not writable", Hint: "give the service's user the right to write there"}

	const soon = "the credential that reads the directory ends on 2026-12-01; add a new client secret or certificate to the app registration and put it in place, it is picked up without a restart"
	b.tenants = []web.Tenant{
		{Name: "contoso", ID: id(1), Origin: "file", State: "active", Since: now.AddDate(0, -2, 0), CredentialEnds: now.AddDate(1, 0, 0)},
		{Name: "fabrikam", ID: id(2), Origin: "file", State: "credential_expired", Message: "the client secret has expired; add a new one", Since: now.Add(-21 * time.Minute)},
		{Name: "litware", ID: id(6), Origin: "file", State: "active"},
		{Name: "northwind", ID: id(3), Origin: "consent", State: "active", Message: soon, Note: "Northwind Traders", CredentialEnds: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		{Name: "old", ID: id(8), Origin: "file", State: "not_configured", Message: "no longer in the configuration; forget it with: entrasync tenants remove old"},
		{Name: "tailspin", ID: id(4), Origin: "consent", State: "active", Message: "no cycle has run yet"},
		{Name: "wingtip", ID: id(5), Origin: "file", State: "paused", Message: "paused in the configuration"},
		{Name: "woodgrove", ID: id(7), Origin: "consent", State: "active", Note: "Woodgrove Bank", Since: now.Add(-time.Hour)},
	}
	return b
}

// invitations stores one of each state.
func (b *bench) invitations() {
	b.tb.Helper()
	visit := []state.ConsentVisit{{Expires: now.Add(time.Hour)}}
	for n, i := range []state.Invitation{
		{Note: "Adatum", Expires: now.AddDate(0, 0, 7)},
		{Tenant: id(11), Expires: now.AddDate(0, 0, 6), Begun: visit},
		{Note: "Contoso Pharma", Expires: now.AddDate(0, 0, 5), Claim: &state.ConsentClaim{Tenant: id(12), Since: now}},
		{Note: "Fourth Coffee", Expires: now.AddDate(0, 0, 4), Claim: &state.ConsentClaim{Tenant: id(13), Since: now.Add(-time.Hour), Problem: "The consent does not include GroupMember.Read.All.", Hint: "Tell the person who sent you the link."}},
		{Note: "Woodgrove Bank", Expires: now.AddDate(0, 0, 3), Claim: &state.ConsentClaim{Tenant: id(7), Since: now.Add(-time.Hour), Joined: true, Name: "Woodgrove Bank"}},
		{Note: "Graphic Design", Expires: now.AddDate(0, 0, -1)},
		{Note: "Humongous Insurance", Expires: now.AddDate(0, 0, 2), Declined: &state.ConsentRefusal{At: now.Add(-10 * time.Minute), Reason: "The consent was declined (access_denied)"}},
	} {
		i.Created = now.Add(-time.Duration(n+1) * time.Hour)
		if err := b.store.Invitations().Put(state.InvitationKey{byte(n + 1), 0xab}, i); err != nil {
			b.tb.Fatal(err)
		}
	}
}
