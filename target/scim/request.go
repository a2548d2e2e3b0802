package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"entrasync/target"
)

// A call is one request in SCIM's terms.
type call struct {
	op      string // for errors: "create user", ...
	method  string
	path    []string // segments below the base, not escaped
	query   []string // name=value, escaped by param
	body    any
	version string // If-Match, "" for none
	fixed   bool   // sending it twice leads to the same
	probe   bool   // asks whether the application speaks SCIM at all
}

// param escapes a query parameter as servers understand it: a space as %20, since not all
// read + as one.
func param(name, value string) string {
	return name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// errNoID is the cause of refusing an id that would lead to another address.
var errNoID = errors.New("not an id")

// A client sends calls to the application, reads its resources and lists, and learns which of the protocol's
// options it takes.
type client struct {
	cfg       Config
	base      *url.URL
	transport *target.Transport
	learned   *learned
}

func (cl *client) url(c call) (*url.URL, error) {
	u := *cl.base
	u.Path = strings.TrimRight(u.Path, "/")
	escaped := strings.TrimRight(cl.base.EscapedPath(), "/")
	for _, segment := range c.path {
		if segment == "" || segment == "." || segment == ".." {
			return nil, &target.Error{Code: target.Rejected, Message: "the id is empty or a path, and cannot be asked for", Err: errNoID}
		}
		u.Path += "/" + segment
		escaped += "/" + url.PathEscape(segment)
	}
	u.RawPath = escaped
	if query := strings.Join(c.query, "&"); query != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += query
	}
	return &u, nil
}

// firstLook is the wait before what was just made and is not there yet is asked for again.
const firstLook = 250 * time.Millisecond

// send makes a call. An answer that is not 2xx is an error; one that is not SCIM too. Some
// applications do not know for some seconds what they have just made: it is asked for again.
func (cl *client) send(ctx context.Context, c call) (*response, error) {
	for wait := firstLook; ; wait *= 2 {
		ans, err := cl.sendOnce(ctx, c)
		left := cl.unsettled(c)
		if !missing(err) || left <= 0 || wait > firstLook && cl.isThere(ctx, c) {
			return ans, cl.onlyThis(ctx, c, err)
		}
		select {
		case <-time.After(min(wait, left)):
		case <-ctx.Done():
			return nil, &target.Error{Op: c.op, Code: target.Unavailable, Message: "stopped while waiting for what was just made", Err: ctx.Err()}
		}
	}
}

// isThere reports whether the resource that a write did not find is there: then it is the write that
// is not known.
func (cl *client) isThere(ctx context.Context, c call) bool {
	if c.method == http.MethodGet {
		return false
	}
	_, err := cl.sendOnce(ctx, call{op: c.op, method: http.MethodGet, path: c.path})
	return err == nil
}

// unsettled returns for how long yet a resource that was made here just now may be unknown; 0 for
// others. One that is to be deleted is not waited for.
func (cl *client) unsettled(c call) time.Duration {
	if len(c.path) != 2 || c.method == http.MethodDelete {
		return 0
	}
	for _, kind := range []target.Kind{target.User, target.Group} {
		if age, ok := cl.learned.age(target.Ref{Kind: kind, ID: c.path[1]}); ok && c.path[0] == endpoint(kind) {
			return cl.cfg.Settle - age
		}
	}
	return 0
}

func (cl *client) sendOnce(ctx context.Context, c call) (*response, error) {
	u, err := cl.url(c)
	if err != nil {
		return nil, withOp(err, c.op)
	}
	var body []byte
	if c.body != nil {
		if body, err = encode(c.body); err != nil {
			return nil, &target.Error{Op: c.op, Code: target.Rejected, Message: "a value cannot be written as JSON", Err: err}
		}
	}
	media := "application/scim+json"
	if cl.learned.knows(plainJSON, "", "") {
		media = "application/json"
	}
	status, header, text, err := cl.roundTrip(ctx, c, u, media, body)
	if err == nil && status == http.StatusUnsupportedMediaType && body != nil && media != "application/json" {
		if status, header, text, err = cl.roundTrip(ctx, c, u, "application/json", body); err == nil && status != http.StatusUnsupportedMediaType {
			cl.learned.learn(plainJSON, "", "")
		}
	}
	if err != nil {
		return nil, withOp(err, c.op)
	}
	return decode(c, valuesIn(cl.transport.MaxBody()), status, header, text)
}

// roundTrip sends one request and reads its response.
func (cl *client) roundTrip(ctx context.Context, c call, u *url.URL, media string, body []byte) (int, http.Header, []byte, error) {
	req := (&http.Request{Method: c.method, URL: u, Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("Accept", "application/scim+json, application/json")
	if body != nil {
		req.Header.Set("Content-Type", media)
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	if c.version != "" {
		req.Header.Set("If-Match", c.version)
	}
	if c.fixed {
		req.Header["Idempotency-Key"] = nil
	}
	resp, err := cl.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, text, err
}

// encode writes JSON without escaping <, > and &, which naive filters compare as they come.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

func quote(text string) string {
	b, _ := encode(text) // a string
	return string(b)
}

// withOp says in which operation an error happened.
func withOp(err error, op string) error {
	var e *target.Error
	if !errors.As(err, &e) {
		return &target.Error{Op: op, Code: target.Unavailable, Message: "the answer could not be read", Err: err}
	}
	if e.Op != "" {
		return err
	}
	named := *e
	named.Op = op
	return &named
}

func opName(verb string, kind target.Kind) string { return verb + " " + string(kind) }
