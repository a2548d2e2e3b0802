package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
	"entrasync/reconcile"
	"entrasync/state"
)

// slots is how many cycles run at once over all tenants, beside those that take long.
const slots = 8

// fullSpread is for how long complete compares are spread for each sync beside the first, and
// longestSpread for how long in all.
const (
	fullSpread    = time.Minute
	longestSpread = 6 * time.Hour
)

// beatEvery is how often the scheduler shows that it is alive; /healthz wants it once a minute.
const beatEvery = 15 * time.Second

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run as a service: every sync on its schedule",
		Long: `Runs a first cycle of every sync at once and then on the schedule. A cycle that is still going
when its time comes again is skipped, not queued. SIGTERM stops within one request, and the next
start goes on where this one was; SIGHUP reads the configuration again.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
}

func (a *app) run(ctx context.Context) error {
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return err
	}
	log := a.logger(slog.LevelInfo)
	w, err := a.openWith(cfg, syncs, log)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, warning := range secretWarnings(cfg) {
		log.Warn(warning)
	}
	return a.serve(ctx, w, log, func(string) {})
}

// serve runs a worker as a service, telling the address of its pages. The caller closes it
// afterwards.
func (a *app) serve(ctx context.Context, w *worker, log *slog.Logger, opened func(url string)) error {
	defer func() { w.shared = false }()
	s := &service{app: a, log: log, store: w.store, tenants: w.tenants}
	s.adopt(w)
	s.worker.Store(w)
	s.loaded.Store(a.fingerprint())
	return s.run(ctx, opened)
}

// A service runs the jobs of the present configuration. A reload puts a new worker in its
// place; cycles that are going on finish with the one they began with.
type service struct {
	*app
	log       *slog.Logger
	store     *state.Store
	tenants   *openTenants
	worker    atomic.Pointer[worker]
	loaded    atomic.Pointer[fingerprint] // of the configuration that worker is of
	refused   atomic.Pointer[string]      // why the file did not load at the last reload; nil: it did
	scheduler *scheduler.Scheduler
	pages     *pages
	beat      atomic.Int64   // when the scheduler last showed that it is alive, in Unix nanoseconds
	work      sync.WaitGroup // what else is going on and works with the state

	mu      sync.Mutex // held while another worker takes the place of the one there is
	joining sync.Mutex // held while a tenant gets its name
}

func (s *service) run(ctx context.Context, opened func(url string)) error {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read systemd's watchdog setting: %w", err)
	}
	s.beat.Store(time.Now().UnixNano())
	options := scheduler.Options{Slots: slots, Log: s.log, BeatEvery: beatEvery, Beat: func() { s.beat.Store(time.Now().UnixNano()) }}
	if watchdog > 0 {
		options.BeatEvery = min(beatEvery, watchdog/3)
		options.Beat = func() {
			s.beat.Store(time.Now().UnixNano())
			s.notify(daemon.SdNotifyWatchdog)
		}
	}
	s.scheduler = scheduler.New(options)
	if err := s.schedule(s.worker.Load()); err != nil {
		return err
	}
	if s.pages, err = openPages(s); err != nil {
		return err
	}
	defer s.pages.listener.Close()
	opened(s.pages.url())
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		for {
			select {
			case <-hangup:
				s.reload()
			case <-ctx.Done():
				return
			}
		}
	}()
	defer s.work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := s.admit(ctx); err != nil {
		return err
	}
	if err := s.invite(ctx); err != nil {
		return err
	}
	s.work.Go(func() { s.pages.serve(ctx) })
	s.notify(daemon.SdNotifyReady)
	s.log.Info("running", "syncs", len(s.worker.Load().syncs), "schedule", s.worker.Load().cfg.Schedule, "state", stateDir(s.worker.Load().cfg), "page", s.pages.url())
	err = s.scheduler.Run(ctx)
	s.notify(daemon.SdNotifyStopping)
	s.log.Info("stopped; the next start goes on where this one was")
	return err
}

// notify tells systemd, where there is one.
func (s *service) notify(what string) {
	if _, err := daemon.SdNotify(false, what); err != nil {
		s.log.Warn("notify systemd", "state", what, "error", err)
	}
}

// reload reads the configuration again. One that does not load changes nothing.
func (s *service) reload() {
	s.notify(daemon.SdNotifyReloading)
	defer s.notify(daemon.SdNotifyReady)
	loaded := s.fingerprint()
	cfg, syncs, err := s.loadConfig()
	var faults configs.Faults
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			s.log.Error("configuration not reloaded", "fault", f.String())
		}
		s.refuse(faultText(faults))
		return
	case err != nil:
		s.log.Error("configuration not reloaded", "error", err)
		s.refuse(err.Error())
		return
	}
	old := s.worker.Load()
	if stateDir(cfg) != stateDir(old.cfg) {
		s.log.Error("configuration not reloaded: the state directory changed, which takes a restart", "state", stateDir(old.cfg), "wanted", stateDir(cfg))
		s.refuse("the state directory changed, which takes a restart")
		return
	}
	if !reflect.DeepEqual(cfg.HTTP, old.cfg.HTTP) {
		s.log.Warn("http is served as before: a change there takes a restart", "listen", old.cfg.HTTP.Listen)
	}
	if was := old.cfg.Consent; cfg.Consent != nil && (was == nil || was.Listen != cfg.Consent.Listen) {
		s.log.Warn("the consent pages are served as at the start: a change of consent.listen takes a restart", "listen", cfg.Consent.Listen)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.newWorker(cfg, syncs)
	if err != nil {
		s.log.Error("configuration not reloaded", "error", err)
		s.refuse(err.Error())
		return
	}
	next.letGo() // of what was for the configuration before
	if err := s.schedule(next); err != nil {
		s.log.Error("configuration not reloaded", "error", err)
		s.refuse(err.Error())
		return
	}
	s.worker.Store(next)
	s.loaded.Store(loaded)
	s.refused.Store(nil)
	s.log.Info("configuration reloaded", "syncs", len(syncs), "schedule", cfg.Schedule)
}

// refuse keeps why a configuration was not loaded, for the pages and the metrics.
func (s *service) refuse(why string) { s.refused.Store(&why) }

// refusal returns why the configuration was not loaded at the last reload, "" when it was.
func (s *service) refusal() string {
	if why := s.refused.Load(); why != nil {
		return *why
	}
	return ""
}

// faultText is the first of some faults and how many more there are.
func faultText(faults configs.Faults) string {
	text := faults[0].String()
	if more := len(faults) - 1; more > 0 {
		text += fmt.Sprintf(" (and %s)", count(more, "more fault", "more faults"))
	}
	return text
}

// schedule puts the jobs of a worker in the place of those there were.
func (s *service) schedule(w *worker) error {
	every, err := scheduler.Parse(w.cfg.Schedule)
	if err != nil {
		return err
	}
	full, err := scheduler.Parse(w.cfg.FullCycle)
	if err != nil {
		return err
	}
	// A complete compare is as much work as a first cycle: those of many are not made all at once.
	spread := min(time.Duration(max(0, len(w.syncs)-1))*fullSpread, longestSpread)
	var jobs []scheduler.Job
	for _, planned := range w.syncs {
		if planned.Paused != "" {
			s.log.Info("tenant is paused "+planned.Paused, "sync", planned.Name, "tenant", planned.TenantName)
			continue
		}
		jobs = append(jobs, scheduler.Job{
			Name: jobName(planned), Schedules: []scheduler.Schedule{every},
			Group: planned.Tenant.String(),
			// Also where each tenant has an application of its own there: they tend to be down together.
			On:  planned.TargetName,
			Run: func(ctx context.Context) error { return s.cycle(ctx, w, planned, full, spread) },
		})
	}
	s.scheduler.Set(jobs...)
	return nil
}

// fullDue reports whether a complete compare is due after the last one, in its own place within
// the time over which they are spread.
func fullDue(full scheduler.Schedule, last time.Time, place time.Duration, now time.Time) bool {
	// Counted from where the schedule had the last one, so that nobody's place adds up. What comes
	// "@every" so often counts from the last one itself, and is spread as the first ones were.
	next := full.Next(last, last.Add(-place))
	if next.Equal(last) {
		next, place = full.Next(last, last), 0
	}
	return !next.IsZero() && !next.Add(place).After(now)
}

func jobName(s *compile.Sync) string { return s.Name + "/" + s.TenantName }

// cycle runs one sync of one tenant and logs what came of it. What fails stays with this
// tenant.
func (s *service) cycle(ctx context.Context, w *worker, planned *compile.Sync, full scheduler.Schedule, spread time.Duration) error {
	log := s.log.With("sync", planned.Name, "tenant", planned.TenantName)
	syncer, release, err := w.syncer(ctx, planned, nil)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("cycle could not run", "error", err)
			w.noteHealth(ctx, planned, nil, err)
			s.pages.observe(planned, nil, err)
		}
		return err
	}
	defer release()
	options := reconcile.Options{Apply: true, Scheduled: true}
	err = syncer.Tenant.View(func(tx *state.Tx) error {
		last := tx.SyncInfo(planned.Name).LastFull
		options.Full = !last.IsZero() && fullDue(full, last, scheduler.Spread(jobName(planned), spread), time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	// A token keeps the permissions of its birth for about an hour: without a new one a consent
	// that was taken back would be noticed late.
	if source, ok := syncer.Source.(interface{ Refresh(context.Context) }); ok {
		source.Refresh(ctx)
	}
	report, err := syncer.Run(ctx, options)
	if ctx.Err() != nil {
		log.Info("cycle interrupted; the next one goes on there")
		return ctx.Err()
	}
	w.noteHealth(ctx, planned, syncer.Source, err)
	s.pages.observe(planned, report, err)
	if err != nil {
		log.Error("cycle could not run", "code", report.Failure.Code, "error", report.Failure.Message, "hint", report.Failure.Hint)
		return err
	}
	summary := report.Summary
	log.Info("cycle done", "result", string(report.Result), "cycle", string(report.Cycle), "run", report.Run,
		"done", strings.TrimSpace(doneLine(report)), "held", summary.Held, "skipped", summary.Skipped, "errors", len(report.Errors),
		"graph_requests", report.Graph.Requests, "target_requests", report.Target.Requests, "ms", report.DurationMS)
	return nil
}
