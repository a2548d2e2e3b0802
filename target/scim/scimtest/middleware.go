package scimtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// refuses makes a middleware of what answers some requests in the server's place.
func refuses(response func(q *quirks, r *http.Request, body string) *http.Response) middleware {
	return func(q *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := bodyOf(r)
			if response := response(q, r, string(body)); response != nil {
				respond(w, response.StatusCode, response.Header, response.Body)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// sends makes a middleware of what changes the bodies of writes.
func sends(change func(r *http.Request, object map[string]any)) middleware {
	return func(_ *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var object map[string]any
			if json.Unmarshal(bodyOf(r), &object) == nil && r.Method != http.MethodPost {
				change(r, object)
				if operations, ok := object["Operations"].([]any); ok && len(operations) == 0 {
					r = r.Clone(r.Context())
					r.Method, r.Body = http.MethodGet, http.NoBody
				} else {
					text, _ := json.Marshal(object)
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// stores makes a middleware of a function that changes what is stored of a user that was written.
func stores(change func(user map[string]any)) middleware {
	return func(q *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, header, object, _ := carryOut(next, r)
			if id, _ := object["id"].(string); r.Method != http.MethodGet && id != "" && strings.Contains(r.URL.Path, "/Users") {
				held := q.get("/v2/Users/" + id)
				change(held)
				delete(held, "meta")
				if _, object = q.do(http.MethodPut, "/v2/Users/"+id, held); object == nil {
					panic("scimtest: a quirk's change was refused")
				}
			}
			writeObject(w, status, header, object)
		})
	}
}

// shows makes a middleware of what changes resources that are shown.
func shows(change func(r *http.Request, object map[string]any)) middleware {
	return func(_ *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, header, object, _ := carryOut(next, r)
			list, _ := object["Resources"].([]any)
			for _, entry := range append(list, object) {
				if resource, ok := entry.(map[string]any); ok && resource["id"] != nil {
					change(r, resource)
				}
			}
			writeObject(w, status, header, object)
		})
	}
}

// answersWrites makes a middleware of how a write that was carried out is answered.
func answersWrites(answer func(status int, object map[string]any) (int, map[string]any)) middleware {
	return func(_ *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, header, object, _ := carryOut(next, r)
			if status < 300 && (r.Method == http.MethodPatch || r.Method == http.MethodPut) {
				status, object = answer(status, object)
			}
			writeObject(w, status, header, object)
		})
	}
}

// answersSchemas makes a middleware of what changes the attributes that /Schemas describes.
func answersSchemas(change func(attribute map[string]any)) middleware {
	return func(_ *quirks, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, header, object, _ := carryOut(next, r)
			if strings.HasSuffix(r.URL.Path, "/Schemas") {
				list, _ := object["Resources"].([]any)
				for _, entry := range list {
					eachElement(map[string]any{"": entry.(map[string]any)["attributes"]}, change)
				}
			}
			writeObject(w, status, header, object)
		})
	}
}

// bodyOf reads a request's body and puts it back.
func bodyOf(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// carryOut has a request answered, and decodes the response.
func carryOut(next http.Handler, r *http.Request) (status int, header http.Header, object map[string]any, body []byte) {
	recorder := httptest.NewRecorder()
	next.ServeHTTP(recorder, r)
	_ = json.Unmarshal(recorder.Body.Bytes(), &object) // nil for none
	return recorder.Code, recorder.Header().Clone(), object, recorder.Body.Bytes()
}

func writeObject(w http.ResponseWriter, status int, header http.Header, object map[string]any) {
	header.Del("Content-Length")
	if object == nil {
		respond(w, status, header, http.NoBody)
		return
	}
	text, _ := json.Marshal(object) // decoded JSON
	respond(w, status, header, bytes.NewReader(text))
}

func respond(w http.ResponseWriter, status int, header http.Header, body io.Reader) {
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = io.Copy(w, body) // the client may be gone
}

func scimError(status int, keyword string, header ...string) *http.Response {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","scimType":%q,"detail":"a quirk of this server"}`, status, keyword)
	return NewResponse(status, body, append(header, "Content-Type", "application/scim+json")...)
}
