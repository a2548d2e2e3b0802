package scimtest

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// A Quirk makes a server behave as some in the field do. It is a name, and behind a colon what it
// concerns: "hides:title". This package's own calls see the server without its quirks.
//
//	hides:ATTRIBUTE        never shown
//	terse                  a write is answered with id and userName or displayName only
//	quiet                  a write is answered with 204
//	ignores:ATTRIBUTE      a PATCH of it is answered as done and has no effect
//	keeps:ATTRIBUTE        never changes, whatever is answered
//	drops:SUB              a sub-attribute of a list's elements that is not kept
//	respells:trim|html|nfc texts of users but userName and externalId are kept in another spelling
//	bare                   a filter is answered with the one resource itself
//	page:WORD              requests that mention it are answered with a web page
//	busy:METHOD            every other request of the method is refused with 403 and Retry-After
//	most:COUNT             a larger count is refused with 400
//	no-exclude             excludedAttributes is answered with 500
//	gzip                   a proxy renames each version, and If-Match is needed for PUT
//	media                  application/scim+json is refused with 415
//	cursors                ServiceProviderConfig claims cursors, which are refused
//	latin1                 bodies are in Latin-1
//	strict-members:STATUS  adding a member who is there is refused
//	no-inactive-members    changing the membership of an inactive user is refused with 400
//	whole-groups           groups have no PATCH, and an empty one no members
//	publishes:NAME:A|B     /Schemas has canonical values for an attribute, or a sub-attribute (roles.value)
//	hangs:WORD             requests whose path has the word are never answered
//	late-groups            a new group is not there for the first two requests about it
type Quirk string

// middleware stands between a client and a server.
type middleware func(q *quirks, next http.Handler) http.Handler

// quirks are those of one server.
type quirks struct {
	truth http.Handler // without quirks
	token string

	mu   sync.Mutex // guards seen
	seen map[string]int
}

// with puts quirks before a server.
func with(tb testing.TB, opts Options, backend http.Handler) http.Handler {
	tb.Helper()
	q := &quirks{truth: backend, token: opts.Token, seen: map[string]int{}}
	for _, quirk := range opts.Quirks {
		name, about, _ := strings.Cut(string(quirk), ":")
		make, ok := makers[name]
		if !ok {
			tb.Fatalf("scimtest: there is no quirk %q", quirk)
		}
		backend = make(about)(q, backend)
	}
	return backend
}

