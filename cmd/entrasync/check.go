package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/service"
	"entrasync/cmd/internal/web"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/state"
)

type checkFlags struct {
	selection
	offline bool
	timeout time.Duration
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the configuration, then every connection",
		Long: `Loads the configuration and names every fault with its place. Then it tests what the service would
do: it opens the state, tries the addresses to listen on, and tests each tenant (token, each Graph
permission the configuration needs, the enterprise application and its app roles), those that joined
by consent too, and each target. Nothing is changed in a tenant or a target. Each connection has a
time limit. A warning does not change the exit code.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&f.offline, "offline", false, "stop after the configuration")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "time limit of each connection (default 30s for a target, 2m for a tenant)")
	f.tenantFlag(cmd)
	return cmd
}

func (a *app) check(ctx context.Context, f checkFlags) error {
	c := &checker{app: a, timeout: f.timeout}
	err := c.load(f)
	var faults configs.Faults
	if errors.As(err, &faults) && a.json {
		return c.finish(faults)
	}
	if err != nil {
		return err
	}
	w := c.worker
	if w.Store != nil {
		defer w.Close()
	}
	syncs, err := selected(w, f.selection)
	if err != nil {
		return err
	}
	c.local(syncs)
	if !f.offline {
		c.tenants(ctx, syncs)
		c.targets(ctx, syncs, len(f.tenants) > 0)
		c.sharedPlaces(ctx, syncs)
		if len(w.Syncs) == 0 && w.TakesConsented() {
			c.show(&section{checks: []finding{passed("tenants", "none has joined yet, so that no tenant was tested; invite one: entrasync consent")}})
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.finish(nil)
}

// A checker tests what a configuration needs and reports it.
type checker struct {
	*app
	worker *worker.Worker
	report section // of everything that was shown
	roles  appRoles

	timeout time.Duration // of each connection, 0 for the defaults
}

// load reads the configuration and opens the state, as the service would. While a service owns the
// state, that runs the command instead and the error is how it ended.
func (c *checker) load(f checkFlags) error {
	if c.borrow != nil {
		w, err := c.open()
		c.worker = w
		return err
	}
	cfg, syncs, err := c.loadConfig()
	if err != nil {
		return err
	}
	options := c.options(slog.LevelError)
	if f.offline {
		c.worker = worker.New(cfg, syncs, nil, options)
		return nil
	}
	w, err := worker.Open(cfg, syncs, options)
	var held *state.InUseError
	switch {
	case errors.As(err, &held):
		return c.handOver(held)
	case err != nil:
		c.worker = worker.New(cfg, syncs, nil, options)
		c.show(&section{checks: []finding{failed("state "+service.StateDir(cfg), advice.With(err, "see that the user who runs entrasync may write there"))}})
		return nil
	}
	c.worker = w
	c.show(&section{checks: []finding{passed("state", service.StateDir(cfg))}})
	return nil
}

// local reports what is known without a connection: the configuration, its warnings, the addresses
// to listen on and what the consent pages need.
func (c *checker) local(syncs []*compile.Sync) {
	cfg := c.worker.Config
	var s section
	s.pass("configuration", "%s, %s, %s", words.Count(len(cfg.Tenants), "tenant", "tenants"), words.Count(len(cfg.Targets), "target", "targets"), words.Count(len(cfg.Syncs), "sync", "syncs"))
	for _, w := range compile.Warnings(syncs) {
		s.warn("configuration", w, "")
	}
	for _, w := range secretWarnings(cfg) {
		s.warn("secrets", w, "")
	}
	for _, name := range unusedTargets(cfg) {
		s.warn("target "+name, "no sync writes to it, so it was not tested", "")
	}
	if c.worker.Store != nil && c.borrow == nil {
		c.addresses(&s)
	}
	c.consent(&s)
	unconfigured, err := c.worker.Unconfigured(syncs)
	if err != nil {
		s.fail("state", err)
	}
	for _, u := range unconfigured {
		s.warn("state", u.String(), worker.UnconfiguredAdvice)
	}
	c.show(&s)
}

// addresses tries to listen where the service would.
func (c *checker) addresses(s *section) {
	cfg := c.worker.Config
	try := func(what, address string, listen func() (interface{ Close() error }, error)) {
		listener, err := listen()
		if err != nil {
			s.fail(what, advice.With(err, "the service could not start: name another address, or end what listens there"))
			return
		}
		_ = listener.Close()
		s.pass(what, "%s can be listened on", address)
	}
	if access := service.AccessOf(cfg.HTTP); access != nil {
		if _, err := access.Secret(); err != nil {
			s.fail("http", advice.With(err, "the service could not start: correct http.token_file or http.basic.password_file"))
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
func (c *checker) consent(s *section) {
	cfg := c.worker.Config
	if cfg.Consent == nil {
		return
	}
	settings, err := service.ConsentSettings(cfg, graphsync.ID{})
	if err != nil {
		s.fail("consent pages", err)
		return
	}
	detail := fmt.Sprintf("register the redirect URI %s with app %s, open to accounts of any organization", web.ConsentRedirect(settings.PublicURL), settings.ClientID)
	if c.worker.TakesConsented() {
		needs, err := c.worker.ConsentNeeds(graphsync.ID{})
		if err != nil {
			s.fail("consent pages", err)
			return
		}
		detail += "; its application permissions: " + strings.Join(needs.Permissions(), ", ")
	}
	s.pass("consent pages", "%s", detail)
}

func listenTCP(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}
