package target_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entrasync/target"
)

// Some applications drop type or primary: then a filter finds nothing, and to add by it makes the
// list longer each time.
func TestPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path, held string
		old, value       any
		want             string // "" for an error and no change
	}{
		{"labelled", `emails[type eq "work"].value`, `{"emails":[{"type":"work","value":"a"},{"value":"x"}]}`, "a", "b", `{"emails":[{"type":"work","value":"b"},{"value":"x"}]}`},
		{"the only one", `emails[type eq "work"].value`, `{"emails":[{"value":"a","primary":true}]}`, "a", "b", `{"emails":[{"value":"b","primary":true,"type":"work"}]}`},
		{"the only one, changed by hand", `emails[type eq "work"].value`, `{"emails":[{"value":"z"}]}`, "a", "b", `{"emails":[{"value":"b","type":"work"}]}`},
		{"the only one, a bare value", `emails[type eq "work"].value`, `{"emails":["a"]}`, "a", "b", `{"emails":[{"value":"b","type":"work"}]}`},
		{"the only one, a single object", `emails[type eq "work"].value`, `{"emails":{"value":"a"}}`, "a", "b", `{"emails":[{"value":"b","type":"work"}]}`},
		{"a demoted role", `roles[primary eq "True"].value`, `{"roles":[{"value":"Admin","type":"x"}]}`, "Admin", "User", `{"roles":[{"value":"User","type":"x","primary":true}]}`},
		{"another type", `emails[type eq "work"].value`, `{"emails":[{"value":"a","type":"home"}]}`, "z", "b", `{"emails":[{"value":"a","type":"home"},{"value":"b","type":"work"}]}`},
		{"none there", `emails[type eq "work"].value`, `{}`, "a", "b", `{"emails":[{"value":"b","type":"work"}]}`},
		{"of several, by what was written", `emails[type eq "work"].value`, `{"emails":[{"value":"h"},{"value":"a"}]}`, "a", "b", `{"emails":[{"value":"h"},{"value":"b","type":"work"}]}`},
		{"of several, there already", `emails[type eq "work"].value`, `{"emails":[{"value":"h"},{"value":"b"}]}`, "a", "b", `{"emails":[{"value":"h"},{"value":"b","type":"work"}]}`},
		{"of several, unknown", `emails[type eq "work"].value`, `{"emails":[{"value":"h"},{"value":"i"}]}`, "a", "b", ``},
		{"of several, never written", `emails[type eq "work"].value`, `{"emails":[{"value":"h"},{"value":"i"}]}`, nil, "b", ``},
		{"one more", `emails[type eq "home"].value`, `{"emails":[{"value":"w"}]}`, nil, "h", `{"emails":[{"value":"w"},{"value":"h","type":"home"}]}`},
		{"taken away", `emails[type eq "work"].value`, `{"emails":[{"value":"a"}]}`, "a", nil, `{}`},
		{"taken away from several", `emails[type eq "work"].value`, `{"emails":[{"value":"a"},{"value":"h"}]}`, "a", nil, `{"emails":[{"value":"h"}]}`},
		{"taken away, never written", `emails[type eq "work"].value`, `{"emails":[{"value":"a"},{"value":"h"}]}`, nil, nil, `{"emails":[{"value":"a"},{"value":"h"}]}`},
		{"identified by its value", `roles[value eq "Admin"].display`, `{"roles":[{"display":"x"}]}`, "x", "y", `{"roles":[{"display":"x"},{"value":"Admin","display":"y"}]}`},
		{"without a filter", `title`, `{"title":"a"}`, "a", "b", `{"title":"b"}`},
	} {
		held := object(t, tt.held)
		err := path(t, tt.path).Place(held, tt.old, tt.value)
		want := tt.want
		if want == "" {
			want = tt.held
		}
		if diff := cmp.Diff(object(t, want), held); diff != "" || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
}

// However often a value changes in an application that keeps no types, the list keeps its length.
func TestPlaceKeepsTheLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		work, home := path(t, `emails[type eq "work"].value`), path(t, `emails[type eq "home"].value`)
		held := map[string]any{}
		forget := func() {
			list, _ := held["emails"].([]any)
			for _, element := range list {
				delete(element.(map[string]any), "type")
			}
		}
		old := map[string]any{}
		for range rapid.IntRange(1, 12).Draw(rt, "writes") {
			p, kind := work, "w"
			if rapid.Bool().Draw(rt, "home") {
				p, kind = home, "h"
			}
			var value any
			if rapid.IntRange(0, 4).Draw(rt, "removal") > 0 {
				value = kind + rapid.StringMatching(`[a-z]{3}`).Draw(rt, "value")
			}
			if err := p.Place(held, old[kind], value); err != nil {
				rt.Fatal(err)
			}
			old[kind] = value
			forget()
			wanted := 0
			for _, v := range old {
				if v != nil {
					wanted++
				}
			}
			if list, _ := held["emails"].([]any); len(list) != wanted {
				rt.Fatalf("%v for %v", list, old)
			}
		}
	})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path           string
		written, shown any
		want           target.Verdict
	}{
		{"title", "Engineer", "Engineer", target.AsWritten},
		{"title", " Engineer ", "Engineer", target.Respelled},
		{"title", "Head  of\tSales", "Head of Sales", target.Respelled},
		{"title", "Cafe\u0301", "Caf\u00e9", target.Respelled},
		{"title", "R&D <lab>", "R&amp;D &lt;lab&gt;", target.Respelled},
		{"title", "R&D", "R&amp;amp;D", target.Respelled},
		{"title", "Engineer", "ENGINEER", target.Respelled},
		{"title", "Zero\u200bwidth", "Zerowidth", target.Respelled},
		{"title", "A title of more than twenty letters", "A title of more than twenty", target.Respelled},
		{"title", "Engineer", "Eng", target.Other},
		{"title", "Engineer", nil, target.Hidden},
		{"title", "Engineer", "", target.Hidden},
		{"title", nil, "Engineer", target.Other},
		{"title", nil, nil, target.AsWritten},
		{"active", false, true, target.Other},
		{"active", "False", false, target.AsWritten},
		{"roles", []any{map[string]any{"value": "Admin", "display": "Administrator", "primary": false}}, []any{map[string]any{"value": "Admin"}}, target.Respelled},
		{"roles", []any{map[string]any{"value": "Admin"}}, []any{map[string]any{"value": "User"}}, target.Other},
		{"roles", []any{map[string]any{"value": "Admin"}}, []any{map[string]any{"display": "Admin"}}, target.Other},
		{"roles", []any{map[string]any{"value": "Admin"}}, []any{map[string]any{"value": "Admin"}, map[string]any{"value": "User"}}, target.Other},
		{`emails[type eq "work"].value`, "a@x", "A@x", target.AsWritten},
		{"name", map[string]any{"givenName": "Ada", "familyName": "L"}, map[string]any{"givenName": "Ada"}, target.Respelled},
	} {
		if got := path(t, tt.path).Judge(tt.written, tt.shown); got != tt.want {
			t.Errorf("%s written %q, shown %q: %v, want %v", tt.path, tt.written, tt.shown, got, tt.want)
		}
	}
}