var makers = map[string]func(about string) middleware{
	"hides": func(name string) middleware {
		return shows(func(_ *http.Request, object map[string]any) { remove(object, name) })
	},
	"terse": func(string) middleware { return answersWrites(terse) },
	"quiet": func(string) middleware { return answersWrites(quiet) },
	"ignores": func(name string) middleware {
		return sends(func(r *http.Request, object map[string]any) { dropOperations(object, name) })
	},
	"keeps": keeps,
	"drops": func(sub string) middleware {
		return stores(func(user map[string]any) { eachElement(user, func(element map[string]any) { delete(element, sub) }) })
	},
	"respells": func(how string) middleware {
		return stores(func(user map[string]any) { respell(user, spellings[how]) })
	},
	"bare": func(string) middleware { return bare },
	"page": func(word string) middleware {
		return refuses(func(q *quirks, r *http.Request, body string) *http.Response {
			query, _ := url.QueryUnescape(r.URL.RawQuery)
			if !strings.Contains(query+body, word) {
				return nil
			}
			return NewResponse(http.StatusOK, "<html><title>Blocked</title></html>", "Content-Type", "text/html")
		})
	},
	"busy": func(method string) middleware {
		return refuses(func(q *quirks, r *http.Request, _ string) *http.Response {
			if r.Method != method || q.count("busy")%2 == 0 {
				return nil
			}
			return scimError(http.StatusForbidden, "", "Retry-After", "0")
		})
	},
	"most": func(most string) middleware {
		return refuses(func(_ *quirks, r *http.Request, _ string) *http.Response {
			count, _ := strconv.Atoi(r.URL.Query().Get("count"))
			if limit, _ := strconv.Atoi(most); count <= limit {
				return nil
			}
			return scimError(http.StatusBadRequest, "invalidValue")
		})
	},
	"no-exclude": func(string) middleware {
		return refuses(func(_ *quirks, r *http.Request, _ string) *http.Response {
			if !r.URL.Query().Has("excludedAttributes") {
				return nil
			}
			return scimError(http.StatusInternalServerError, "")
		})
	},
	"gzip": func(string) middleware { return renamesVersions },
	"media": func(string) middleware {
		return refuses(func(_ *quirks, r *http.Request, body string) *http.Response {
			if body == "" || r.Header.Get("Content-Type") == "application/json" {
				return nil
			}
			return scimError(http.StatusUnsupportedMediaType, "")
		})
	},
	"cursors": func(string) middleware { return claimsCursors },
	"latin1":  func(string) middleware { return inLatin1 },
	"strict-members": func(status string) middleware {
		code, _ := strconv.Atoi(status)
		return refuses(func(q *quirks, r *http.Request, body string) *http.Response {
			for _, id := range addedMembers(r, body) {
				if slices.Contains(membersOf(q.get(r.URL.Path)), id) {
					return scimError(code, "")
				}
			}
			return nil
		})
	},
	"no-inactive-members": func(string) middleware {
		return refuses(func(q *quirks, r *http.Request, body string) *http.Response {
			if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "/Groups/") {
				return nil
			}
			users := q.get("/v2/Users")
			list, _ := users["Resources"].([]any)
			for _, entry := range list {
				user, _ := entry.(map[string]any)
				if id, _ := user["id"].(string); user["active"] == false && strings.Contains(body, id) {
					return scimError(http.StatusBadRequest, "invalidValue")
				}
			}
			return nil
		})
	},
	"whole-groups": func(string) middleware {
		return refuses(func(_ *quirks, r *http.Request, _ string) *http.Response {
			if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "/Groups/") {
				return nil
			}
			return scimError(http.StatusNotImplemented, "")
		})
	},
	"publishes": func(about string) middleware {
		name, values, _ := strings.Cut(about, ":")
		return answersSchemas(func(attribute map[string]any) { publish(attribute, name, strings.Split(values, "|")) })
	},
	"hangs": func(word string) middleware {
		return refuses(func(_ *quirks, r *http.Request, _ string) *http.Response {
			if strings.Contains(r.URL.Path, word) {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}
			return nil
		})
	},
	"late-groups": func(string) middleware {
		return refuses(func(q *quirks, r *http.Request, _ string) *http.Response {
			if !strings.Contains(r.URL.Path, "/Groups/") || q.count(r.URL.Path) > 2 {
				return nil
			}
			return scimError(http.StatusNotFound, "")
		})
	},
}

// count returns how often it was asked for a name.
func (q *quirks) count(name string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seen[name]++
	return q.seen[name]
}

// get reads behind the quirks.
func (q *quirks) get(path string) map[string]any {
	_, object := q.do(http.MethodGet, path, nil)
	return object
}

func (q *quirks) do(method, path string, body map[string]any) (int, map[string]any) {
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // decoded JSON
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(text))
	r.Header.Set("Authorization", "Bearer "+q.token)
	r.Header.Set("Content-Type", "application/scim+json")
	recorder := httptest.NewRecorder()
	q.truth.ServeHTTP(recorder, r)
	var object map[string]any
	_ = json.Unmarshal(recorder.Body.Bytes(), &object) // nil for none
	return recorder.Code, object
}

// publish sets the canonicalValues of an attribute, or of one of its sub-attributes.
func publish(attribute map[string]any, name string, values []string) {
	name, sub, nested := strings.Cut(name, ".")
	switch subs, _ := attribute["subAttributes"].([]any); {
	case attribute["name"] != name:
	case !nested:
		attribute["canonicalValues"] = values
	default:
		for _, entry := range subs {
			publish(entry.(map[string]any), sub, values)
		}
	}
}

func terse(status int, object map[string]any) (int, map[string]any) {
	short := map[string]any{}
	for _, name := range []string{"schemas", "id", "userName", "displayName"} {
		if object[name] != nil && (name != "displayName" || object["userName"] == nil) {
			short[name] = object[name]
		}
	}
	return status, short
}

