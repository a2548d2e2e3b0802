package scim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"entrasync/target"
)

// providerLife is how long what an application says of itself is believed.
const providerLife = time.Hour

// A provider is what ServiceProviderConfig says, as far as it is acted on. Its flags for PATCH
// and filters are reported only: servers are wrong about both in both directions.
type provider struct {
	found         bool
	refusal       string // the application's words, where it refused to be read
	patch, filter bool
	maxResults    int
	cursor        bool // pages by cursor (RFC 9865, section 4)
}

// provider reads ServiceProviderConfig, which may be missing, refused or rubbish; then the
// defaults hold that nearly every server keeps to.
func (cl *client) provider(ctx context.Context) *provider {
	cl.learned.mu.Lock()
	known, at := cl.learned.provider, cl.learned.providerAt
	cl.learned.mu.Unlock()
	if known != nil && time.Since(at) < providerLife {
		return known
	}
	p := &provider{patch: true, filter: true}
	answered := true
	for _, name := range []string{"ServiceProviderConfig", "ServiceProviderConfigs"} {
		ans, err := cl.send(ctx, call{op: "read service provider configuration", method: http.MethodGet, path: []string{name}})
		if err != nil && statusOf(err) != http.StatusNotFound {
			answered = target.CodeOf(err) != target.Unavailable
			var e *target.Error
			if errors.As(err, &e) && e.Status != 0 {
				p.refusal = fmt.Sprintf(" (%d: %s)", e.Status, e.Detail)
			}
			break
		}
		if err != nil || ans.object == nil {
			continue
		}
		p.read(ans.object)
		break
	}
	if answered {
		cl.learned.mu.Lock()
		cl.learned.provider, cl.learned.providerAt = p, time.Now()
		cl.learned.mu.Unlock()
	}
	return p
}

func (p *provider) read(object map[string]any) {
	if list, ok := member(object, "Resources").([]any); ok && len(list) > 0 { // some wrap it in a list
		object, _ = list[0].(map[string]any)
	}
	section := func(name string) map[string]any {
		m, _ := member(object, name).(map[string]any)
		return m
	}
	supported := func(name string, otherwise bool) bool {
		if b, ok := member(section(name), "supported").(bool); ok {
			return b
		}
		return otherwise
	}
	p.found = true
	p.patch, p.filter = supported("patch", true), supported("filter", true)
	p.maxResults, _ = number(member(section("filter"), "maxResults"))
	pagination := section("pagination")
	p.cursor, _ = member(pagination, "cursor").(bool)
	if n, ok := number(member(pagination, "maxPageSize")); ok && n > 0 {
		p.maxResults = n
	}
}

// Probe implements [target.Adapter]. It asks for a user that does not exist, which proves address,
// credential and protocol at once, as Entra's connection test does.
func (a *Adapter) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	provider := a.client.provider(ctx)
	profile := &target.Profile{
		Kinds: map[target.Kind]bool{target.User: true, target.Group: true},
		Patch: provider.patch, Filter: true, PageSize: provider.maxResults,
		Unknown: map[string]bool{}, Complex: map[string]bool{}, Values: map[target.Kind]map[string]target.CanonicalValues{},
	}
	note := func(format string, args ...any) { profile.Notes = append(profile.Notes, fmt.Sprintf(format, args...)) }
	if !provider.found {
		note("it has no ServiceProviderConfig that could be read%s; PATCH and filters are taken to work", provider.refusal)
	}
	strangers, err := a.probe.probeUsers(ctx)
	switch {
	case err == nil && !strangers:
	case err == nil:
		profile.Filter = false
		note("it ignores filters and answers with everyone; all accounts are read once in a cycle to find one")
	case refusesFilter(err):
		profile.Filter = false
		note("it refuses a filter by userName; all accounts are read once in a cycle to find one")
		if err := a.probe.probeList(ctx, target.User); err != nil {
			return nil, noService(err)
		}
	default:
		return nil, noService(err)
	}
	if err := a.probe.probeList(ctx, target.Group); err != nil {
		if status := statusOf(err); status == http.StatusUnauthorized || status == 0 || status > http.StatusNotImplemented {
			return nil, err
		}
		profile.Kinds[target.Group] = false
		if len(paths[target.Group]) > 0 {
			note("it does not offer groups: %v", err)
		}
	}
	a.probe.probePage(ctx, note)
	a.probe.probeSchemas(ctx, paths, profile, note)
	return profile, nil
}

