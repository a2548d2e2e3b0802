// Package scim provisions applications that speak SCIM 2.0 (RFC 7643, RFC 7644), and those
// that nearly do.
//
// It trusts the protocol no further than servers keep it: a filter's results are verified, a
// 200 must carry what was written, a list must prove that it is complete, and what a server
// turned out not to be able to do is done in another way from then on. What it learns it keeps
// for the life of the process only.
//
// It decides nothing about accounts: whom to match, to create or to remove is the caller's.
// Requests are paced, authorized and repeated by the [target.Transport] it is given.
package scim

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"entrasync/target"
)

// A Dialect is the form in which changes are sent.
type Dialect string

// The dialects. A target's is configured, never guessed.
const (
	// RFC sends one operation for each attribute, with a path, as RFC 7644 has it.
	RFC Dialect = "rfc"
	// EntraLegacy sends what Entra sends by default: capitalized operations, booleans as
	// texts, a member removed by a list of values. On a server that follows the RFC to the
	// letter such a removal empties the group.
	EntraLegacy Dialect = "entra-legacy"
	// Entra2020 sends what Entra sends with aadOptscim062020 in the URL: one operation
	// without a path for all plain values.
	Entra2020 Dialect = "entra-062020"
	// Okta replaces the whole resource, and patches activity and group names without a path.
	Okta Dialect = "okta"
)

// Config says how one application speaks SCIM. Only URL is needed.
type Config struct {
	URL             string // base, with or without slash at the end; path prefix and query are kept
	Dialect         Dialect
	PageSize        int      // resources asked for at once; 0: as many as the application announces, see pageSize
	MembersPerPatch int      // membership changes in one request; default 100
	VerifyWrites    bool     // read back after a write that was answered without the resource
	Replace         bool     // write with PUT, never PATCH
	NoFilter        bool     // never search by filter: read everyone once a cycle
	GroupSchemas    []string // URNs in addition to the core schema in a new group's schemas

	// Settle is for how long an application may answer 404 for what it has just made; default 10 s.
	Settle time.Duration
}

// An Adapter provisions one application. Its methods may be called concurrently.
type Adapter struct {
	cfg     Config
	client  *client
	learned *learned
	indexes map[target.Kind]*index
	dialect *dialect
	search  *search
	members *groupMembers
	probe   *probe
}

var (
	_ target.Adapter         = (*Adapter)(nil)
	_ target.Lister          = (*Adapter)(nil)
	_ target.Getter          = (*Adapter)(nil)
	_ target.OffChecker      = (*Adapter)(nil)
	_ target.MemberWriter    = (*Adapter)(nil)
	_ target.MemberReader    = (*Adapter)(nil)
	_ target.TrafficReporter = (*Adapter)(nil)
	_ target.Limited         = (*Adapter)(nil)
	_ target.Sized           = (*Adapter)(nil)
	_ target.Closer          = (*Adapter)(nil)
)

// New checks the configuration. It sends nothing.
func New(cfg Config, transport *target.Transport) (*Adapter, error) {
	base, err := url.Parse(strings.TrimSpace(cfg.URL))
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("url: not the base address of a SCIM service, such as https://scim.example.com/v2")
	case base.User != nil:
		return nil, errors.New("url: holds a user name or password; put them under auth")
	case base.Fragment != "":
		return nil, fmt.Errorf("url: the part behind # (%q) never reaches a server; remove it", base.Fragment)
	}
	switch cfg.Dialect {
	case "":
		cfg.Dialect = RFC
	case RFC, EntraLegacy, Entra2020, Okta:
	default:
		return nil, fmt.Errorf("dialect: %q is none of %s, %s, %s, %s", cfg.Dialect, RFC, EntraLegacy, Entra2020, Okta)
	}
	if cfg.PageSize < 0 || cfg.MembersPerPatch < 0 {
		return nil, errors.New("page_size and members_per_patch cannot be negative")
	}
	if cfg.MembersPerPatch == 0 {
		cfg.MembersPerPatch = 100
	}
	if cfg.Settle == 0 {
		cfg.Settle = 10 * time.Second
	}
	known := &learned{}
	indexes := map[target.Kind]*index{target.User: newIndex(), target.Group: newIndex()}
	requests := &client{cfg: cfg, base: base, transport: transport, learned: known}
	words := &dialect{cfg: cfg, learned: known, client: requests}
	return &Adapter{
		cfg: cfg, client: requests, learned: known, indexes: indexes, dialect: words,
		search:  &search{cfg: cfg, learned: known, client: requests, indexes: indexes},
		members: &groupMembers{cfg: cfg, learned: known, client: requests, dialect: words},
		probe:   &probe{learned: known, client: requests},
	}, nil
}

// Concurrency implements [target.Limited].
func (a *Adapter) Concurrency() int { return a.client.transport.Concurrency() }

// Share implements [target.Sharer].
func (a *Adapter) Share(processes int) { a.client.transport.Share(processes) }

// Traffic implements [target.TrafficReporter].
func (a *Adapter) Traffic() target.Traffic { return a.client.transport.Traffic() }

// Close ends a cycle: what was read to search without filters is forgotten.
func (a *Adapter) Close(context.Context) error {
	for _, index := range a.indexes {
		index.forget()
	}
	a.learned.forget(emptyFilter)
	return nil
}

// The schemas' URNs (RFC 7643, section 10.2), and the one Entra adds to groups.
const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchOp    = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	entraGroup = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
)

func endpoint(kind target.Kind) string {
	if kind == target.Group {
		return "Groups"
	}
	return "Users"
}

func coreSchema(kind target.Kind) string {
	if kind == target.Group {
		return coreGroup
	}
	return coreUser
}