// keeps puts a core attribute of a user back after each change.
func keeps(name string) middleware {
	return func(q *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before := q.get(r.URL.Path)
			status, header, object, _ := carryOut(next, r)
			if (r.Method == http.MethodPatch || r.Method == http.MethodPut) && status < 300 && strings.Contains(r.URL.Path, "/Users/") {
				held := q.get(r.URL.Path)
				delete(held, "meta")
				if delete(held, name); before[name] != nil {
					held[name] = before[name]
				}
				_, object = q.do(http.MethodPut, r.URL.Path, held)
			}
			writeObject(w, status, header, object)
		})
	}
}

func quiet(int, map[string]any) (int, map[string]any) { return http.StatusNoContent, nil }

// bare answers a filter as Zabbix does.
func bare(_ *quirks, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, header, object, _ := carryOut(next, r)
		if list, _ := object["Resources"].([]any); r.URL.Query().Has("filter") && len(list) == 1 {
			object = list[0].(map[string]any)
		}
		writeObject(w, status, header, object)
	})
}

func renamesVersions(_ *quirks, next http.Handler) http.Handler {
	const suffix = `-gzip"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.Header.Get("If-Match") == "" {
			response := scimError(http.StatusPreconditionRequired, "")
			respond(w, response.StatusCode, response.Header, response.Body)
			return
		}
		status, header, object, _ := carryOut(next, r)
		if tag := header.Get("ETag"); tag != "" {
			header.Set("ETag", strings.TrimSuffix(tag, `"`)+suffix)
		}
		remove(object, "meta")
		writeObject(w, status, header, object)
	})
}

func claimsCursors(_ *quirks, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("cursor") {
			response := scimError(http.StatusBadRequest, "invalidValue")
			respond(w, response.StatusCode, response.Header, response.Body)
			return
		}
		status, header, object, _ := carryOut(next, r)
		if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
			object["pagination"] = map[string]any{"cursor": true, "index": true}
		}
		writeObject(w, status, header, object)
	})
}

func inLatin1(_ *quirks, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, header, _, text := carryOut(next, r)
		var body []byte
		for _, c := range string(text) {
			body = append(body, byte(min(c, 0xff)))
		}
		header.Del("Content-Length")
		header.Set("Content-Type", "application/scim+json; charset=iso-8859-1")
		respond(w, status, header, bytes.NewReader(body))
	})
}

// spellings are how a text is kept.
var spellings = map[string]func(string) string{
	"trim": strings.TrimSpace,
	"html": html.EscapeString,
	"nfc":  norm.NFC.String,
}

func respell(user map[string]any, spell func(string) string) {
	for name, value := range user {
		switch value := value.(type) {
		case string:
			if name != "userName" && name != "externalId" && name != "id" {
				user[name] = spell(value)
			}
		case map[string]any:
			respell(value, spell)
		}
	}
}

func eachElement(object map[string]any, visit func(map[string]any)) {
	for _, value := range object {
		list, _ := value.([]any)
		for _, element := range list {
			if m, ok := element.(map[string]any); ok {
				visit(m)
			}
		}
	}
}

// remove takes an attribute away, at the top or in an extension.
func remove(object map[string]any, name string) {
	delete(object, name)
	for urn, value := range object {
		if extension, ok := value.(map[string]any); ok && strings.HasPrefix(urn, "urn:") {
			if delete(extension, name); len(extension) == 0 {
				delete(object, urn)
			}
		}
	}
}

// dropOperations takes those of an attribute out of a PATCH.
func dropOperations(patch map[string]any, name string) {
	operations, ok := patch["Operations"].([]any)
	if !ok {
		return
	}
	patch["Operations"] = slices.DeleteFunc(operations, func(op any) bool {
		operation, _ := op.(map[string]any)
		path, _ := operation["path"].(string)
		return path == name || strings.HasSuffix(path, ":"+name)
	})
}

func addedMembers(r *http.Request, body string) (ids []string) {
	var patch struct {
		Operations []struct {
			Op, Path string
			Value    json.RawMessage
		}
	}
	if r.Method != http.MethodPatch || json.Unmarshal([]byte(body), &patch) != nil {
		return nil
	}
	for _, op := range patch.Operations {
		var members []struct{ Value string }
		if op.Op == "add" && op.Path == "members" && json.Unmarshal(op.Value, &members) == nil {
			for _, m := range members {
				ids = append(ids, m.Value)
			}
		}
	}
	return ids
}

func membersOf(group map[string]any) (ids []string) {
	list, _ := group["members"].([]any)
	for _, m := range list {
		ids = append(ids, memberID(m))
	}
	return ids
}
