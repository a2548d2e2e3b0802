package graphtest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

type object = map[string]any

var (
	u1 = mustID("00000000-0000-4000-8000-0000000000a1")
	u2 = mustID("00000000-0000-4000-8000-0000000000a2")
	u9 = mustID("00000000-0000-4000-8000-0000000000a9")
	g1 = mustID("00000000-0000-4000-8000-0000000000b1")
	g2 = mustID("00000000-0000-4000-8000-0000000000b2")
)

func mustID(s string) graphsync.ID {
	id, err := graphsync.ParseID(s)
	if err != nil {
		panic(err)
	}
	return id
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The shapes of the delta query overview and of user: delta, restated.
func TestDeltaShapes(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{PageSize: 2})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada", "accountEnabled": true, "mail": "ada@x.example"})
	b.tenant.AddUser(graphtest.Props{"id": u9, "displayName": "Mo"})
	b.tenant.AddUser(graphtest.Props{"id": u2, "displayName": "Bob"})
	b.tenant.SetManager(u1, u9)

	first := b.get("/users/delta?$select=id,displayName,accountEnabled,mail,manager")
	golden(t, "users-first-page.json", first)
	second := b.get(first.text(t, "@odata.nextLink"))
	golden(t, "users-last-page.json", second)
	b.tenant.Set(u1, "mail", nil)
	b.tenant.SoftDelete(u2)
	b.tenant.SetManager(u1, graphsync.ID{})
	changed := second.text(t, "@odata.deltaLink")
	golden(t, "users-changes.json", b.get(changed))
	golden(t, "users-changes-minimal.json", b.get(changed, "Prefer", "return=minimal"))

	b.tenant.AddGroup(graphtest.Props{"id": g2, "displayName": "Nested"})
	b.tenant.AddGroup(graphtest.Props{"id": g1, "displayName": "Sales"}, u1, u2, g2)
	groups := b.get("/groups/delta?$select=displayName,members")
	golden(t, "groups.json", groups)
	b.tenant.RemoveMember(g1, u2)
	golden(t, "groups-changes.json", b.get(groups.text(t, "@odata.deltaLink")))
	golden(t, "expired.json", &response{body: stable(b.get("/users/delta?$deltatoken=" + foreignToken(t)).body)})
}

// stable blanks what an error body has of the moment.
func stable(body []byte) []byte {
	s := string(body)
	at := strings.Index(s, `,"innerError"`)
	return []byte(s[:at] + "}}")
}

// foreignToken is a token of a server that is no more.
func foreignToken(t *testing.T) string {
	b := inProcess(t, graphtest.Options{})
	_, link, _ := b.round("/users/delta")
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("$deltatoken")
}

func TestNeverSetIsAbsentAndClearedIsNull(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada", "department": "Sales"})
	entries, link, _ := b.round("/users/delta?$select=displayName,department,jobTitle")
	diff(t, []object{{"id": u1.String(), "displayName": "Ada", "department": "Sales"}}, entries)

	b.tenant.Set(u1, "department", nil)
	b.tenant.Set(u1, "jobTitle", nil) // never set: no change
	entries, _, _ = b.round(link)
	diff(t, []object{{"id": u1.String(), "displayName": "Ada", "department": nil}}, entries)
	entries, _, _ = b.round(link, "Prefer", "return=minimal")
	diff(t, []object{{"id": u1.String(), "department": nil}}, entries)
	entries, _, _ = b.round("/users/delta?$select=department")
	diff(t, []object{{"id": u1.String(), "department": nil}}, entries)
}

func TestUnselectedChangeDoesNotSurface(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada"})
	_, link, _ := b.round("/users/delta?$select=displayName")
	b.tenant.Set(u1, "city", "Cairo")
	entries, link, _ := b.round(link)
	diff(t, 0, len(entries))
	b.tenant.Set(u1, "displayName", "Ada L.")
	b.tenant.Set(u1, "city", "Lagos") // the later change is not tracked, the earlier one is
	entries, _, _ = b.round(link)
	diff(t, []object{{"id": u1.String(), "displayName": "Ada L."}}, entries)
}

func TestDeletionLifecycle(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }, TokenLifetime: 1000 * time.Hour})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada"})
	b.tenant.AddUser(graphtest.Props{"id": u2, "displayName": "Bob"})
	b.tenant.AddGroup(graphtest.Props{"id": g1, "displayName": "Sales"}, u1, u2)
	_, users, _ := b.round("/users/delta?$select=displayName")
	_, groups, _ := b.round("/groups/delta?$select=displayName,members")

	b.tenant.SoftDelete(u1)
	entries, users, _ := b.round(users)
	diff(t, []object{{"id": u1.String(), "@removed": object{"reason": "changed"}}}, entries)
	entries, groups, _ = b.round(groups)
	diff(t, 0, len(entries)) // a soft-deleted user keeps the membership

	b.tenant.Restore(u1)
	entries, users, _ = b.round(users)
	diff(t, []object{{"id": u1.String(), "displayName": "Ada"}}, entries)

	b.tenant.SoftDelete(u1)
	_, users, _ = b.round(users)
	for range 5 { // 30 days, with the links kept young
		now = now.Add(6 * 24 * time.Hour)
		entries, users, _ = b.round(users)
		_, groups, _ = roundOrMembers(b, groups, &entries)
	}
	diff(t, []object{{"id": u1.String(), "@removed": object{"reason": "deleted"}}}, entries[:1])
	diff(t, []object{{"id": g1.String(), "displayName": "Sales", "members@delta": []any{
		object{"@odata.type": "#microsoft.graph.user", "id": u1.String(), "@removed": object{"reason": "deleted"}}}}}, entries[1:])

	entries, _, _ = b.round("/users/delta?$select=displayName")
	diff(t, []object{{"id": u2.String(), "displayName": "Bob"}}, entries) // no tombstones for a new client
}

