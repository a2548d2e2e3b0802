// Package ldap provisions an LDAP directory: OpenLDAP and servers like it, and Active Directory. A configuration maps
// attributes of users and groups to those of entries below a base.
//
// An entry is identified by entryUUID or objectGUID, never by its name (DN): entries are renamed and moved by others. Its
// name is looked up before each write, and where the server can, it is asked to write only while the entry is still the
// one that was looked up. Values go into filters and names escaped.
//
// session.go has connections, waits and repetition; names.go names and filters; change.go what a write comes to; ad.go what
// Active Directory does in a way of its own. Errors are translated in errors.go. See configs/docs/ldap.md for what users
// are told.
package ldap

import (
	"crypto/tls"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"entrasync/target"
)

const (
	defaultTimeout     = time.Minute
	defaultConcurrency = 4
	defaultPage        = 500 // Active Directory answers with 1,000 at most
)

// An Adapter provisions one directory. Its methods may be called concurrently.
type Adapter struct {
	cfg     Config
	address *url.URL
	tls     *tls.Config
	flavor  flavor
	users   *section
	groups  *section // nil: there are none
	limiter *rate.Limiter
	slots   chan struct{}

	sent      atomic.Int64 // requests
	throttled atomic.Int64

	mu   sync.Mutex // protects open
	open *handle    // nil: not connected
}

var (
	_ target.Adapter         = (*Adapter)(nil)
	_ target.Lister          = (*Adapter)(nil)
	_ target.Getter          = (*Adapter)(nil)
	_ target.MemberWriter    = (*Adapter)(nil)
	_ target.MemberReader    = (*Adapter)(nil)
	_ target.Closer          = (*Adapter)(nil)
	_ target.TrafficReporter = (*Adapter)(nil)
	_ target.Limited         = (*Adapter)(nil)
	_ target.Sharer          = (*Adapter)(nil)
)

// New returns an adapter. Nothing is sent before it is used; the certificates of CAFile are read at once.
func New(cfg Config) (*Adapter, error) {
	if faults := cfg.Faults(); len(faults) > 0 {
		return nil, errors.New(faults[0].Message)
	}
	address, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = defaultConcurrency
	}
	if cfg.PageSize <= 0 {
		cfg.PageSize = defaultPage
	}
	a := &Adapter{cfg: cfg, address: address, flavor: flavors[cfg.Profile], limiter: cfg.Limiter, slots: make(chan struct{}, cfg.Concurrency)}
	a.tls = &tls.Config{ServerName: address.Hostname(), MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		if a.tls.RootCAs, err = target.Authorities(cfg.CAFile); err != nil {
			return nil, err
		}
	}
	if a.limiter == nil {
		a.limiter = rate.NewLimiter(rate.Inf, 1)
	}
	a.Share(1)
	if a.users, err = cfg.users(); err != nil {
		return nil, err
	}
	if cfg.Groups != nil {
		if a.groups, err = cfg.groups(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Concurrency implements [target.Limited].
func (a *Adapter) Concurrency() int { return a.cfg.Concurrency }

// Traffic implements [target.TrafficReporter].
func (a *Adapter) Traffic() target.Traffic {
	return target.Traffic{Requests: a.sent.Load(), Throttled: a.throttled.Load()}
}

// Share implements [target.Sharer]: each process sends its part of the rate.
func (a *Adapter) Share(processes int) {
	if a.cfg.Rate > 0 {
		a.limiter.SetLimit(rate.Limit(a.cfg.Rate / float64(max(1, processes))))
	}
}

// section returns that of a kind, or the error of a kind that is not kept.
func (a *Adapter) section(op string, kind target.Kind) (*section, error) {
	switch {
	case kind == target.User:
		return a.users, nil
	case kind == target.Group && a.groups != nil:
		return a.groups, nil
	}
	return nil, &target.Error{Op: op, Code: target.Unsupported, Message: "the target's configuration has no section " + string(kind) + "s",
		Hint: "add the section, or set " + string(kind) + "s.enabled to false in the sync"}
}

func (a *Adapter) sections() []*section {
	if a.groups == nil {
		return []*section{a.users}
	}
	return []*section{a.users, a.groups}
}

// Place returns what tells the accounts of two configurations apart: the server, the bases and what is fixed. How the
// connection is secured and who binds are not part of it.
func (c Config) Place() string {
	server := c.URL
	if u, err := parseURL(c.URL); err == nil {
		server = strings.ToLower(u.Hostname())
		if port := u.Port(); port != "" && port != "389" && port != "636" {
			server += ":" + port
		}
		if u.Scheme == "ldapi" {
			server = u.Path
		}
	}
	words := []string{server, nameKey(c.Users.Base)}
	words = append(words, fixedWords(c.Users.Fixed)...)
	if c.Groups != nil {
		words = append(append(words, nameKey(c.Groups.Base)), fixedWords(c.Groups.Fixed)...)
	}
	return strings.Join(words, "\x00")
}

func opName(verb string, kind target.Kind) string { return verb + " " + string(kind) }
