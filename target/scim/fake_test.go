package scim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/scim"
)

// A fake is a SCIM server over HTTP that behaves, until a knob is turned, and then misbehaves
// as one of the servers in the field does. What real servers do is tested against
// scimtest; this is for the rest.
type fake struct {
	t   testing.TB
	url string

	// Knobs, set before the first request.
	ignoreFilter bool                                           // answers everyone (Casdoor)
	refuseFilter int                                            // status for any filter
	stale        map[string]string                              // userName in a filter → whose (Polis after a rename)
	totalIsPage  bool                                           // totalResults is the page's size (Casdoor)
	wrapAround   bool                                           // the first page past the end (SCIMMY)
	pageCap      int                                            // most resources on a page
	noop         func(path string) bool                         // answered 200 without effect
	refuse       func(op, path string, value any) (int, string) // status and scimType for an operation
	noopPut      func(name string) bool                         // the same for a member of a PUT, or of a PATCH without a path
	errorAfter   string                                         // method answered 500 although done (imulab)
	delete500    bool                                           // 500 to a second DELETE (scimgateway)
	noPatch      int                                            // status for every PATCH
	maxMembers   int                                            // changes in one PATCH, more are 400
	hideMembers  bool                                           // members are always []
	etags        bool                                           // If-Match is needed for PUT
	cursor       bool                                           // pages by cursor
	intercept    func(w http.ResponseWriter, r *http.Request, body []byte) bool
	quiet        bool            // writes are answered 204
	hide         map[string]bool // attributes never shown
	drop         []string        // sub-attributes of lists that are not kept

	mu       sync.Mutex // protects all fields below
	byKind   map[string][]map[string]any
	next     int
	requests []string // METHOD path?query body
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{t: t, byKind: map[string][]map[string]any{}, pageCap: 100}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL + "/scim/v2"
	return f
}

func (f *fake) adapter(cfg scim.Config) *scim.Adapter {
	f.t.Helper()
	if cfg.URL == "" {
		cfg.URL = f.url
	}
	return adapter(f.t, cfg, target.TransportConfig{})
}

// seed adds a resource and returns its id.
func (f *fake) seed(kind, text string) string {
	f.t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(kind, object)
}

func (f *fake) add(kind string, object map[string]any) string {
	f.next++
	if object["id"] == nil {
		object["id"] = fmt.Sprintf("%s-%d", strings.ToLower(kind[:1]), f.next)
	}
	f.byKind[kind] = append(f.byKind[kind], object)
	return object["id"].(string)
}

func (f *fake) held(kind, id string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.get(kind, id)
}

func (f *fake) get(kind, id string) map[string]any {
	object := f.find(kind, id)
	for _, value := range object {
		list, _ := value.([]any)
		for _, element := range list {
			for _, name := range f.drop {
				if m, ok := element.(map[string]any); ok {
					delete(m, name)
				}
			}
		}
	}
	return object
}

func (f *fake) find(kind, id string) map[string]any {
	for _, object := range f.byKind[kind] {
		if object["id"] == id {
			return object
		}
	}
	return nil
}

// sent returns the requests so far, as METHOD path?query body, that begin with a prefix.
func (f *fake) sent(prefix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.requests), func(s string) bool { return !strings.HasPrefix(s, prefix) })
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/scim/v2")
	line := r.Method + " " + path
	if r.URL.RawQuery != "" {
		line += "?" + r.URL.RawQuery
	}
	f.requests = append(f.requests, strings.TrimSpace(line+" "+string(body)))
	if f.intercept != nil && f.intercept(w, r, body) {
		return
	}
	kind, escaped, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, _ := url.PathUnescape(escaped)
	switch {
	case kind == "ServiceProviderConfig" && f.cursor:
		response(w, 200, map[string]any{"patch": map[string]any{"supported": true}, "pagination": map[string]any{"cursor": true, "index": false}})
	case kind != "Users" && kind != "Groups":
		refuseWith(w, 404, "")
	case r.Method == "GET" && id == "":
		f.list(w, r.URL.Query(), kind)
	case r.Method == "POST":
		f.create(w, kind, body)
	case f.get(kind, id) == nil && r.Method == "DELETE" && f.delete500:
		refuseWith(w, 500, "")
	case f.get(kind, id) == nil:
		refuseWith(w, 404, "")
	case r.Method == "DELETE":
		f.byKind[kind] = slices.DeleteFunc(f.byKind[kind], func(o map[string]any) bool { return o["id"] == id })
		f.done(w, r, 204, nil)
	case r.Method == "GET":
		response(w, 200, f.shown(f.get(kind, id)))
	case r.Method == "PUT":
		f.put(w, r, kind, id, body)
	case f.noPatch != 0:
		refuseWith(w, f.noPatch, "")
	default:
		f.patch(w, r, f.get(kind, id), body)
	}
}

func (f *fake) done(w http.ResponseWriter, r *http.Request, status int, object map[string]any) {
	switch {
	case f.errorAfter == r.Method:
		refuseWith(w, 500, "")
	case f.quiet || object == nil:
		w.WriteHeader(204)
	default:
		response(w, status, f.shown(object))
	}
}

// shown is a copy with the version, and without members where they are hidden.
func (f *fake) shown(object map[string]any) map[string]any {
	if id, ok := object["id"].(string); ok { // what is dropped is gone before anything is shown
		f.get("Users", id)
	}
	text, _ := json.Marshal(object)
	var seen map[string]any
	json.Unmarshal(text, &seen)
	if f.etags {
		seen["meta"] = map[string]any{"version": version(object)}
	}
	for name := range f.hide {
		delete(seen, name)
	}
	if f.hideMembers && seen["members"] != nil {
		seen["members"] = []any{}
	}
	return seen
}

