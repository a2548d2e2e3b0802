package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"entrasync/target/scim/scimtest"
)

// A scimFault makes some requests to a SCIM server go wrong: see `target fault`.
type scimFault struct {
	kind, method, word string
	after, times       int // times -1: always
}

func (a *application) fault(f scimFault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, &f)
}

func (a *application) heal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = nil
}

// pick counts and returns the fault that fits a request.
func (a *application) pick(r *http.Request, kinds ...string) *scimFault {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.faults {
		switch {
		case r.Header.Get(swallowed) != "" || f.method != r.Method || !strings.Contains(r.URL.Path+" "+string(body), f.word) || f.times == 0 || !slices.Contains(kinds, f.kind):
		case f.after > 0:
			f.after--
		default:
			f.times = max(f.times-1, -1)
			return f
		}
	}
	return nil
}

func (a *application) fail(r *http.Request) *http.Response {
	refusal := func(status int, detail string, header ...string) *http.Response {
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":%q}`, status, detail)
		return scimtest.NewResponse(status, body, append(header, "Content-Type", "application/scim+json")...)
	}
	f := a.pick(r, "refuse", "unauthorized", "forbidden", "unavailable", "throttle", "html", "ignore", "stall", "swallow")
	if f == nil {
		return nil
	}
	switch f.kind {
	case "refuse":
		return refusal(http.StatusBadRequest, "the seat limit of your plan is reached")
	case "unauthorized":
		return refusal(http.StatusUnauthorized, "token was revoked")
	case "forbidden":
		return refusal(http.StatusForbidden, "token lacks the scope scim:write")
	case "unavailable":
		return refusal(http.StatusServiceUnavailable, "down for maintenance", "Retry-After", "0")
	case "throttle":
		return refusal(http.StatusTooManyRequests, "slow down", "Retry-After", "0")
	case "ignore":
		return scimtest.NewResponse(http.StatusNoContent, "")
	case "html":
		return scimtest.NewResponse(http.StatusOK, "<!doctype html><title>Sign in</title>", "Content-Type", "text/html")
	}
	if f.kind == "swallow" {
		a.carryOut(r)
	}
	a.stalled <- struct{}{}
	<-r.Context().Done() // until the program has gone
	return refusal(http.StatusServiceUnavailable, "the connection is closed")
}

// swallowed marks the requests that carryOut sends.
const swallowed = "X-Swallowed"

// carryOut has the server do what a request asks; its response is discarded.
func (a *application) carryOut(r *http.Request) {
	again := r.Clone(r.Context())
	again.RequestURI, again.URL.Scheme, again.URL.Host = "", "http", r.Host
	again.Header.Set(swallowed, "yes")
	if response, err := a.server.Client.Do(again); err == nil {
		response.Body.Close()
	}
}
