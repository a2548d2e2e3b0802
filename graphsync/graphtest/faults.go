package graphtest

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// A Fault makes some answers go wrong. It applies to the first Times requests that match,
// after having let After of them pass. The zero pattern matches every request to Graph. When
// several faults match, the one added first applies.
type Fault struct {
	// Path is a pattern as of path.Match over the path in its plainest spelling:
	// "/v1.0/users/delta" is delta() too, "/v1.0/servicePrincipals/*/appRoleAssignedTo" is
	// servicePrincipals(appId='…') too. "/*/oauth2/v2.0/token" is the token endpoint.
	Path string
	// Tenant limits the fault to a tenant's token endpoint and to Graph requests with its
	// tokens; an id or domain.
	Tenant string
	// Match limits it further, when not nil.
	Match func(*http.Request) bool
	After int
	Times int // 0 is once, negative is until Reset or until the function Fault returned is called

	// Respond makes the response; next gives the one that would have been sent, and must be
	// called for the request to have any effect.
	Respond func(r *http.Request, next func() *Response) *Response
}

type fault struct {
	Fault
	passed, done int
}

// Fault adds a fault and returns a function that ends it.
func (s *Server) Fault(f Fault) (end func()) {
	if f.Times == 0 {
		f.Times = 1
	}
	added := &fault{Fault: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, added)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool { return f == added })
	}
}

// match finds the fault for a request and counts it; s.mu is held.
func (s *Server) match(r *http.Request) func(*call, func() *Response) *Response {
	for _, f := range s.faults {
		if f.Times > 0 && f.done >= f.Times || !f.matches(r) || f.Tenant != "" && s.tenants[tenantOf(r)] != s.tenants[strings.ToLower(f.Tenant)] {
			continue
		}
		if f.passed < f.After {
			f.passed++
			continue
		}
		f.done++
		return func(c *call, next func() *Response) *Response {
			c.graph = strings.HasPrefix(r.URL.Path, "/v1.0/")
			return f.Respond(r, next)
		}
	}
	return nil
}

func (f *fault) matches(r *http.Request) bool {
	given := "/" + strings.Join(segments(r.URL.EscapedPath()), "/")
	pattern := f.Path
	if pattern == "" && !strings.HasPrefix(given, "/v1.0/") {
		return false
	}
	if pattern != "" {
		if ok, err := path.Match(pattern, given); err != nil {
			panic(fmt.Sprintf("graphtest: fault path %q: %v", pattern, err))
		} else if !ok {
			return false
		}
	}
	return f.Match == nil || f.Match(r)
}

// tenantOf reads the tenant from the path or, unchecked, from the token.
func tenantOf(r *http.Request) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if first != "v1.0" {
		return strings.ToLower(first)
	}
	return claim(r.Header.Get("Authorization"), "tid")
}

// Always returns the fault without an end.
func (f Fault) Always() Fault { f.Times = -1; return f }

// On returns the fault for a path pattern.
func (f Fault) On(path string) Fault { f.Path = path; return f }

// For returns the fault for a tenant.
func (f Fault) For(tenant string) Fault { f.Tenant = tenant; return f }

// Repeat returns the fault for that many requests.
func (f Fault) Repeat(times int) Fault { f.Times = times; return f }

// Skip returns the fault with that many matching requests let through before it.
func (f Fault) Skip(requests int) Fault { f.After = requests; return f }
