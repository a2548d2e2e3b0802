package scim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"entrasync/target"
	"entrasync/target/scim"
)

// A canned base answers every request alike, in process.
type canned struct {
	status int
	header http.Header
	body   string
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	header := c.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: c.status, Header: header, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

func cannedAdapter(t testing.TB, c canned) *scim.Adapter {
	return adapter(t, scim.Config{URL: "http://x.example/v2"}, target.TransportConfig{Base: c, Retries: -1, MaxElapsed: 1})
}

func TestErrorsOfWrites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		code   target.Code
		detail string
		unsure bool
	}{
		{409, `{"scimType":"uniqueness","detail":"taken","status":"409"}`, target.Conflict, "taken", false},
		{409, ``, target.Conflict, "", false},
		{400, `{"detail":"User already exists","status":400}`, target.Conflict, "User already exists", false},
		{500, `duplicate key value violates unique constraint`, target.Conflict, "duplicate key value violates unique constraint", false},
		{500, `<html><head><title>500 Oops</title></head><body>stack</body></html>`, target.Unavailable, "500 Oops", true},
		{502, ``, target.Unavailable, "", true},
		{400, `{"Errors":[{"description":"bad","code":400},{"description":"worse"}]}`, target.Rejected, "bad; worse", false},
		{400, `{"error":{"message":"nested"}}`, target.Rejected, "nested", false},
		{400, "plain\ttext\r\n\x1b[31mred", target.Rejected, "plain text [31mred", false},
		{400, strings.Repeat("long ", 200), target.Rejected, strings.Repeat("long ", 59) + "long…", false},
		{413, ``, target.Rejected, "", false},
		{429, ``, target.Unavailable, "", false},
		{503, ``, target.Unavailable, "", true},
		{501, ``, target.Unsupported, "", false},
		{401, ``, target.Unauthorized, "", false},
		{404, ``, target.Unsupported, "", false},
		{200, `{"status":"error","msg":"The user already exists"}`, target.Rejected, "The user already exists", false},
		{200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":409,"detail":"inside"}`, target.Conflict, "inside", false},
		{200, `<html>hello</html>`, target.NotSCIM, "hello", true},
	} {
		_, err := cannedAdapter(t, canned{status: tt.status, body: tt.body}).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		e := errorOf(t, err)
		if e.Code != tt.code || e.Detail != tt.detail || e.Indeterminate != tt.unsure || e.Op != "create user" {
			t.Errorf("%d %.60s: %+v", tt.status, tt.body, e)
		}
	}
	_, err := cannedAdapter(t, canned{status: 429, header: http.Header{"Retry-After": {"120"}}}).Create(t.Context(), target.User, nil)
	if e := errorOf(t, err); e.RetryAfter.Seconds() != 120 {
		t.Errorf("%+v", e)
	}
}

func TestConflictNamesItsAttribute(t *testing.T) {
	t.Parallel()
	body := `{"detail":"externalId \"x\" is already in use","scimType":"uniqueness","status":"409"}`
	_, err := cannedAdapter(t, canned{status: 409, body: body}).Create(t.Context(), target.User, attributes(t, "userName", "ada", "externalId", "x"))
	if e := errorOf(t, err); e.Code != target.Conflict || e.Attribute != "externalId" {
		t.Errorf("%+v", e)
	}
}

func TestCreationAnsweredWithWhoExists(t *testing.T) {
	t.Parallel()
	a := cannedAdapter(t, canned{status: 200, body: `{"id":"u","userName":"ada","externalId":"theirs"}`})
	if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada", "externalId", "ours")); target.CodeOf(err) != target.Conflict {
		t.Error(err)
	}
	if r, err := a.Create(t.Context(), target.User, attributes(t, "userName", "Ada", "externalId", "theirs")); err != nil || r.ID != "u" {
		t.Error(r, err)
	}
}

