package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/metrics"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/subscriptions"
	"entrasync/cmd/internal/web"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// pages are what the service serves on http.listen: status page, health and metrics.
type pages struct {
	service  *Service
	listener net.Listener
	server   *web.Server
	metrics  *metrics.Metrics

	mu              sync.Mutex         // protects all fields below
	exportedSyncs   map[[2]string]bool // by sync and tenant: whose series are exported
	exportedTenants map[string]bool
}

// openPages begins to listen. Address and credential are those of the start: a reload that removes the
// credential must not open the pages to everyone.
func openPages(s *Service) (*pages, error) {
	section := s.worker.Load().Config.HTTP
	access := AccessOf(section)
	if access != nil {
		if _, err := access.Secret(); err != nil {
			return nil, advice.With(fmt.Errorf("serve the status page: %w", err), "correct http.token_file or http.basic.password_file")
		}
	}
	listener, err := web.Listen(section.Listen, access)
	switch {
	case errors.Is(err, web.ErrOpen):
		return nil, advice.With(err, "listen on 127.0.0.1, or give http.token_file or http.basic")
	case err != nil:
		return nil, advice.With(fmt.Errorf("serve the status page: %w", err), "name another address in http.listen")
	}
	p := &pages{service: s, listener: listener, metrics: metrics.New(s.options.Version)}
	var invite func(state.Invitation) (string, state.InvitationKey, error)
	if s.worker.Load().Config.Consent != nil {
		invite = func(i state.Invitation) (string, state.InvitationKey, error) {
			settings, err := ConsentSettings(s.worker.Load().Config, i.Tenant)
			if err != nil {
				return "", state.InvitationKey{}, err
			}
			link, key, err := consentweb.Invite(s.worker.Load().Store, settings, i)
			if errors.Is(err, consentweb.ErrOpenLink) {
				err = fmt.Errorf("%w: %w", web.ErrOpenLink, err)
			}
			return link, key, err
		}
	}
	p.server = web.New(web.Service{
		Store: s.worker.Load().Store, Invite: invite, Syncs: p.syncs, Tenants: p.tenants, Heartbeat: func() time.Time { return time.Unix(0, s.beat.Load()) },
		Refused: s.refusal, BackupProblem: func() string { return s.backups.problem(s.worker.Load().Config) },
		Ends:   func() []web.End { return endsSoon(s.worker.Load()) },
		Advice: s.options.Advice, Metrics: http.HandlerFunc(p.scrape),
		Version: s.options.Version, Log: s.log, Now: time.Now,
	}, access)
	return p, nil
}

// AccessOf returns who may see the operator's page: nil for everyone who reaches it.
func AccessOf(section configs.HTTP) *web.Credential {
	switch {
	case section.Basic != nil:
		return &web.Credential{Username: section.Basic.Username, Secret: section.Basic.Password.Read}
	case !section.Token.IsZero():
		return &web.Credential{Secret: section.Token.ReadToken}
	}
	return nil
}

// endsSoon are the tokens and certificates of targets that end soon.
func endsSoon(w *worker.Worker) (soon []web.End) {
	for _, end := range w.TargetEnds() {
		if warning, answer := end.Warning(time.Now()); warning != "" {
			soon = append(soon, web.End{Warning: capital(warning), Answer: answer})
		}
	}
	return soon
}

// url is where the status page is.
func (p *pages) url() string { return "http://" + p.listener.Addr().String() }

// serve answers until ctx ends. Cycles continue without the pages.
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
	syncs := make([]web.Sync, 0, len(w.Syncs))
	for _, planned := range w.Syncs {
		job, scheduled := jobs[jobName(planned)]
		sync := web.Sync{
			Sync: planned.Sync, TenantName: planned.TenantName, Paused: !scheduled,
			Next: job.Next, Since: job.Since, Attempted: job.Runs > 0, Freshness: planned.Freshness, AccessRead: p.service.reads.access(planned),
		}
		if p.service.options.PagesOnly {
			sync.Paused, sync.Elsewhere, sync.Attempted = planned.Paused != "", true, true
		}
		if job.LastError != nil {
			sync.Problem = &web.Problem{At: job.LastStart, Message: job.LastError.Error(), Hint: advice.Of(job.LastError)}
		}
		syncs = append(syncs, sync)
	}
	return syncs
}

// consentSyncs are the syncs of the present configuration, as the consent pages show them.
func (p *pages) consentSyncs() (syncs []consentweb.Sync) {
	for _, s := range p.syncs() {
		syncs = append(syncs, consentweb.Sync{Name: s.Name, Tenant: s.Tenant, Paused: s.Paused})
	}
	return syncs
}

