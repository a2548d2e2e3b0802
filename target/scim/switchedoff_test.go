package scim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/scim"
)

// showsAllActive makes an application that shows every account as active and leaves those that are off
// out of a search.
func showsAllActive(f *fake, off map[string]bool) {
	f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method != http.MethodGet || r.URL.Query().Get("filter") == "" {
			return false
		}
		found := []any{}
		for _, u := range f.byKind["Users"] {
			name := u["userName"].(string)
			if !off[name] && strings.HasSuffix(r.URL.Query().Get("filter"), `eq "`+name+`"`) {
				found = append(found, u)
			}
		}
		response(w, 200, map[string]any{"totalResults": len(found), "Resources": found})
		return true
	}
}

// Off is what is shown and not found, if others are found: what a search cannot find for another reason
// is not taken for off.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		users []string
		off   string // which of them are off
		of    string
		want  bool
	}{
		"off":                            {[]string{"ada", "bob"}, "bob", "bob", true},
		"on":                             {[]string{"ada", "bob"}, "bob", "ada", false},
		"no account to compare with":     {[]string{"bob"}, "bob", "bob", false},
		"a search finds nothing":         {[]string{"ada", "bob"}, "ada bob", "bob", false},
		"a name that may be misread":     {[]string{"ada", "a+b"}, "a+b", "a+b", false},
		"others that are off come first": {[]string{"x1", "x2", "ada", "bob"}, "x1 x2 bob", "bob", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			off, ids := map[string]bool{}, map[string]string{}
			for _, user := range c.users {
				ids[user] = f.seed("Users", `{"userName":"`+user+`","active":true}`)
			}
			for _, user := range strings.Fields(c.off) {
				off[user] = true
			}
			showsAllActive(f, off)
			a := f.adapter(scim.Config{})
			shown, err := a.Get(t.Context(), target.Ref{Kind: target.User, ID: ids[c.of]})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := a.SwitchedOff(t.Context(), shown); got != c.want || err != nil {
				t.Errorf("switched off: %v, want %v (error: %v)", got, c.want, err)
			}
		})
	}
}

// An adoption has to know that an account is off: otherwise it would stay off.
func TestFoundByReadingAndOff(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Users", `{"userName":"ada","active":true}`)
	f.seed("Users", `{"userName":"bob","active":true}`)
	showsAllActive(f, map[string]bool{"bob": true})
	a := f.adapter(scim.Config{})
	path, _ := target.ParsePath("userName")
	for name, active := range map[string]bool{"ada": true, "bob": false} {
		found, err := a.Find(t.Context(), target.User, path, name)
		if err != nil || len(found) != 1 || found[0].Attributes["active"] != active {
			t.Errorf("%s: found %v (error: %v), want active %v", name, found, err, active)
		}
	}
}

// A creation that is answered with 200 may have met an account that is off, or made one: that it is
// active is written once more.
func TestCreationAnsweredWithOK(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		active bool
		want   int // PATCH requests
	}{"200": {200, true, 1}, "201": {201, true, 0}, "200, to be off": {200, false, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
				if r.Method != http.MethodPost {
					return false
				}
				var object, sent map[string]any
				if json.Unmarshal(body, &object) != nil || json.Unmarshal(body, &sent) != nil {
					t.Errorf("sent %s", body)
				}
				object["active"] = false
				sent["id"] = f.add("Users", object)
				response(w, c.status, sent)
				return true
			}
			r, err := f.adapter(scim.Config{}).Create(t.Context(), target.User, attributes(t, "userName", "ada", "active", c.active))
			if err != nil {
				t.Fatal(err)
			}
			if patches := len(f.sent("PATCH")); patches != c.want {
				t.Errorf("%d PATCH requests, want %d: %v", patches, c.want, f.requests)
			}
			if held := f.held("Users", r.ID); c.want > 0 && held["active"] != true {
				t.Errorf("the account is %v", held)
			}
		})
	}
}

// A filter that worked and is refused for one value is used for others.
func TestFilterRefusedForOneValue(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Users", `{"userName":"ada"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		refused := strings.Contains(r.URL.Query().Get("filter"), "local")
		if refused {
			refuseWith(w, 400, "")
		}
		return refused
	}
	a := f.adapter(scim.Config{})
	for _, name := range []string{"ada", "local", "ada"} {
		if found := find(t, a, "userName", name); (len(found) == 1) != (name == "ada") {
			t.Errorf("%s: found %v", name, found)
		}
	}
	if n := len(f.sent("GET /Users?filter")); n != 3 {
		t.Errorf("%d searches, want 3: %v", n, f.requests)
	}
}