// noService turns "no such address" into what it means for the whole target.
func noService(err error) error {
	if statusOf(err) != http.StatusNotFound {
		return err
	}
	return &target.Error{
		Op: "probe", Code: target.NotSCIM, Status: http.StatusNotFound,
		Message: "there is no SCIM service at this address (404)", Hint: "check the path of the target's url; it often ends in /scim/v2", Err: err,
	}
}

// A probe tries what the application answers, for a test of the connection.
type probe struct {
	learned *learned
	client  *client
}

// probeUsers asks for a userName that is random; strangers means that a user was returned.
func (pr *probe) probeUsers(ctx context.Context) (strangers bool, err error) {
	c := call{
		op: "probe", method: http.MethodGet, path: []string{"Users"},
		query: []string{param("filter", "userName eq "+quote("entrasync-probe-"+rand.Text()))}, probe: true,
	}
	ans, err := pr.client.send(ctx, c)
	if err != nil {
		return false, err
	}
	page, err := ans.listing(c, target.User)
	return err == nil && page.came > 0, err
}

func (pr *probe) probeList(ctx context.Context, kind target.Kind) error {
	c := call{op: "probe", method: http.MethodGet, path: []string{endpoint(kind)}, query: []string{"startIndex=1", "count=1"}}
	if kind == target.Group {
		c.query = append(c.query, "excludedAttributes=members")
	}
	ans, err := pr.client.send(ctx, c)
	if refusesQuery(err) && kind == target.Group {
		c.query = c.query[:len(c.query)-1]
		ans, err = pr.client.send(ctx, c)
	}
	if err != nil {
		return err
	}
	_, err = ans.listing(c, kind)
	return err
}

// probePage asks for a page as large as a list's, because some applications refuse what is above
// their maximum.
func (pr *probe) probePage(ctx context.Context, note func(string, ...any)) {
	p := pr.client.pager(ctx, target.User, "probe", "", nil)
	asked := p.count
	if _, err := p.page(ctx, param("startIndex", "1"), param("count", strconv.Itoa(p.count))); err == nil && p.count < asked {
		note("it refuses pages of %d and gives pages of %d; set page_size: %d", asked, p.count, p.count)
	}
}

// probeSchemas flags mapped attributes that the application's schemas do not have.
func (pr *probe) probeSchemas(ctx context.Context, paths map[target.Kind][]target.Path, profile *target.Profile, note func(string, ...any)) {
	c := call{op: "read schemas", method: http.MethodGet, path: []string{"Schemas"}}
	ans, err := pr.client.send(ctx, c)
	if status := statusOf(err); status != 0 && status != http.StatusNotFound {
		note("its schemas cannot be read (%d), so that it is not known which attributes it has", status)
	}
	if err != nil {
		return
	}
	known, types := describedSchemas(ans.object), typesOf(ans.object)
	for _, kind := range []target.Kind{target.User, target.Group} {
		if known.of(coreSchema(kind)) == nil {
			continue // it does not describe this kind at all
		}
		for _, path := range paths[kind] {
			if of, ok := types.of(kind, path); ok && of.name == "complex" {
				profile.Complex[path.String()] = true
			}
			if canonical := types.canonicalValues(kind, path); len(canonical) > 0 {
				if profile.Values[kind] == nil {
					profile.Values[kind] = map[string]target.CanonicalValues{}
				}
				maps.Copy(profile.Values[kind], canonical)
			}
			for _, odd := range types.oddFilterValues(kind, path) {
				note("%s", odd)
			}
			if unknown := known.unknown(types, kind, path); unknown != "" {
				profile.Unknown[path.String()] = true
				note("%s", unknown)
			}
		}
	}
}