func TestReadAnswersWithAnother(t *testing.T) {
	t.Parallel()
	a := cannedAdapter(t, canned{status: 200, body: `{"id":"other","userName":"admin"}`})
	if _, err := a.Get(t.Context(), user("mine")); target.CodeOf(err) != target.Rejected {
		t.Error(err)
	}
	if r, err := cannedAdapter(t, canned{status: 200, body: `{"ID":7}`}).Get(t.Context(), user("7")); err != nil || r.ID != "7" {
		t.Error(r, err)
	}
}

// Whatever a server sends, every method ends, with an error of ours or a good result.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, `"x"`, `{"id":"u"}`, `{"id":"u","members":[{"value":"m"},null,3,"s"]}`, `{"Resources":[{"id":"u","userName":"ada"}],"totalResults":"1"}`,
		`{"totalResults":1e99,"Resources":[null,{}],"nextCursor":5}`, `{"status":"error","msg":"x"}`, `{"status":409,"scimType":7,"detail":{"a":[]}}`,
		`<html><title>x`, `{"patch":{"supported":"yes"},"pagination":{"cursor":true},"Resources":[[]]}`, "\xef\xbb\xbf{\"id\":\"u\"}", `{"errors":[{"errors":[{"errors":[]}]}]}`,
	} {
		for _, status := range []int{200, 201, 204, 304, 400, 404, 409, 412, 500} {
			f.Add(status, seed)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 429 || status == 503 {
			return
		}
		a := cannedAdapter(t, canned{status: status, body: body})
		ctx := t.Context()
		change := attributes(t, "title", "x", `emails[type eq "work"].value`, "y")
		results := map[string]error{}
		r, err := a.Create(ctx, target.User, change)
		if results["create"] = err; err == nil && r.ID == "" {
			t.Error("created without an id")
		}
		_, results["update"] = a.Update(ctx, user("u"), change)
		results["delete"] = a.Delete(ctx, user("u"))
		_, results["get"] = a.Get(ctx, user("u"))
		found, err := a.Find(ctx, target.User, path(t, "userName"), "ada")
		results["find"] = err
		for _, r := range found {
			if !path(t, "userName").Holds(r.Attributes, "ada") {
				t.Errorf("found %v", r)
			}
		}
		results["list"] = a.List(ctx, target.Group, func([]target.Resource) error { return nil })
		_, results["members"] = a.ChangeMembers(ctx, group("g"), []string{"a", "b"}, []string{"c"})
		_, _, results["roster"] = a.Members(ctx, group("g"))
		_, results["probe"] = a.Probe(ctx, map[target.Kind][]target.Path{target.User: {path(t, "title")}})
		for name, err := range results {
			var e *target.Error
			if err == nil {
				continue
			}
			if !errors.As(err, &e) || e.Message == "" || strings.ContainsFunc(e.Detail, unicode.IsControl) || len([]rune(e.Detail)) > 300 {
				t.Errorf("%s: %#v", name, err)
			}
		}
	})
}

func BenchmarkListDecode(b *testing.B) {
	var entries []json.RawMessage
	for i := range 100 {
		entries = append(entries, json.RawMessage(fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","%s"],"id":"%d","externalId":"e%d",
			"userName":"user%d@contoso.example","name":{"givenName":"G","familyName":"F"},"active":true,"emails":[{"type":"work","value":"user%d@contoso.example","primary":true}],
			"%s":{"department":"Sales"},"meta":{"resourceType":"User","version":"W/\"1\""}}`, enterprise, i, i, i, i, enterprise)))
	}
	body, err := json.Marshal(map[string]any{"totalResults": 100, "Resources": entries})
	if err != nil {
		b.Fatal(err)
	}
	base := pages{first: canned{status: 200, body: string(body)}, rest: canned{status: 200, body: `{"totalResults":100,"Resources":[]}`}}
	a := adapter(b, scim.Config{URL: "http://x.example/v2"}, target.TransportConfig{Base: base})
	users := 0
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := a.List(context.Background(), target.User, func(page []target.Resource) error { users += len(page); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(users)/b.Elapsed().Seconds(), "users/s")
}

type pages struct{ first, rest canned }

func (p pages) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Query().Get("startIndex") == "1" {
		return p.first.RoundTrip(req)
	}
	return p.rest.RoundTrip(req)
}