func version(object map[string]any) string {
	text, _ := json.Marshal(object)
	return fmt.Sprintf(`W/"%d"`, len(text))
}

func (f *fake) list(w http.ResponseWriter, query url.Values, kind string) {
	found := f.byKind[kind]
	if text := query.Get("filter"); text != "" && !f.ignoreFilter {
		if f.refuseFilter != 0 {
			refuseWith(w, f.refuseFilter, "invalidFilter")
			return
		}
		filter, err := target.ParseFilter(text)
		if err != nil {
			refuseWith(w, 400, "invalidFilter")
			return
		}
		value, _ := strconv.Unquote(text[strings.Index(text, `"`):])
		found = slices.DeleteFunc(slices.Clone(found), func(o map[string]any) bool {
			if whose, ok := f.stale[value]; ok {
				return o["id"] != whose
			}
			return !filter.Match(o)
		})
	}
	start, _ := strconv.Atoi(query.Get("startIndex"))
	if f.cursor {
		start, _ = strconv.Atoi(query.Get("cursor"))
	}
	count, err := strconv.Atoi(query.Get("count"))
	if count = min(count, f.pageCap); err != nil {
		count = f.pageCap
	}
	if start = max(start, 1); start > len(found) && f.wrapAround {
		start = 1
	}
	page := found[min(start-1, len(found)):min(start-1+count, len(found))]
	list := []any{}
	for _, object := range page {
		list = append(list, f.shown(object))
	}
	body := map[string]any{"totalResults": len(found), "Resources": list}
	if f.totalIsPage {
		body["totalResults"] = len(page)
	}
	if f.cursor {
		delete(body, "totalResults")
		if next := start + len(page); next <= len(found) {
			body["nextCursor"] = strconv.Itoa(next)
		}
	}
	response(w, 200, body)
}

func (f *fake) create(w http.ResponseWriter, kind string, body []byte) {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		refuseWith(w, 400, "invalidSyntax")
		return
	}
	for _, other := range f.byKind[kind] {
		if name, ok := object["userName"].(string); ok && strings.EqualFold(name, other["userName"].(string)) {
			refuseWith(w, 409, "uniqueness")
			return
		}
	}
	f.add(kind, object)
	if f.errorAfter == "POST" {
		refuseWith(w, 500, "")
		return
	}
	response(w, 201, f.shown(object))
}

func (f *fake) put(w http.ResponseWriter, r *http.Request, kind, id string, body []byte) {
	old := f.get(kind, id)
	if f.etags && r.Header.Get("If-Match") != version(old) {
		refuseWith(w, 412, "")
		return
	}
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		refuseWith(w, 400, "invalidSyntax")
		return
	}
	for name := range old {
		if f.noopPut == nil || !f.noopPut(name) {
			delete(old, name)
		}
	}
	for name, value := range object {
		if f.noopPut == nil || !f.noopPut(name) {
			old[name] = value
		}
	}
	f.done(w, r, 200, old)
}

func (f *fake) patch(w http.ResponseWriter, r *http.Request, object map[string]any, body []byte) {
	var patch struct {
		Operations []struct {
			Op, Path string
			Value    any
		}
	}
	if json.Unmarshal(body, &patch) != nil {
		refuseWith(w, 400, "invalidSyntax")
		return
	}
	changes := 0
	for _, op := range patch.Operations {
		if strings.HasPrefix(op.Path, "members") {
			list, _ := op.Value.([]any)
			changes += max(1, len(list))
		}
		if f.refuse == nil {
			continue
		}
		if status, keyword := f.refuse(op.Op, op.Path, op.Value); status != 0 {
			refuseWith(w, status, keyword)
			return
		}
	}
	if f.maxMembers > 0 && changes > f.maxMembers {
		refuseWith(w, 400, "")
		return
	}
	for _, op := range patch.Operations {
		if f.noop != nil && f.noop(op.Path) {
			continue
		}
		f.apply(object, op.Op, op.Path, op.Value)
	}
	f.done(w, r, 200, object)
}

func (f *fake) apply(object map[string]any, op, path string, value any) {
	if path == "" {
		for name, v := range value.(map[string]any) {
			extension, isExtension := v.(map[string]any)
			switch held, _ := object[name].(map[string]any); {
			case f.noopPut != nil && f.noopPut(name):
			case isExtension && strings.HasPrefix(name, "urn:") && held != nil:
				maps.Copy(held, extension)
			case isExtension && strings.HasPrefix(name, "urn:"):
				object[name] = v
			default:
				f.apply(object, op, name, v)
			}
		}
		return
	}
	p, err := target.ParsePath(path)
	if err != nil {
		f.t.Errorf("a path that is none was sent: %v", err)
		return
	}
	if path == "members" && strings.EqualFold(op, "add") {
		list, _ := object["members"].([]any)
		for _, m := range value.([]any) {
			if !slices.ContainsFunc(list, func(o any) bool { return id(o) == id(m) }) {
				list = append(list, m)
			}
		}
		object["members"] = list
		return
	}
	if strings.EqualFold(op, "remove") {
		if path == "members" && value != nil {
			f.t.Error("a removal was sent that empties the group on a strict server")
		}
		value = nil
	}
	p.Set(object, value)
}

func id(m any) string {
	object, _ := m.(map[string]any)
	s, _ := object["value"].(string)
	return s
}

func response(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// refuseWith writes a SCIM error, its status as a string as the RFC has it.
func refuseWith(w http.ResponseWriter, status int, keyword string) {
	response(w, status, map[string]any{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(status), "scimType": keyword, "detail": "no",
	})
}
