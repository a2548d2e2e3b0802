package odata_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const origin = "https://graph.double.test"

const (
	u1 = "00000000-0000-4000-8000-0000000000a1"
	u2 = "00000000-0000-4000-8000-0000000000a2"
	g1 = "00000000-0000-4000-8000-0000000000b1"
	g2 = "00000000-0000-4000-8000-0000000000b2"
)

func prop(name, value string) graphsync.Property {
	return graphsync.Property{Name: name, Value: []byte(value)}
}

func member(kind graphsync.Kind, id string, removed bool) graphsync.MemberChange {
	return graphsync.MemberChange{Kind: kind, ID: mustID(id), Removed: removed}
}

func mustID(text string) graphsync.ID {
	id, err := graphsync.ParseID(text)
	if err != nil {
		panic(err)
	}
	return id
}

func quoteJSON(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

// entries wraps entries into a last page.
func entries(list ...string) string {
	return `{"@odata.context":"x","@odata.deltaLink":"` + origin + `/v1.0/d?$deltatoken=D","value":[` + strings.Join(list, ",") + `]}`
}

func TestPageEntries(t *testing.T) {
	t.Parallel()
	users, groups := graphsync.User, graphsync.Group
	for name, test := range map[string]struct {
		kind       graphsync.Kind
		properties []string
		body       string
		want       []graphsync.Change
		skipped    []graphsync.BadRecord
	}{
		"null and absent differ": {kind: users, body: entries(`{"id":"`+u1+`","mail":null,"displayName":"Ada"}`, `{"id":"`+u2+`"}`),
			want: []graphsync.Change{
				{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop("mail", "null"), prop("displayName", `"Ada"`)}},
				{Kind: users, ID: mustID(u2)}}},
		"values stay as sent": {kind: users, body: entries(`{"accountEnabled":false,"x":{"a":[1.50,"\u00e4"]},"id":"` + strings.ToUpper(u1) + `"}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop("accountEnabled", "false"), prop("x", `{"a":[1.50,"\u00e4"]}`)}}}},
		"removals": {kind: users, body: entries(`{"id":"`+u1+`","@removed":{"reason":"changed"}}`, `{"@removed":{"reason":"deleted"},"id":"`+u2+`"}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1), Removed: graphsync.SoftDeleted}, {Kind: users, ID: mustID(u2), Removed: graphsync.Purged}}},
		"annotations are no properties": {kind: users, body: entries(`{"@odata.type":"#microsoft.graph.user","@odata.id":"x","skills@odata.type":"#Collection(String)","id":"` + u1 + `","manager@delta":[{"id":"` + u2 + `"}]}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1)}}},
		"members in order, users and groups only": {kind: groups, body: entries(`{"id":"` + g1 + `","displayName":"Sales","members@delta":[` +
			`{"@odata.type":"#microsoft.graph.user","id":"` + u1 + `"},` +
			`{"@odata.type":"#microsoft.graph.device","id":"` + u2 + `"},` +
			`{"@odata.type":"#microsoft.graph.orgContact","id":"not-a-guid"},` +
			`{"@odata.type":"#microsoft.graph.group","id":"` + g2 + `","displayName":null},` +
			`{"@removed":{"reason":"deleted"},"id":"` + u1 + `","@odata.type":"#microsoft.graph.user"}]}`),
			want: []graphsync.Change{{Kind: groups, ID: mustID(g1), Properties: []graphsync.Property{prop("displayName", `"Sales"`)},
				Members: []graphsync.MemberChange{member(users, u1, false), member(groups, g2, false), member(users, u1, true)}}}},
		"a group may recur": {kind: groups, body: entries(`{"id":"`+g1+`","members@delta":[{"@odata.type":"#microsoft.graph.user","id":"`+u1+`"}]}`,
			`{"id":"`+g1+`","members@delta":[{"@odata.type":"#microsoft.graph.user","id":"`+u2+`"}]}`),
			want: []graphsync.Change{{Kind: groups, ID: mustID(g1), Members: []graphsync.MemberChange{member(users, u1, false)}},
				{Kind: groups, ID: mustID(g1), Members: []graphsync.MemberChange{member(users, u2, false)}}}},
		"manager when selected": {kind: users, properties: []string{"manager"}, body: entries(`{"id":"` + u1 + `","manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"` + u2 + `"}]}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop("manager", `"`+u2+`"`)}}}},
		"manager taken away": {kind: users, properties: []string{"manager"}, body: entries(`{"id":"` + u1 + `","manager@delta":[{"id":"` + u2 + `","@removed":{"reason":"deleted"}}]}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop("manager", "null")}}}},
		"half an emoji": {kind: users, body: entries(`{"id":"` + u1 + `","displayName":"Ada \ud83d"}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop("displayName", `"Ada `+"\ufffd"+`"`)}}}},
		"bytes that are no text": {kind: users, body: entries(`{"id":"` + u1 + `","displayName":"A` + "\xff" + `"}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop("displayName", `"A`+"\ufffd"+`"`)}}}},
		"bad entries are named, the rest stays": {kind: users, body: entries(
			`{"id":"unnamed","displayName":"x"}`, `{"displayName":"no id"}`, `null`, `"text"`,
			`{"id":"`+u1+`","mail":"a","mail":"b"}`, `{"id":"`+u1+`","@removed":{"reason":"whim"}}`, `{"id":"`+u1+`","@removed":null}`,
			`{"id":"`+u1+`","@odata.type":"#microsoft.graph.group"}`, `{"id":"`+u1+`","x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`,
			`{"id":"`+strings.Repeat("x", 100)+`"}`, `{"id":"`+u2+`"}`),
			want: []graphsync.Change{{Kind: users, ID: mustID(u2)}},
			skipped: []graphsync.BadRecord{
				{ID: "unnamed", Reason: "its id is not a GUID"}, {ID: "", Reason: "its id is not a GUID"}, {Reason: "it is not an object"}, {Reason: "it is not an object"},
				{Object: mustID(u1), ID: u1, Reason: `it has "mail" twice`}, {Object: mustID(u1), ID: u1, Reason: "its @removed gives no reason that Graph documents"}, {Object: mustID(u1), ID: u1, Reason: "its @removed gives no reason that Graph documents"},
				{Object: mustID(u1), ID: u1, Reason: `its type is "#microsoft.graph.group"`}, {Object: mustID(u1), ID: u1, Reason: `"x" is nested too deeply`},
				{ID: strings.Repeat("x", 60) + "…", Reason: "its id is not a GUID"}}},
		"a bad member does not cost its group": {kind: groups, body: entries(`{"id":"` + g1 + `","members@delta":[{"id":"` + u1 + `"},{"@odata.type":"#microsoft.graph.user","id":"7"},7,` +
			`{"@odata.type":"#microsoft.graph.user","id":"` + u2 + `"}]}`),
			want: []graphsync.Change{{Kind: groups, ID: mustID(g1), Members: []graphsync.MemberChange{member(0, u1, false), member(users, u2, false)}}},
			skipped: []graphsync.BadRecord{
				{Object: mustID(g1), ID: "7", Reason: "a member of a group: its id is not a GUID"}, {Object: mustID(g1), Reason: "a member of a group: it is not an object"}}},
		"types that Graph adds are kinds of the stream's": {kind: users, body: entries(`{"@odata.type":"#microsoft.graph.agentUser","id":"`+u1+`"}`, `{"@odata.type":"#microsoft.graph.device","id":"`+u2+`"}`),
			want:    []graphsync.Change{{Kind: users, ID: mustID(u1), Properties: []graphsync.Property{prop(graphsync.TypeProperty, `"agentUser"`)}}},
			skipped: []graphsync.BadRecord{{Object: mustID(u2), ID: u2, Reason: `its type is "#microsoft.graph.device"`}}},
		"members of types that Graph adds may be anything": {kind: groups, body: entries(`{"id":"` + g1 + `","members@delta":[` +
			`{"@odata.type":"#microsoft.graph.agentUser","id":"` + u1 + `"},{"id":"` + u2 + `","@removed":{"reason":"deleted"}},{"@odata.type":"#microsoft.graph.servicePrincipal","id":"` + u2 + `"}]}`),
			want: []graphsync.Change{{Kind: groups, ID: mustID(g1), Members: []graphsync.MemberChange{member(0, u1, false), member(0, u2, true)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := odata.DecodePage(test.kind, test.properties, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			want := &graphsync.Page{Changes: test.want, Skipped: test.skipped, Delta: origin + "/v1.0/d?$deltatoken=D", Bytes: len(test.body)}
			if diff := cmp.Diff(want, page, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPageIsRefused(t *testing.T) {
	t.Parallel()
	const delta = `"@odata.deltaLink":"` + origin + `/d"`
	for body, want := range map[string]string{
		`{"value":[]}`: "neither a nextLink nor a deltaLink",
		`{` + delta + `,"@odata.nextLink":"` + origin + `/n","value":[]}`: "both a nextLink and a deltaLink",
		`{` + delta + `,` + delta + `,"value":[]}`:                        "twice",
		`{` + delta + `}`:                    "no value",
		`{` + delta + `,"value":{}}`:         "not a list",
		`{` + delta + `,"value":null}`:       "not a list",
		`{"@odata.deltaLink":7,"value":[]}`:  "not a link",
		`{"@odata.deltaLink":"","value":[]}`: "not a link",
		`[]`:                                 "not a JSON object",
		``:                                   "not valid JSON",
		`<html>`:                             "not valid JSON",
		`{` + delta + `,"value":[{"id":"` + u1 + `"`:     "not valid JSON",
		`{` + delta + `,"value":[{"id":"` + u1 + `"}]}}`: "not valid JSON",
		`{` + delta + `,"value":[{"id" "` + u1 + `"}]}`:  "not valid JSON",
	} {
		page, err := odata.DecodePage(graphsync.User, nil, []byte(body))
		if err == nil || page != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: page %v, error %v; want %q", body, page, err, want)
		}
	}
}

// The slices of a page share arrays; appending to one must not reach its neighbour.
func TestPageEntriesAreApart(t *testing.T) {
	t.Parallel()
	page, err := odata.DecodePage(graphsync.User, nil, []byte(entries(`{"id":"`+u1+`","a":1}`, `{"id":"`+u2+`","b":2}`)))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(page.Changes[0].Properties, prop("intruder", "0"))
	if got := page.Changes[1].Properties[0].Name; got != "b" {
		t.Errorf("the second entry's property is %q", got)
	}
}

// Documented payloads, restated with made-up values: testdata/<stream>-<what>.json.
func TestDocumentedPages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind := graphsync.User
		if strings.HasPrefix(filepath.Base(file), "groups-") {
			kind = graphsync.Group
		}
		page, err := odata.DecodePage(kind, []string{"manager"}, body)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(page.Skipped) > 0 {
			t.Errorf("%s: skipped %v", file, page.Skipped)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), render(page)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// render writes a page as lines.
func render(page *graphsync.Page) string {
	var b strings.Builder
	for _, c := range page.Changes {
		fmt.Fprintf(&b, "%s %s %s\n", c.Kind, c.ID, c.Removed)
		for _, p := range c.Properties {
			fmt.Fprintf(&b, "  %s = %s\n", p.Name, p.Value)
		}
		for _, m := range c.Members {
			fmt.Fprintf(&b, "  member %s %s removed=%t\n", m.Kind, m.ID, m.Removed)
		}
	}
	fmt.Fprintf(&b, "next %s\ndelta %s\n", page.Next, page.Delta)
	return b.String()
}

func FuzzPage(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, strings.Contains(file, "groups-"))
	}
	f.Fuzz(func(t *testing.T, body []byte, groups bool) {
		kind := graphsync.User
		if groups {
			kind = graphsync.Group
		}
		page, err := odata.DecodePage(kind, []string{"manager"}, body)
		if err != nil {
			if page != nil {
				t.Fatal("a page next to an error")
			}
			return
		}
		if (page.Next == "") == (page.Delta == "") {
			t.Fatal("not exactly one link")
		}
		// What was understood survives being written and read again.
		again, err := odata.DecodePage(kind, []string{"manager"}, write(page))
		if err != nil {
			t.Fatalf("%v in %s", err, write(page))
		}
		page.Skipped, again.Skipped, page.Bytes, again.Bytes = nil, nil, 0, 0
		if diff := cmp.Diff(page, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-once +twice):\n%s", diff)
		}
	})
}

// write is the inverse of DecodePage.
func write(page *graphsync.Page) []byte {
	var list []string
	for _, c := range page.Changes {
		e := fmt.Sprintf(`{"id":%q`, c.ID)
		if c.Removed != "" {
			e += fmt.Sprintf(`,"@removed":{"reason":%q}`, c.Removed)
		}
		for _, p := range c.Properties {
			e += fmt.Sprintf(`,%s:%s`, quoteJSON(p.Name), p.Value)
		}
		if len(c.Members) > 0 {
			var members []string
			for _, m := range c.Members {
				removed := ""
				if m.Removed {
					removed = `,"@removed":{"reason":"deleted"}`
				}
				members = append(members, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.%s","id":%q%s}`, m.Kind, m.ID, removed))
			}
			e += `,"members@delta":[` + strings.Join(members, ",") + `]`
		}
		list = append(list, e+"}")
	}
	link := `"@odata.nextLink":` + quoteJSON(page.Next)
	if page.Delta != "" {
		link = `"@odata.deltaLink":` + quoteJSON(page.Delta)
	}
	return []byte(`{` + link + `,"value":[` + strings.Join(list, ",") + `]}`)
}
