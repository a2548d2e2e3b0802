package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/scim"
	"entrasync/target/scim/scimtest"
	"entrasync/target/targettest"
)

// A numberer stands before a SCIM server and gives its resources JSON numbers for ids, as servers
// with a serial column do. Neighbours differ in digits that a float64 does not hold.
type numberer struct {
	next http.RoundTripper

	mu     sync.Mutex // guards what follows
	number map[string]string
	id     map[string]string
}

var (
	uuids   = regexp.MustCompile(`"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"`)
	numbers = regexp.MustCompile(`900719925474\d{4,}`)
)

func newNumberer(next http.RoundTripper) *numberer {
	return &numberer{next: next, number: map[string]string{}, id: map[string]string{}}
}

// outward replaces ids by numbers without quotes.
func (n *numberer) outward(body []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return uuids.ReplaceAllFunc(body, func(quoted []byte) []byte {
		id := strings.Trim(string(quoted), `"`)
		if n.number[id] == "" {
			n.number[id] = fmt.Sprintf("9007199254740%d", 993+len(n.number))
			n.id[n.number[id]] = id
		}
		return []byte(n.number[id])
	})
}

func (n *numberer) inward(text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return numbers.ReplaceAllStringFunc(text, func(number string) string {
		if id := n.id[number]; id != "" {
			return id
		}
		return number
	})
}

func (n *numberer) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.Clone(r.Context())
	asked.URL.Path, asked.URL.RawPath = n.inward(asked.URL.Path), ""
	asked.URL.RawQuery = n.inward(asked.URL.RawQuery)
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = []byte(n.inward(string(body)))
		asked.Body, asked.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	response, err := n.next.RoundTrip(asked)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(n.outward(body))), -1
	return response, nil
}

// shown are resources with the ids that the client knows.
func (n *numberer) shown(t testing.TB, kind target.Kind, objects []map[string]any) (all []target.Resource) {
	for _, object := range objects {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		value, err := target.DecodeJSON(n.outward(text))
		if err != nil {
			t.Fatal(err)
		}
		attributes := value.(map[string]any)
		list, _ := attributes["members"].([]any)
		for _, m := range list {
			m.(map[string]any)["value"] = target.Digits(m.(map[string]any)["value"])
		}
		all = append(all, target.Resource{Ref: target.Ref{Kind: kind, ID: target.Digits(attributes["id"])}, Attributes: attributes})
	}
	return all
}

// An application whose ids are numbers passes the whole suite: each call reaches the account it is
// about, digit for digit.
func TestConformanceWithNumbersForIDs(t *testing.T) {
	t.Parallel()
	targettest.Run(t, targettest.Harness{New: func(tb testing.TB) targettest.App {
		s := scimtest.Elimity(tb, scimtest.Options{InProcess: true, CheckMembers: true})
		n := newNumberer(s.Transport())
		open := func(tb testing.TB) target.Adapter {
			return adapter(tb, scim.Config{URL: s.URL}, target.TransportConfig{Auth: bearer(s.Token), Base: n})
		}
		return targettest.App{Adapter: open(tb), Reopen: open, ReadBack: func(tb testing.TB) (users, groups []target.Resource) {
			return n.shown(tb, target.User, s.Users(tb)), n.shown(tb, target.Group, s.Groups(tb))
		}}
	}})
}

// What an application keeps as a large number is written back digit for digit by a PUT that is
// about something else.
func TestPutKeepsDigits(t *testing.T) {
	t.Parallel()
	var put string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); r.Method == http.MethodPut {
			put = string(body)
		}
		w.Header().Set("Content-Type", "application/scim+json")
		io.WriteString(w, `{"id":9007199254740993,"userName":"ada","title":"new","badge":9007199254740995}`)
	}))
	defer server.Close()
	a := adapter(t, scim.Config{URL: server.URL, Replace: true}, target.TransportConfig{})
	title, err := target.ParsePath("title")
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Update(context.Background(), target.Ref{Kind: target.User, ID: "9007199254740993"}, []target.Attribute{{Path: title, Value: "new"}})
	if err != nil || r.ID != "9007199254740993" {
		t.Fatalf("updated %v, %v", r, err)
	}
	if !strings.Contains(put, `"badge":9007199254740995`) || !strings.Contains(put, `"id":9007199254740993`) {
		t.Errorf("it wrote %s", put)
	}
}
