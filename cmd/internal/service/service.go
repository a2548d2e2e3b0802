// Package service runs every sync on its schedule until it is told to stop.
//
// It owns the scheduler, the operator's page, the consent pages and the admin socket, and the reload of the
// configuration. What it runs belongs to others: a cycle to reconcile, an open configuration to worker, a
// command line that comes through the socket to package main ([Options.Execute]).
//
// It promises that a failure of one tenant stays with that tenant, that a configuration which does not load
// changes nothing, and that running cycles finish with the configuration they began with.
package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/notify"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
)

// slots is how many cycles run at once over all tenants, in addition to those that take long.
const slots = 8

// beatEvery is how often the scheduler shows that it is alive; /healthz wants it once a minute.
const beatEvery = 15 * time.Second

// Options are what a service is given besides its worker.
type Options struct {
	ConfigFile string // as --config names it; "" for the default places
	Version    string
	Activate   bool // makes the configuration the active one of the workers that share the state
	PagesOnly  bool // serves pages and commands and runs no job: the workers that share the state run them
	Log        *slog.Logger

	// Execute runs the command line of a client of the admin socket and returns its exit code. attach
	// gives it the worker for the configuration that the client names. command is the command's name, and
	// notes for the client go to stderr.
	Execute func(ctx context.Context, c *admin.Command, attach AttachWorker) int
	// SignIn redeems the code of an administrator's sign-in at a tenant.
	SignIn func(ctx context.Context, c worker.Connection, code, redirect, verifier string) (graphsync.SignedIn, error)
	// Advice explains a code of the contract, "" for one it does not know.
	Advice func(code string) string
	// Serving is told the address of the operator's page.
	Serving func(url string)
}

// AttachWorker returns the service's worker for a command.
type AttachWorker func(command string, stderr io.Writer) (*worker.Worker, error)

// A Service runs the jobs of the present configuration. A reload replaces its worker.
type Service struct {
	options   Options
	log       *slog.Logger
	worker    atomic.Pointer[worker.Worker]
	loaded    atomic.Pointer[fingerprint] // of the configuration that worker is of
	refused   atomic.Pointer[string]      // why the file did not load at the last reload; nil: it did
	scheduler *scheduler.Scheduler
	reads     recentReads
	pages     *pages
	fleet     fleet
	backups   backups
	news      *news
	early     *early
	exports   auditExports
	beat      atomic.Int64   // when the scheduler last showed that it is alive, in Unix nanoseconds
	work      sync.WaitGroup // everything else that works with the state

	mu      sync.Mutex // held while a worker is replaced
	joining sync.Mutex // held while a tenant gets its name
}

// New makes a service of a worker. The caller closes the worker after [Service.Run].
func New(w *worker.Worker, options Options) *Service {
	s := &Service{options: options, log: options.Log}
	s.backups.log = options.Log
	s.exports.log, s.exports.version = options.Log, options.Version
	s.news = &news{Deliverer: notify.Deliverer{Log: options.Log, Now: time.Now}}
	s.backups.ended = func(err error) { s.news.backedUp(s.worker.Load().Config, err) }
	s.early = newEarly(s, w)
	w.Serve(worker.Service{Changed: s.applyTenantChanges, Next: s.next})
	s.worker.Store(w)
	s.loaded.Store(fingerprintOf(options.ConfigFile))
	return s
}

// Run serves until ctx ends. It fails when it cannot listen.
func (s *Service) Run(ctx context.Context) error {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read systemd's watchdog setting: %w", err)
	}
	s.beat.Store(time.Now().UnixNano())
	options := scheduler.Options{Slots: slots, Log: s.log, HeartbeatEvery: beatEvery, Heartbeat: func() { s.beat.Store(time.Now().UnixNano()) }}
	if watchdog > 0 {
		options.HeartbeatEvery = min(beatEvery, watchdog/3)
		options.Heartbeat = func() {
			s.beat.Store(time.Now().UnixNano())
			s.notify(daemon.SdNotifyWatchdog)
		}
	}
	s.scheduler = scheduler.New(options)
	defer s.work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := s.joinFleet(ctx); err != nil {
		return err
	}
	if err := s.early.subscriptions.Open(); err != nil {
		return err
	}
	if err := s.schedule(s.worker.Load()); err != nil {
		return err
	}
	if s.pages, err = openPages(s); err != nil {
		return err
	}
	defer s.pages.listener.Close()
	s.news.page = s.pages.url()
	if err := s.news.configure(s.worker.Load()); err != nil {
		return err
	}
	s.options.Serving(s.pages.url())
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
	if err := s.serveCommands(ctx); err != nil {
		return err
	}
	if err := s.serveConsent(ctx); err != nil {
		return err
	}
	s.work.Go(func() { s.pages.serve(ctx) })
	if !s.options.PagesOnly {
		s.work.Go(func() { s.news.Run(ctx) })
		s.work.Go(func() { s.exports.run(ctx, s.worker.Load) })
		s.work.Go(func() { s.early.subscriptions.Run(ctx) })
		s.work.Go(func() { s.news.credentials(ctx, s.worker.Load) })
	}
	s.notify(daemon.SdNotifyReady)
	s.auditConfiguration(s.loaded.Load(), "loaded", "")
	w := s.worker.Load()
	if s.options.PagesOnly {
		s.log.Info("serving pages only: cycles run on the workers that share the state", "syncs", len(w.Syncs), "state", worker.StateName(w.Config), "page", s.pages.url())
	} else {
		s.log.Info("running", "syncs", len(w.Syncs), "schedule", w.Config.Schedule, "state", worker.StateName(w.Config), "page", s.pages.url())
	}
	err = s.scheduler.Run(ctx)
	s.notify(daemon.SdNotifyStopping)
	s.log.Info("stopped; the next start resumes here")
	return err
}

// notify tells systemd, where it started the service.
func (s *Service) notify(what string) {
	if _, err := daemon.SdNotify(false, what); err != nil {
		s.log.Warn("notify systemd", "state", what, "error", err)
	}
}

// load reads a configuration file with every fault that can be known without a connection.
func load(file string) (*configs.Config, []*compile.Sync, error) {
	file, err := configs.Find(file)
	if err != nil {
		return nil, nil, err
	}
	return compile.Load(file)
}
