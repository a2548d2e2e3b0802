package scim

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"entrasync/target"
)

// A response is a 2xx answer. object is nil when it had no body, or an empty object for one.
type response struct {
	status  int
	header  http.Header
	object  map[string]any
	version string
}

// decode judges a response of at most so many values. Servers send any content type, or none; SCIM is known by content.
func decode(c call, most, status int, header http.Header, body []byte) (*response, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(inUTF8(header, body), []byte("\ufeff")))
	if status < 200 || status > 299 {
		return nil, refusal(c, status, header, body)
	}
	ans := &response{status: status, header: header, version: entityTag(header)}
	if len(body) == 0 {
		return ans, nil
	}
	if tooManyValues(body, most) {
		return nil, oversized(c, status, most)
	}
	value, err := target.DecodeJSON(body)
	object, ok := value.(map[string]any)
	if err != nil || !ok || !looksLikeSCIM(object) {
		return nil, notSCIM(c, status, body, object)
	}
	if len(object) > 0 {
		ans.object = object
	}
	return ans, nil
}

// inUTF8 returns a body in UTF-8, which JSON has to be in (RFC 8259, section 8.1). Some services send
// Latin-1, or say so, and names would be damaged when they are written back.
func inUTF8(header http.Header, body []byte) []byte {
	_, params, _ := mime.ParseMediaType(header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if !strings.HasPrefix(charset, "utf-16") && utf8.Valid(body) {
		return body // also where something else is claimed
	}
	named, err := htmlindex.Get(charset)
	if err != nil || strings.HasPrefix(charset, "utf-8") {
		named = charmap.Windows1252 // what calls itself Latin-1
	}
	if text, err := named.NewDecoder().Bytes(body); err == nil {
		return text
	}
	return body
}

// entityTag returns the version in a response's header. A proxy that compresses appends what it does
// to the tag (Apache's mod_deflate: "v1-gzip"), and the service does not know it by that name.
func entityTag(header http.Header) string {
	tag := header.Get("ETag")
	for _, suffix := range []string{"-gzip", ";gzip", "--gzip", ":gzip", "-br", ";br", "-zstd", "-df"} {
		if bare, ok := strings.CutSuffix(tag, suffix+`"`); ok {
			return bare + `"`
		}
	}
	return tag
}

// looksLikeSCIM accepts what servers really send: resources without schemas, lists without
// anything but a number. An empty object says nothing and is taken for no body.
func looksLikeSCIM(object map[string]any) bool {
	if len(object) == 0 {
		return true
	}
	if hasError(object) {
		return false
	}
	for _, name := range []string{"id", "schemas", "Resources", "totalResults", "patch"} {
		if member(object, name) != nil {
			return true
		}
	}
	return false
}

// hasError tells an error in a good answer's clothes: Casdoor sends 200 {"status":"error"},
// others a SCIM error with the status inside only.
func hasError(object map[string]any) bool {
	if s, ok := member(object, "status").(string); ok && strings.EqualFold(s, "error") {
		return true
	}
	return strings.Contains(schemasOf(object), "messages:2.0:Error")
}

func schemasOf(object map[string]any) string {
	list, _ := member(object, "schemas").([]any)
	var all []string
	for _, s := range list {
		if s, ok := s.(string); ok {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}

// member returns an object's member by its name in any case, as attribute names are
// (RFC 7643, section 2.1).
func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for key, v := range object {
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}

// text returns a string, or the digits of a number: ids and statuses come as both.
func text(value any) string { return target.Digits(value) }

func number(value any) (int, bool) {
	switch value := value.(type) {
	case float64:
		return int(value), value >= 0 && value < 1e9
	case string:
		n, err := strconv.Atoi(value)
		return n, err == nil && n >= 0
	}
	return 0, false
}

// resource makes a resource of an object, nil when it has no id.
func resource(kind target.Kind, object map[string]any, etag string) *target.Resource {
	id := text(member(object, "id"))
	if id == "" {
		return nil
	}
	if meta, ok := member(object, "meta").(map[string]any); ok {
		if v := text(member(meta, "version")); v != "" && etag == "" {
			etag = v
		}
	}
	return &target.Resource{Ref: target.Ref{Kind: kind, ID: id}, Attributes: object, Version: etag}
}

func (ans *response) resource(kind target.Kind) *target.Resource {
	if ans.object == nil {
		return nil
	}
	return resource(kind, ans.object, ans.version)
}

// located returns the id at the end of the Location header, for answers without a body.
func (ans *response) located(kind target.Kind) string {
	u, err := url.Parse(ans.header.Get("Location"))
	if err != nil {
		return ""
	}
	dir, escaped := path.Split(strings.TrimRight(u.EscapedPath(), "/"))
	id, err := url.PathUnescape(escaped)
	if err != nil || !strings.HasSuffix(strings.TrimRight(dir, "/"), endpoint(kind)) {
		return ""
	}
	return id
}

// A listing is one page of resources.
type listing struct {
	resources []target.Resource
	came      int // entries on the page, also those that are no resources
	total     int // -1 when not said
	next      string
}

func (ans *response) listing(c call, kind target.Kind) (*listing, error) {
	total, counted := number(member(ans.object, "totalResults"))
	list, listed := member(ans.object, "Resources").([]any)
	if !counted && !listed {
		return ans.single(c, kind)
	}
	l := &listing{came: len(list), total: -1, next: text(member(ans.object, "nextCursor"))}
	if counted {
		l.total = total
	}
	l.resources = make([]target.Resource, 0, len(list))
	for _, entry := range list {
		object, _ := entry.(map[string]any)
		if r := resource(kind, object, ""); r != nil {
			l.resources = append(l.resources, *r)
		}
	}
	return l, nil
}

// single takes a resource for a list of one, and one without anything for none: Zabbix answers a
// filter so.
func (ans *response) single(c call, kind target.Kind) (*listing, error) {
	if !c.filters() || ans.object == nil {
		return nil, notSCIM(c, ans.status, nil, ans.object)
	}
	if r := ans.resource(kind); r != nil {
		return &listing{resources: []target.Resource{*r}, came: 1, total: 1}, nil
	}
	if len(ans.object) == 1 && schemasOf(ans.object) != "" {
		return &listing{resources: []target.Resource{}}, nil
	}
	return nil, notSCIM(c, ans.status, nil, ans.object)
}

// filters reports whether a call asks for resources by a filter.
func (c *call) filters() bool {
	return slices.ContainsFunc(c.query, func(q string) bool { return strings.HasPrefix(q, "filter=") })
}
