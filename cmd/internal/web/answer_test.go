package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"entrasync/cmd/internal/webtest"
	"entrasync/state"
)

// A form as a browser has it after loading the page.
type form struct {
	cookie *http.Cookie
	values url.Values
}

var field = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="(\w*)">`)

func (b *bench) form(path string) form {
	b.tb.Helper()
	w := b.get(path)
	f := form{values: url.Values{}}
	for _, match := range field.FindAllStringSubmatch(w.Body.String(), -1) {
		f.values.Set(match[1], match[2])
	}
	if cookies := w.Result().Cookies(); len(cookies) > 0 {
		f.cookie = cookies[0]
	}
	return f
}

func (f form) post(path, answer string, change ...func(*http.Request)) *http.Request {
	values := url.Values{}
	for name, value := range f.values {
		values[name] = value
	}
	values.Set("answer", answer)
	r := httptest.NewRequest("POST", path, strings.NewReader(values.Encode()))
	r.Host = "127.0.0.1:8417"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if f.cookie != nil {
		r.AddCookie(f.cookie)
	}
	for _, do := range change {
		do(r)
	}
	return r
}

// waiting is how many holds there are.
func (b *bench) waiting() (holds int) {
	b.write(b.syncs[0].Tenant, func(tx *state.Tx) error {
		for range tx.Holds("front").All() {
			holds++
		}
		return nil
	})
	return holds
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{"approve": "approved", "reject": "rejected"} {
		for _, from := range []string{"/holds", "/holds/front/contoso/h-1"} {
			b := canned(t)
			w := b.do(b.form(from).post("/holds/front/contoso/h-1", answer))
			if w.Code != 303 || w.Header().Get("Location") != "/holds?answered="+want+"&sync=front&tenant=contoso" {
				t.Fatalf("%s from %s: %d %s\n%s", answer, from, w.Code, w.Header().Get("Location"), w.Body)
			}
			if holds := b.waiting(); holds != 0 {
				t.Errorf("%s from %s: %d holds, want none", answer, from, holds)
			}
			if page := b.get(w.Header().Get("Location")).Body.String(); !strings.Contains(page, `role="status"`) || answer == "approve" && strings.Contains(page, "group Sales") || answer == "reject" && !strings.Contains(page, "Rejected, and still due") {
				t.Errorf("the page behind the answer does not say so, or still shows the hold as waiting, or not as rejected:\n%s", page)
			}
			if !strings.Contains(b.log.String(), `msg="hold `+want+`" sync=front tenant=contoso hold=h-1 actions=3`) {
				t.Errorf("the log does not report it: %s", b.log)
			}
		}
	}
}

// An answer that did not come from our own form changes nothing.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	b := canned(t)
	good := b.form("/holds")
	other := b.form("/holds")
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	drop := func(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }
	const path = "/holds/front/contoso/h-1"
	for name, r := range map[string]*http.Request{
		"no cookie":                  form{values: good.values}.post(path, "approve"),
		"no token":                   form{cookie: good.cookie}.post(path, "approve"),
		"another browser's token":    form{cookie: good.cookie, values: url.Values{"token": other.values["token"], "digest": good.values["digest"]}}.post(path, "approve"),
		"another process's token":    canned(t).form("/holds").post(path, "approve", drop("Cookie"), func(r *http.Request) { r.AddCookie(good.cookie) }),
		"another site":               good.post(path, "approve", set("Sec-Fetch-Site", "cross-site")),
		"a sister site":              good.post(path, "approve", set("Sec-Fetch-Site", "same-site")),
		"another origin":             good.post(path, "approve", drop("Sec-Fetch-Site"), set("Origin", "https://evil.example")),
		"an opaque origin":           good.post(path, "approve", drop("Sec-Fetch-Site"), set("Origin", "null")),
		"a body that is not a form":  good.post(path, "approve", set("Content-Type", "text/plain")),
		"a token in the address":     form{cookie: good.cookie}.post(path+"?"+good.values.Encode(), "approve"),
		"a foreign name of this one": good.post(path, "approve", func(r *http.Request) { r.Host = "evil.example" }),
	} {
		w := b.do(r)
		if w.Code != 403 && w.Code != 421 {
			t.Errorf("%s: %d, want 403 or 421", name, w.Code)
		}
		if b.waiting() != 1 {
			t.Fatalf("%s: the hold was answered", name)
		}
	}
	if w := b.do(good.post(path, "burn")); w.Code != 400 {
		t.Errorf("an unknown answer: %d, want 400", w.Code)
	}
	for path, want := range map[string]int{"/holds/front/contoso/h-2": 404, "/holds/front/unknown/h-1": 404, "/holds": 405} {
		if w := b.do(good.post(path, "approve")); w.Code != want {
			t.Errorf("POST %s: %d, want %d", path, w.Code, want)
		}
	}
	if w := b.do(good.post(path, "approve", drop("Sec-Fetch-Site"), set("Origin", "http://127.0.0.1:8417"))); w.Code != 303 {
		t.Errorf("an old browser with our own origin: %d, want 303", w.Code)
	}
}

// A decision is for what was shown: a hold that has grown since is shown again.
func TestAnswerToWhatWasShown(t *testing.T) {
	t.Parallel()
	b := canned(t)
	shown := b.form("/holds")
	b.hold(&b.syncs[0], "h-1", "removals", "group Sales lost its assignment", "ken@contoso.example", "dennis@contoso.example", "brian@contoso.example", "rob@contoso.example")
	w := b.do(shown.post("/holds/front/contoso/h-1", "approve"))
	if holds := b.waiting(); w.Code != 200 || holds != 1 {
		t.Fatalf("%d, %d holds, want the hold again and nothing done", w.Code, holds)
	}
	webtest.Compare(t, "hold-moved.html", stable(w.Body.String()))
	if w := b.do(b.form("/holds/front/contoso/h-1").post("/holds/front/contoso/h-1", "approve")); w.Code != 303 {
		t.Errorf("the answer to what is shown now: %d, want 303", w.Code)
	}
	if !strings.Contains(b.log.String(), "hold=h-1 actions=4") {
		t.Errorf("the four are not answered: %s", b.log)
	}
}