// roundOrMembers appends the entries of another round.
func roundOrMembers(b *bench, link string, entries *[]object) ([]object, string, int) {
	more, next, pages := b.round(link)
	*entries = append(*entries, more...)
	return more, next, pages
}

func TestLargeGroupComesInParts(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	var people []graphsync.ID
	for range 1201 {
		people = append(people, b.tenant.AddUser(nil))
	}
	b.tenant.AddGroup(graphtest.Props{"id": g1, "displayName": "All"}, people...)
	b.tenant.AddGroup(graphtest.Props{"id": g2, "displayName": "Small"}, people[0])
	link := "/groups/delta?$select=displayName,members"
	members := map[any]int{}
	parts, pages := 0, 0
	for link != "" {
		page := b.get(link)
		links := 0
		for _, entry := range page.value(t) {
			list, _ := entry["members@delta"].([]any)
			links += len(list)
			if entry["id"] != g1.String() {
				continue
			}
			if _, named := entry["displayName"]; named != (parts == 0) {
				t.Errorf("part %d has a displayName: %t; only the first has", parts, named)
			}
			parts++
			for _, m := range list {
				members[m.(object)["id"]]++
			}
		}
		if links > 500 {
			t.Errorf("page %d has %d member entries, more than 500", pages, links)
		}
		pages++
		link = page.text(t, "@odata.nextLink")
	}
	if len(members) != 1201 || parts < 3 || pages != 3 {
		t.Errorf("%d members in %d parts on %d pages, want 1201 in 3 or more on 3", len(members), parts, pages)
	}
}

func TestChangesWhilePagingAreToldInTheSameRoundOrLater(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{PageSize: 3})
	for i := range 7 {
		b.tenant.AddUser(graphtest.Props{"displayName": fmt.Sprint("User ", i)})
	}
	first := b.get("/users/delta?$select=displayName")
	seen := first.value(t)[0]["id"].(string)
	b.tenant.Set(mustID(seen), "displayName", "Changed")
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Late"})
	entries, link, _ := b.round(first.text(t, "@odata.nextLink"))
	names := map[any]any{}
	for _, e := range entries {
		names[e["id"]] = e["displayName"]
	}
	if names[seen] != "Changed" || names[u1.String()] != "Late" {
		t.Errorf("the round told %v, want the change and the newcomer too", names)
	}
	entries, _, _ = b.round(link)
	diff(t, 0, len(entries))
}

func TestLatestTokenSkipsWhatIs(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1})
	entries, link, _ := b.round("/users/delta?$select=displayName&$deltatoken=latest")
	diff(t, 0, len(entries))
	b.tenant.Set(u1, "displayName", "Ada")
	entries, _, _ = b.round(link)
	diff(t, []object{{"id": u1.String(), "displayName": "Ada"}}, entries)
}

func TestQuietRestores(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{QuietRestores: true})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada"})
	b.tenant.SoftDelete(u1)
	_, link, _ := b.round("/users/delta?$select=displayName")
	b.tenant.Restore(u1)
	entries, _, _ := b.round(link)
	diff(t, 0, len(entries))
	entries, _, _ = b.round("/users/delta?$select=displayName")
	diff(t, []object{{"id": u1.String(), "displayName": "Ada"}}, entries)
}

func TestFilterByID(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	for _, id := range []graphsync.ID{u1, u2, u9} {
		b.tenant.AddUser(graphtest.Props{"id": id, "displayName": "x"})
	}
	filter := url.QueryEscape("id eq '" + u1.String() + "' or id eq '" + u9.String() + "'")
	entries, link, _ := b.round("/users/delta?$select=id&$filter=" + filter)
	diff(t, []object{{"id": u1.String()}, {"id": u9.String()}}, entries)
	b.tenant.SoftDelete(u1, u2)
	entries, _, _ = b.round(link)
	diff(t, []object{{"id": u1.String(), "@removed": object{"reason": "changed"}}}, entries)
}

func TestDirectoryExtensionsOfOneTypeComeTogether(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	ext := "extension_" + strings.Repeat("0123456789abcdef", 2) + "_"
	b.tenant.AddUser(graphtest.Props{"id": u1, ext + "a": "1", ext + "b": "2", ext + "flag": true})
	_, link, _ := b.round("/users/delta?$select=" + ext + "a," + ext + "b," + ext + "flag")
	b.tenant.Set(u1, ext+"a", "3")
	entries, _, _ := b.round(link, "Prefer", "return=minimal")
	diff(t, []object{{"id": u1.String(), ext + "a": "3", ext + "b": "2"}}, entries)
}

func TestDeltaTokenExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }})
	_, link, _ := b.round("/users/delta?$select=id")
	now = now.Add(7 * 24 * time.Hour)
	b.login()
	if got := b.get(link); got.status != 200 {
		t.Errorf("after seven days: %d %s", got.status, got.body)
	}
	now = now.Add(time.Second)
	got := b.get(link)
	if got.status != http.StatusGone || got.code(t) != "syncStateNotFound" {
		t.Errorf("after more than seven days: %d %s", got.status, got.body)
	}
	diff(t, b.base+"/v1.0/users/delta?$deltatoken=", got.header.Get("Location"))
	if again := b.get(got.header.Get("Location")); again.status != 200 {
		t.Errorf("Location: %d %s", again.status, again.body)
	}
}

func TestDeltaRefuses(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	_, link, _ := b.round("/users/delta?%24select=id")
	ids := make([]string, 51)
	for i := range ids {
		ids[i] = "id eq '" + u1.String() + "'"
	}
	for name, want := range map[string]struct {
		path   string
		status int
		code   string
		text   string
	}{
		"top":             {"/users/delta?$top=5", 400, "Request_UnsupportedQuery", "$top"},
		"expand":          {"/users/delta?$expand=manager", 400, "Request_UnsupportedQuery", "$expand"},
		"orderby":         {"/users/delta?$orderby=displayName", 400, "Request_UnsupportedQuery", "$orderby"},
		"search":          {"/users/delta?$search=x", 400, "Request_UnsupportedQuery", "$search"},
		"count":           {"/users/delta?$count=true", 400, "Request_UnsupportedQuery", "$count"},
		"other filter":    {"/users/delta?$filter=displayName+eq+'x'", 400, "Request_UnsupportedQuery", ""},
		"51 ids":          {"/users/delta?$filter=" + url.QueryEscape(strings.Join(ids, " or ")), 400, "Request_UnsupportedQuery", "50"},
		"unknown option":  {"/users/delta?verbose=1", 400, "BadRequest", "verbose"},
		"unknown select":  {"/users/delta?$select=displayname", 400, "BadRequest", "Could not find a property named 'displayname' on type 'microsoft.graph.user'."},
		"not deltable":    {"/users/delta?$select=id,signInActivity,birthday", 400, "BadRequest", "$expand/$select is not supported for the following properties: signInActivity,birthday"},
		"assignments":     {"/users/delta?$select=appRoleAssignments", 400, "BadRequest", "appRoleAssignments"},
		"twice":           {"/users/delta?$select=id&$select=mail", 400, "BadRequest", "more than once"},
		"empty term":      {"/users/delta?$select=id,,mail", 400, "BadRequest", "$select"},
		"tampered":        {link[:len(link)-3] + "AAA", 400, "Request_BadRequest", "Badly formed token."},
		"other stream":    {strings.Replace(link, "users", "groups", 1), 400, "Request_BadRequest", "Badly formed token."},
		"query added":     {link + "&$select=mail", 400, "Request_UnsupportedQuery", "$select"},
		"range filter":    {"/users?$filter=userPrincipalName+ge+'a'", 400, "Request_UnsupportedQuery", "userPrincipalName"},
		"large page":      {"/users?$top=1000", 400, "BadRequest", "Must be between 1 and 999"},
		"plain count":     {"/users/$count", 400, "BadRequest", "$count is not currently supported."},
		"not emulated":    {"/servicePrincipals/delta", 501, "notImplemented", "The emulator does not offer"},
		"unknown segment": {"/users/" + u1.String() + "/pets", 400, "BadRequest", "Resource not found for the segment 'pets'."},
		"unknown root":    {"/people", 400, "BadRequest", "Resource not found for the segment 'people'."},
		"another version": {b.base + "/v1.1/users/delta", 400, "BadRequest", "Invalid version"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.get(want.path)
			if got.status != want.status || got.code(t) != want.code || !strings.Contains(got.message(t), want.text) {
				t.Errorf("%s: %d %s, want %d %s …%s…", want.path, got.status, got.body, want.status, want.code, want.text)
			}
		})
	}
	r := b.request("/users/delta")
	r.Method = http.MethodPost
	if got := b.must(r); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got.status)
	}
}

func TestSpellingsOfDelta(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada"})
	for _, path := range []string{"/users/delta", "/users/delta()", "/users/microsoft.graph.delta()", "/Users/delta?%24select=displayName"} {
		got := b.get(path)
		if got.status != 200 || got.value(t)[0]["displayName"] != "Ada" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	got := b.get("/users/delta", "client-request-id", "abc")
	for header, want := range map[string]string{"client-request-id": "abc", "x-ms-resource-unit": "1", "OData-Version": "4.0",
		"Content-Type": "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"} {
		if got.header.Get(header) != want {
			t.Errorf("header %s is %q, want %q", header, got.header.Get(header), want)
		}
	}
}
