// Package check tests what a configuration needs before a service is started with it: the addresses it listens on, its
// tenants and its targets.
//
// It is not the command: it does not load a configuration and prints nothing. It changes nothing in a tenant
// or a target. It promises that each connection has a time limit, so that one which hangs does not keep the others from
// being reported, and that results come in the order of the configuration.
package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/service"
	"entrasync/cmd/internal/web"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
)

// A Checker tests one open configuration.
type Checker struct {
	Tested Section // everything so far

	worker  *worker.Worker
	timeout time.Duration // of each connection, 0 for the defaults
	show    func(*Section)
	roles   appRoles
}

// New makes a checker of a worker, which need not have a state. Each connection may take as long as timeout; 0 is for
// the defaults, 30 seconds for a target and two minutes for a tenant. show is called with each section as it comes.
func New(w *worker.Worker, timeout time.Duration, show func(*Section)) *Checker {
	return &Checker{worker: w, timeout: timeout, show: show}
}

// Add takes in a section and shows it.
func (c *Checker) Add(s *Section) {
	c.Tested.Checks = append(c.Tested.Checks, s.Checks...)
	c.Tested.Warnings = append(c.Tested.Warnings, s.Warnings...)
	c.show(s)
}

// Connections tests the tenants and the targets of syncs. With some tenants chosen, targets of tenants that have yet to
// join are left out.
func (c *Checker) Connections(ctx context.Context, syncs []*compile.Sync, chosen bool) {
	c.tenants(ctx, syncs)
	c.targets(ctx, syncs, chosen)
	c.serverCertificates()
	c.sharedPlaces(ctx, syncs)
	if len(c.worker.Syncs) == 0 && c.worker.Tenants.TakesConsented() {
		var s Section
		s.Pass("tenants", "none has joined yet, so that no tenant was tested; invite one: entrasync consent")
		c.Add(&s)
	}
}

// Configuration reports what is known without a connection: the configuration, its warnings and what the consent pages
// need. With listen it also tries the addresses that the service would listen on.
func (c *Checker) Configuration(syncs []*compile.Sync, listen bool) {
	cfg := c.worker.Config
	var s Section
	s.Pass("configuration", "%s, %s, %s", words.Count(len(cfg.Tenants), "tenant", "tenants"), words.Count(len(cfg.Targets), "target", "targets"), words.Count(len(cfg.Syncs), "sync", "syncs"))
	for _, w := range compile.Warnings(syncs) {
		s.warn("configuration", w, "")
	}
	for _, w := range freshnessWarnings(cfg, syncs) {
		s.warn("freshness", w, "make removals shorter, such as @every 2m")
	}
	for _, w := range SecretWarnings(cfg) {
		s.warn("secrets", w, "")
	}
	for _, name := range unusedTargets(cfg) {
		s.warn("target "+name, "no sync writes to it, so it was not tested", "")
	}
	c.targetEnds(&s, c.worker.TargetEnds(), true)
	if listen {
		c.addresses(&s)
	}
	c.consent(&s)
	c.notifications(&s, syncs)
	unconfigured, err := c.worker.Unconfigured(syncs)
	if err != nil {
		s.Fail("state", err)
	}
	for _, u := range unconfigured {
		s.warn("state", u.String(), worker.UnconfiguredAdvice)
	}
	c.Add(&s)
}

// addresses tries to listen where the service would.
func (c *Checker) addresses(s *Section) {
	cfg := c.worker.Config
	try := func(what, address string, listen func() (interface{ Close() error }, error)) {
		listener, err := listen()
		if err != nil {
			s.Fail(what, advice.With(err, "the service could not start: name another address, or end what listens there"))
			return
		}
		_ = listener.Close()
		s.Pass(what, "%s can be listened on", address)
	}
	if access := service.AccessOf(cfg.HTTP); access != nil {
		if _, err := access.Secret(); err != nil {
			s.Fail("http", advice.With(err, "the service could not start: correct http.token_file or http.basic.password_file"))
		}
	}
	try("http.listen", cfg.HTTP.Listen, func() (interface{ Close() error }, error) {
		return web.Listen(cfg.HTTP.Listen, service.AccessOf(cfg.HTTP))
	})
	if cfg.Consent != nil && cfg.Consent.Listen != "" {
		try("consent.listen", cfg.Consent.Listen, func() (interface{ Close() error }, error) { return listenTCP(cfg.Consent.Listen) })
	}
}

// consent reports what the app registration must have for tenants that join by consent.
func (c *Checker) consent(s *Section) {
	cfg := c.worker.Config
	if cfg.Consent == nil {
		return
	}
	settings, err := service.ConsentSettings(cfg, graphsync.ID{})
	if err != nil {
		s.Fail("consent pages", err)
		return
	}
	detail := fmt.Sprintf("register the redirect URI %s with app %s, open to accounts of any organization", consentweb.RedirectURI(settings.PublicURL), settings.ClientID)
	if c.worker.Tenants.TakesConsented() {
		needs, err := c.worker.ConsentNeeds(graphsync.ID{})
		if err != nil {
			s.Fail("consent pages", err)
			return
		}
		needs.GroupNotices = cfg.NotificationsOf(configs.Tenant{}).Groups
		detail += "; its application permissions: " + strings.Join(needs.Permissions(), ", ")
	}
	s.Pass("consent pages", "%s", detail)
}

func listenTCP(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// checksAtOnce is how many connections are tested at the same time.
const checksAtOnce = 8

// each tests n connections, several at a time, and shows what each came to in their order. Each has
// limit to answer: one that hangs must not keep the others from being reported.
func (c *Checker) each(ctx context.Context, n int, limit time.Duration, test func(ctx context.Context, i int, s *Section)) {
	done := make([]chan *Section, n)
	var group errgroup.Group
	group.SetLimit(checksAtOnce)
	for i := range done {
		done[i] = make(chan *Section, 1)
	}
	go func() {
		for i := range done {
			group.Go(func() error {
				var s Section
				limited, cancel := context.WithTimeoutCause(ctx, limit, errTooSlow)
				defer cancel()
				test(limited, i, &s)
				s.explainTimeout(limited, limit)
				done[i] <- &s
				return nil
			})
		}
	}()
	for i := range done {
		c.Add(<-done[i])
	}
}

var errTooSlow = errors.New("the check took too long")

// explainTimeout rewrites the failure of a test that ran into its time limit.
func (s *Section) explainTimeout(ctx context.Context, limit time.Duration) {
	if !errors.Is(context.Cause(ctx), errTooSlow) || len(s.Checks) == 0 {
		return
	}
	if last := &s.Checks[len(s.Checks)-1]; !last.OK {
		last.Detail = fmt.Sprintf("no complete answer within %s: %s", limit, last.Detail)
		last.Hint = "see that the address is right, that it can be reached from this machine, and that it is not overloaded"
	}
}
