package msgraph_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A world is an emulator on a TLS socket with one tenant and its app.
type world struct {
	server *graphtest.Server
	tenant *graphtest.Tenant
	app    graphtest.AppSpec
	sp     graphsync.ID
	cloud  graphsync.Cloud
}

func newWorld(t *testing.T, opts graphtest.Options, app graphtest.AppSpec) *world {
	t.Helper()
	w := &world{server: graphtest.New(opts)}
	run, err := w.server.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	if w.cloud, err = graphsync.CustomCloud(run.URL, run.URL); err != nil {
		t.Fatal(err)
	}
	w.tenant = w.server.AddTenant(graphtest.TenantSpec{})
	if app.Secret == "" {
		app.Secret = planted
	}
	w.app, w.sp = w.tenant.App(app)
	return w
}

// config reads the world's tenant with the app's secret, trusting the emulator's authority.
func (w *world) config() msgraph.Config {
	return msgraph.Config{
		Tenant: w.tenant.ID(), Cloud: w.cloud,
		HTTP: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.server.CAPool()}, ForceAttemptHTTP2: true},
		Credential: msgraph.Credential{
			ClientID: w.app.ClientID,
			Secret:   func() (string, error) { return w.app.Secret, nil },
		},
	}
}

func (w *world) open(t *testing.T, edits ...func(*msgraph.Config)) *msgraph.Source {
	t.Helper()
	cfg := w.config()
	for _, edit := range edits {
		edit(&cfg)
	}
	s, err := msgraph.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// round reads a stream to its delta link.
func round(t *testing.T, s *msgraph.Source, stream graphsync.Stream, properties []string, link string) (changes []graphsync.Change, delta string, pages int) {
	t.Helper()
	for {
		page, err := s.DeltaPage(t.Context(), stream, properties, link)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Skipped) > 0 {
			t.Fatalf("skipped %v", page.Skipped)
		}
		changes, pages = append(changes, page.Changes...), pages+1
		if page.Delta != "" {
			return changes, page.Delta, pages
		}
		link = page.Next
	}
}

var userProperties = []string{"id", "displayName", "mail", "accountEnabled", "department"}

func TestRoundOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{PageSize: 30, MembersPageSize: 25}, graphtest.AppSpec{Roles: graphtest.DefaultRoles()})
	w.tenant.Populate(graphtest.GenerateOptions{Users: 200, App: w.app.ClientID})
	want := w.tenant.Snapshot()
	s := w.open(t)

	changes, delta, pages := round(t, s, graphsync.Users, userProperties, "")
	if pages < 5 {
		t.Errorf("only %d pages", pages)
	}
	got := map[graphsync.ID]map[string]any{}
	for _, c := range changes {
		got[c.ID] = map[string]any{}
		for _, p := range c.Properties {
			var value any
			if err := json.Unmarshal(p.Value, &value); err != nil {
				t.Fatal(err)
			}
			got[c.ID][p.Name] = value
		}
	}
	if len(got) != len(want.Users) {
		t.Fatalf("%d users, want %d", len(got), len(want.Users))
	}
	for _, u := range want.Users {
		selected := map[string]any{}
		for _, name := range userProperties[1:] {
			if value, set := u.Properties[name]; set {
				selected[name] = value
			}
		}
		if diff := gocmp.Diff(selected, got[u.ID]); diff != "" {
			t.Errorf("user %s (-want +got):\n%s", u.ID, diff)
		}
	}

	// Nothing changed, then one of everything.
	changes, delta, _ = round(t, s, graphsync.Users, userProperties, delta)
	if len(changes) != 0 {
		t.Fatalf("an empty round brings %v", changes)
	}
	one, two, three := want.Users[0].ID, want.Users[1].ID, want.Users[2].ID
	w.tenant.Set(one, "mail", nil)
	w.tenant.SoftDelete(two, three)
	w.tenant.Purge(three)
	changes, _, _ = round(t, s, graphsync.Users, userProperties, delta)
	seen := map[graphsync.ID]graphsync.Change{}
	for _, c := range changes {
		seen[c.ID] = c
	}
	if len(seen) != 3 || seen[two].Removed != graphsync.SoftDeleted || seen[three].Removed != graphsync.Purged {
		t.Errorf("changes: %v", changes)
	}
	if i := slices.IndexFunc(seen[one].Properties, func(p graphsync.Property) bool { return p.Name == "mail" }); i < 0 || string(seen[one].Properties[i].Value) != "null" {
		t.Errorf("a cleared mail arrives as %v", seen[one].Properties)
	}
}

func TestGroupsAndMembersOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{PageSize: 7, MembersPageSize: 25}, graphtest.AppSpec{})
	w.tenant.Populate(graphtest.GenerateOptions{Users: 150})
	s := w.open(t)
	changes, _, _ := round(t, s, graphsync.Groups, []string{"id", "displayName", "members"}, "")
	members := map[graphsync.ID]map[graphsync.ID]bool{}
	for _, c := range changes {
		if members[c.ID] == nil {
			members[c.ID] = map[graphsync.ID]bool{}
		}
		for _, m := range c.Members {
			members[c.ID][m.ID] = !m.Removed
		}
	}
	for _, g := range w.tenant.Snapshot().Groups {
		want := slices.SortedFunc(slices.Values(g.Members), compareIDs)
		if diff := gocmp.Diff(want, slices.SortedFunc(maps.Keys(members[g.ID]), compareIDs), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("members of %s by delta (-want +got):\n%s", g.Properties["displayName"], diff)
		}
		var direct []graphsync.ID
		_, err := s.Members(t.Context(), g.ID, func(page []graphsync.MemberChange) error {
			for _, m := range page {
				direct = append(direct, m.ID)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(direct, compareIDs)
		if diff := gocmp.Diff(want, direct, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("members of %s (-want +got):\n%s", g.Properties["displayName"], diff)
		}
	}
}

func compareIDs(a, b graphsync.ID) int { return cmp.Compare(a.String(), b.String()) }

func TestAppAndAssignmentsOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{Name: "Front", Roles: []graphtest.AppRole{{Value: "Admin"}, {Value: "Old", Disabled: true}}})
	s := w.open(t)
	app, err := s.App(t.Context(), strings.ToUpper(w.app.ClientID))
	if err != nil {
		t.Fatal(err)
	}
	if app.ID != w.sp || app.Name != "Front" || !app.Enabled || app.AppID != w.app.ClientID || len(app.Roles) != 2 {
		t.Errorf("app: %+v", app)
	}
	roles := map[string]graphsync.AppRole{}
	for _, r := range app.Roles {
		roles[r.Value] = r
	}
	if !roles["Admin"].Enabled || roles["Old"].Enabled {
		t.Errorf("roles: %+v", app.Roles)
	}

	want := map[string]graphsync.Assignment{}
	for i := range 1200 { // two pages of 999
		user := w.tenant.AddUser(nil)
		role, roleID := "", graphsync.ID{}
		if i%2 == 0 {
			role, roleID = "Admin", roles["Admin"].ID
		}
		id := w.tenant.Assign(w.app.ClientID, user, role)
		want[id] = graphsync.Assignment{ID: id, Principal: user, PrincipalKind: graphsync.User, Role: roleID}
	}
	group := w.tenant.AddGroup(nil)
	id := w.tenant.Assign(w.app.ClientID, group, "Admin")
	want[id] = graphsync.Assignment{ID: id, Principal: group, PrincipalKind: graphsync.Group, Role: roles["Admin"].ID}
	_, other := w.tenant.App(graphtest.AppSpec{Name: "Robot"})
	w.tenant.Assign(w.app.ClientID, other, "Admin") // counted by Graph, not yielded

	read := func() (map[string]graphsync.Assignment, error) {
		got := map[string]graphsync.Assignment{}
		_, err := s.Assignments(t.Context(), w.sp, func(page []graphsync.Assignment) error {
			for _, a := range page {
				got[a.ID] = a
			}
			return nil
		})
		return got, err
	}
	got, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("assignments (-want +got):\n%s", diff)
	}
	for name, fault := range map[string]graphtest.Fault{"missing row": graphtest.MissingRow(), "wrong count": graphtest.WrongCount(1)} {
		end := w.server.Fault(fault.On("/v1.0/servicePrincipals/*/appRoleAssignedTo"))
		if _, err := read(); !errors.Is(err, graphsync.ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
		end()
	}
	stop := errors.New("stop")
	if _, err := s.Assignments(t.Context(), w.sp, func([]graphsync.Assignment) error { return stop }); err != stop {
		t.Errorf("yield's error becomes %v", err)
	}
	if _, err := s.App(t.Context(), "99999999-0000-4000-8000-000000000000"); explained(t, err, graphsync.ConsentMissing).Status != 404 {
		t.Error(err)
	}
}

func TestPresenceOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	var ids []graphsync.ID
	for range 1005 { // two batches of at most 1,000
		ids = append(ids, w.tenant.AddUser(nil))
	}
	ids = append(ids, mustID("99999999-0000-4000-8000-000000000000"))
	w.tenant.SoftDelete(ids[1], ids[2])
	w.tenant.Purge(ids[2])
	want := make([]graphsync.Presence, len(ids))
	for i := range want {
		want[i] = graphsync.Present
	}
	want[1], want[2], want[len(want)-1] = graphsync.InDeletedItems, graphsync.Absent, graphsync.Absent
	s := w.open(t)
	got, err := s.Presence(t.Context(), graphsync.User, ids)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("presence (-want +got):\n%s", diff)
	}

	// Where getByIds is refused, one by one; where deleted items are refused, no object is absent.
	refuse := func(path string) {
		w.server.Fault(graphtest.GraphFailure(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.").On(path).Always())
	}
	refuse("/v1.0/directoryObjects/getByIds")
	if got, err = s.Presence(t.Context(), graphsync.User, ids[:3]); err != nil || !slices.Equal(got, want[:3]) {
		t.Errorf("one by one: %v, %v", got, err)
	}
	refuse("/v1.0/directory/deletedItems/*")
	if got, err = s.Presence(t.Context(), graphsync.User, ids[:3]); err != nil || !slices.Equal(got, []graphsync.Presence{graphsync.Present, graphsync.Unknown, graphsync.Unknown}) {
		t.Errorf("without deleted items: %v, %v", got, err)
	}
	if got, err := s.Presence(t.Context(), graphsync.Group, nil); err != nil || len(got) != 0 {
		t.Errorf("presence of no objects: %v, %v", got, err)
	}
}

func TestDiagnosisOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	s := w.open(t)
	org, err := s.Organization(t.Context())
	if err != nil || org.ID != w.tenant.ID() || org.Name != w.tenant.Name() || !slices.Equal(org.Domains, []string{w.tenant.Domain()}) {
		t.Errorf("organization %+v, %v", org, err)
	}
	roles, err := s.Permissions(t.Context())
	want := slices.Sorted(slices.Values(graphtest.DefaultPermissions()))
	if err != nil || !slices.Equal(roles, want) {
		t.Errorf("permissions %v, want %v: %v", roles, want, err)
	}
	if traffic := s.Traffic(); traffic.Requests != 1 || traffic.Bytes == 0 {
		t.Errorf("traffic %+v", traffic)
	}
}

// Faults as the emulator makes them on a real connection.
func TestPassingFaultsOverTLS(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]graphtest.Fault{
		"truncated": graphtest.TruncatedBody(), "dropped": graphtest.DropConnection(), "broken": graphtest.BrokenJSON(), "html": graphtest.HTMLPage(),
		"throttled": graphtest.Throttle("0.2"), "unavailable": graphtest.Unavailable("0.2"), "empty page": graphtest.EmptyPage(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, graphtest.Options{PageSize: 10}, graphtest.AppSpec{})
			w.tenant.Populate(graphtest.GenerateOptions{Users: 30})
			s := w.open(t)
			w.server.Fault(fault.On("/v1.0/users/delta").Skip(1))
			if changes, _, _ := round(t, s, graphsync.Users, userProperties, ""); len(changes) != 30 {
				t.Errorf("%d users", len(changes))
			}
		})
	}
}

func TestLastingFaultsOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{PageSize: 10}, graphtest.AppSpec{})
	w.tenant.Populate(graphtest.GenerateOptions{Users: 30})
	s := w.open(t)
	first, err := s.DeltaPage(t.Context(), graphsync.Users, userProperties, "")
	if err != nil {
		t.Fatal(err)
	}
	next := first.Next
	for name, test := range map[string]struct {
		fault graphtest.Fault
		is    error
	}{
		"expired":   {graphtest.Expired410(), graphsync.ErrResync},
		"resync":    {graphtest.ResyncRequired(), graphsync.ErrResync},
		"not found": {graphtest.SyncStateNotFound(400), graphsync.ErrResync}, "foreign": {graphtest.ForeignNextLink("evil.test"), graphsync.ErrForeignLink},
		"http": {graphtest.HTTPNextLink(), graphsync.ErrForeignLink},
	} {
		w.server.Fault(test.fault.On("/v1.0/users/delta"))
		if _, err := s.DeltaPage(t.Context(), graphsync.Users, userProperties, next); !errors.Is(err, test.is) {
			t.Errorf("%s: %v", name, err)
		}
		w.server.Reset()
	}
	w.server.Fault(graphtest.BadRecord(`{"id":"unnamed"}`).On("/v1.0/users/delta"))
	page, err := s.DeltaPage(t.Context(), graphsync.Users, userProperties, "")
	if err != nil || len(page.Skipped) != 1 || len(page.Changes) != 10 {
		t.Errorf("a bad record: %+v, %v", page, err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	w.tenant.Populate(graphtest.GenerateOptions{Users: 20})
	s := w.open(t)
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := s.DeltaPage(context.WithoutCancel(t.Context()), graphsync.Users, userProperties, "")
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	tokens := 0
	for _, r := range w.server.Requests() {
		if strings.HasSuffix(r.Path, "/token") {
			tokens++
		}
	}
	if tokens != 1 {
		t.Errorf("%d tokens for 8 requests at once", tokens)
	}
}

// A single object is read with the properties that were selected, a user's manager among them.
func TestObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{Name: "Front"})
	s := w.open(t)
	ada, bob := w.tenant.AddUser(graphtest.Props{"displayName": "Ada", "jobTitle": "Boss"}), w.tenant.AddUser(nil)
	group := w.tenant.AddGroup(graphtest.Props{"displayName": "Sales"}, ada)
	w.tenant.SetManager(bob, ada)
	read := func(kind graphsync.Kind, id graphsync.ID, properties ...string) map[string]string {
		t.Helper()
		object, err := s.Object(t.Context(), kind, id, properties)
		if err != nil {
			t.Fatal(err)
		}
		if object == nil {
			return nil
		}
		got := map[string]string{}
		for _, p := range object.Properties {
			got[p.Name] = string(p.Value)
		}
		return got
	}
	for name, test := range map[string]struct{ got, want map[string]string }{
		"manager":      {read(graphsync.User, bob, "id", "jobTitle", "manager"), map[string]string{"jobTitle": "null", "manager": `"` + ada.String() + `"`}},
		"no manager":   {read(graphsync.User, ada, "id", "jobTitle", "manager"), map[string]string{"jobTitle": `"Boss"`, "manager": "null"}},
		"not selected": {read(graphsync.User, ada, "displayName"), map[string]string{"displayName": `"Ada"`}},
		"group":        {read(graphsync.Group, group, "id", "displayName", "members"), map[string]string{"displayName": `"Sales"`}},
		"no such user": {read(graphsync.User, group, "id"), nil},
	} {
		if diff := gocmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	kinds, err := s.Kinds(t.Context(), []graphsync.ID{group, mustID(u1), ada})
	if err != nil || !slices.Equal(kinds, []graphsync.Kind{graphsync.Group, 0, graphsync.User}) {
		t.Errorf("kinds %v, %v", kinds, err)
	}
}