// tenants are those that are known now.
func (p *pages) tenants() ([]web.Tenant, error) {
	known, err := p.service.worker.Load().Tenants.List()
	if err != nil {
		return nil, err
	}
	tenants := make([]web.Tenant, len(known))
	for i, t := range known {
		tenants[i] = web.Tenant{Name: t.Name, ID: t.ID, Origin: t.Origin, State: t.State, Message: t.Message, Note: t.Note}
		if t.Since != nil {
			tenants[i].Since = *t.Since
		}
		for _, n := range t.Notifications {
			shown := web.Notification{Stream: string(n.Stream), State: n.State, Message: n.Message, Hint: n.Hint}
			if n.Delivered != nil {
				shown.Last = *n.Delivered
			}
			tenants[i].Notifications = append(tenants[i].Notifications, shown)
		}
		if t.CredentialEnds != nil {
			tenants[i].CredentialEnds = *t.CredentialEnds
		}
	}
	return tenants, nil
}

// observe counts a cycle. report is nil when it could not begin.
func (p *pages) observe(planned *compile.Sync, report *reconcile.Report, err error) {
	if errors.Is(err, reconcile.ErrPaused) {
		return // nothing was tried
	}
	p.service.news.cycle(p.service.worker.Load().Config, planned, report, err)
	p.metrics.Observe(cmp.Or(report, &reconcile.Report{Sync: planned.Name, Result: reconcile.Failed}), planned.TenantName)
}

// scrape answers Prometheus with the status of each present sync and tenant.
func (p *pages) scrape(w http.ResponseWriter, r *http.Request) {
	syncs, tenants := map[[2]string]bool{}, map[string]bool{}
	for _, s := range p.server.Statuses(r.Context()) {
		syncs[[2]string{s.Sync, s.Tenant}] = true
		p.metrics.SetStatus(s.Sync, s.Tenant, metrics.SyncStatus{
			Linked: s.Linked, Holds: s.Holds, Rejected: s.Rejected, Retrying: s.Retrying, Skipped: s.Skipped, Drift: s.Drift, Pins: s.Pins, Quarantined: s.Quarantined, Mostly: s.Mostly, LastSuccess: s.LastSuccess, Behind: s.Behind, Freshness: s.Freshness,
		})
	}
	accepted, refused := p.service.early.subscriptions.Counts()
	p.metrics.Notified(accepted, refused)
	p.metrics.ConfigurationLoaded(p.service.refusal() == "")
	if p.service.worker.Load().Config.Audit != nil {
		p.metrics.AuditExported(!p.service.exports.failed.Load())
	}
	if at, failed, configured := p.service.backups.last(p.service.worker.Load().Config); configured {
		p.metrics.BackedUp(at, !failed)
	}
	ends := map[[2]string]time.Time{}
	for _, e := range p.service.worker.Load().TargetEnds() {
		ends[[2]string{e.Target, e.What}] = e.At
	}
	p.metrics.TargetEnds(ends)
	known, err := p.tenants()
	for _, t := range known {
		tenants[t.Name] = true
		for _, stream := range []string{string(graphsync.Users), string(graphsync.Groups)} {
			at := slices.IndexFunc(t.Notifications, func(n web.Notification) bool { return n.Stream == stream })
			p.metrics.Notifies(t.Name, stream, at >= 0, at >= 0 && t.Notifications[at].State == subscriptions.Active)
		}
		p.metrics.CredentialEnds(t.Name, t.CredentialEnds)
	}
	if err != nil {
		p.service.log.Error("read the tenants for the metrics", "error", err)
		tenants = nil
	}
	p.forget(syncs, tenants)
	p.metrics.Handler().ServeHTTP(w, r)
}

// forget drops the series of syncs and tenants that were exported before and are not now; nil tenants are
// not known.
func (p *pages) forget(syncs map[[2]string]bool, tenants map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.exportedSyncs {
		if !syncs[name] {
			p.metrics.Forget(name[0], name[1])
		}
	}
	p.exportedSyncs = syncs
	if tenants == nil {
		return
	}
	for name := range p.exportedTenants {
		if !tenants[name] {
			p.metrics.CredentialEnds(name, time.Time{})
			p.metrics.Notifies(name, string(graphsync.Users), false, false)
			p.metrics.Notifies(name, string(graphsync.Groups), false, false)
		}
	}
	p.exportedTenants = tenants
}
