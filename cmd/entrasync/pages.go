package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"entrasync/cmd/internal/metrics"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/web"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// pages are what the service serves on http.listen: status page, health and metrics.
type pages struct {
	service  *service
	listener net.Listener
	server   *web.Server
	metrics  *metrics.Metrics

	mu   sync.Mutex         // protects told
	told map[[2]string]bool // by sync and tenant, and tenants alone
}

// openPages begins to listen. Address and credential are those of the start: one that goes away
// with a reload must not leave the pages open to everybody.
func openPages(s *service) (*pages, error) {
	section := s.worker.Load().cfg.HTTP
	access := accessOf(section)
	listener, err := web.Listen(section.Listen, access)
	switch {
	case errors.Is(err, web.ErrOpen):
		return nil, withHint(err, "listen on 127.0.0.1, or give http.token_file or http.basic")
	case err != nil:
		return nil, withHint(fmt.Errorf("serve the status page: %w", err), "name another address in http.listen")
	}
	p := &pages{service: s, listener: listener, metrics: metrics.New(versionText()), told: map[[2]string]bool{}}
	var invite func(state.Invitation) (string, state.InvitationKey, error)
	if consent := s.worker.Load().cfg.Consent; consent != nil {
		invite = func(i state.Invitation) (string, state.InvitationKey, error) {
			return web.Invite(s.store, consent.PublicURL, i)
		}
	}
	p.server = web.New(web.Service{
		Store: s.store, Invite: invite, Syncs: p.syncs, Tenants: p.tenants, Beat: func() time.Time { return time.Unix(0, s.beat.Load()) },
		Advice: func(code string) string { return codes[code] }, Metrics: http.HandlerFunc(p.scrape),
		Version: versionText(), Log: s.log, Now: time.Now,
	}, access)
	return p, nil
}

func accessOf(section configs.HTTP) *web.Credential {
	switch {
	case section.Basic != nil:
		return &web.Credential{Username: section.Basic.Username, Secret: section.Basic.Password.Read}
	case !section.Token.IsZero():
		return &web.Credential{Secret: section.Token.Read}
	}
	return nil
}

// url is where the status page is.
func (p *pages) url() string { return "http://" + p.listener.Addr().String() }

// serve answers until ctx ends. Cycles go on without the pages.
func (p *pages) serve(ctx context.Context) {
	if err := p.server.Serve(ctx, p.listener); err != nil {
		p.service.log.Error("the status page has ended", "error", err)
	}
}

// syncs are those of the present configuration, as they are scheduled.
func (p *pages) syncs() []web.Sync {
	jobs := map[string]scheduler.Status{}
	for _, job := range p.service.scheduler.Status() {
		jobs[job.Name] = job
	}
	w := p.service.worker.Load()
	syncs := make([]web.Sync, 0, len(w.syncs))
	for _, planned := range w.syncs {
		job, scheduled := jobs[jobName(planned)]
		sync := web.Sync{
			Sync: planned.Sync, TenantName: planned.tenantName, Paused: !scheduled,
			Next: job.Next, Since: job.Since, Attempted: job.Runs > 0,
		}
		if job.LastError != nil {
			sync.Problem = &web.Problem{At: job.LastStart, Message: job.LastError.Error()}
			var advice hinted
			var graph *graphsync.Error
			switch {
			case errors.As(job.LastError, &advice):
				sync.Problem.Hint = advice.hint
			case errors.As(job.LastError, &graph):
				sync.Problem.Hint = graph.Hint
			}
		}
		syncs = append(syncs, sync)
	}
	return syncs
}

// tenants are those that are known now.
func (p *pages) tenants() ([]web.Tenant, error) {
	known, err := p.service.worker.Load().registered()
	if err != nil {
		return nil, err
	}
	tenants := make([]web.Tenant, len(known))
	for i, t := range known {
		tenants[i] = web.Tenant{Name: t.Name, ID: t.ID, Origin: t.Origin, State: t.State, Message: t.Message, Note: t.Note}
		if t.Since != nil {
			tenants[i].Since = *t.Since
		}
		if t.CredentialEnds != nil {
			tenants[i].CredentialEnds = *t.CredentialEnds
		}
	}
	return tenants, nil
}

// observe counts a cycle. report is nil when it could not begin.
func (p *pages) observe(planned *plannedSync, report *reconcile.Report, err error) {
	if errors.Is(err, reconcile.ErrPaused) {
		return // nothing was tried
	}
	p.metrics.Observe(cmp.Or(report, &reconcile.Report{Sync: planned.Name, Result: reconcile.Failed}), planned.tenantName)
}

// scrape answers Prometheus, telling how each sync stands now.
func (p *pages) scrape(w http.ResponseWriter, r *http.Request) {
	now := map[[2]string]bool{}
	for _, s := range p.server.Standings(r.Context()) {
		now[[2]string{s.Sync, s.Tenant}] = true
		p.metrics.Stand(s.Sync, s.Tenant, metrics.Standing{
			Linked: s.Linked, Holds: s.Holds, Retrying: s.Retrying, Skipped: s.Skipped, Quarantined: s.Quarantined, LastSuccess: s.LastSuccess,
		})
	}
	p.metrics.ConfigurationLoaded(!p.service.refused.Load())
	tenants, err := p.tenants()
	if err != nil {
		p.service.log.Error("read the tenants for the metrics", "error", err)
		p.metrics.Handler().ServeHTTP(w, r) // as they were told last
		return
	}
	for _, t := range tenants {
		now[[2]string{"", t.Name}] = true
		p.metrics.CredentialEnds(t.Name, t.CredentialEnds)
	}
	p.mu.Lock()
	for known := range p.told {
		switch {
		case now[known]:
		case known[0] == "":
			p.metrics.CredentialEnds(known[1], time.Time{})
		default:
			p.metrics.Forget(known[0], known[1])
		}
	}
	p.told = now
	p.mu.Unlock()
	p.metrics.Handler().ServeHTTP(w, r)
}
