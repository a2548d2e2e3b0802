package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/compile"
	"entrasync/configs"
)

// admit opens the admin socket and runs what comes through it until ctx ends.
func (s *service) admit(ctx context.Context) error {
	dir := s.store.Dir()
	listener, err := admin.Listen(dir)
	if err != nil {
		return err
	}
	s.work.Go(func() {
		if err := admin.Serve(ctx, dir, listener, s.log, s.command); err != nil {
			s.log.Error("other commands cannot reach the service any more", "error", err)
		}
	})
	return nil
}

// command runs a command line of somebody else against the service's own parts.
func (s *service) command(ctx context.Context, c *admin.Command) (code int) {
	defer func() {
		if value := recover(); value != nil {
			s.log.Error("a command panicked", "panic", value, "stack", string(debug.Stack()))
			fmt.Fprintf(c.Stderr, "entrasync: the service failed at this command: %v\n", value)
			code = exitFailed
		}
	}()
	if c.Version != versionText() {
		fmt.Fprintf(c.Stderr, "note: the service that runs this command is entrasync %s, this is %s; restart the service to update it\n", versionText(), c.Version)
	}
	a := &app{
		caller: c.User,
		in:     bytes.NewReader(c.Stdin), out: c.Stdout, err: c.Stderr,
		env: func(name string) (string, bool) { return "1", name == "NO_COLOR" && c.NoColor },
		readFile: func(string) ([]byte, error) {
			if c.File == nil {
				return nil, os.ErrNotExist
			}
			return c.File, nil
		},
		writeFile: func(_ string, data []byte) error {
			_, err := c.Output.Write(data)
			return err
		},
	}
	a.borrow = func() (*worker, error) { return s.lend(a, c.Config) }
	return a.main(ctx, append([]string{}, c.Args...))
}

// A fingerprint tells one text of a configuration file from another.
type fingerprint struct {
	file string
	sum  [sha256.Size]byte
}

// fingerprint returns that of the configuration to load; the zero one when there is none.
func (a *app) fingerprint() *fingerprint {
	file, err := configs.Find(a.configFile)
	if err != nil {
		return &fingerprint{}
	}
	if file, err = filepath.Abs(file); err != nil {
		return &fingerprint{}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return &fingerprint{}
	}
	return &fingerprint{file, sha256.Sum256(text)}
}

// lend gives a command the worker of the service. A command is about the configuration as it is
// in its file now, such as a plan of a changed mapping, so that after a change that the service
// has not loaded yet it gets a worker of its own.
func (s *service) lend(a *app, file string) (*worker, error) {
	a.configFile = file
	if *a.fingerprint() == *s.loaded.Load() {
		return s.worker.Load(), nil
	}
	cfg, syncs, err := a.loadConfig()
	var faults configs.Faults
	if errors.As(err, &faults) && a.command != "check" {
		fmt.Fprintf(a.err, "warning: %s does not load: %s\n  → this command uses the configuration that the service runs with; entrasync check names every fault\n", file, faultText(faults))
		return s.worker.Load(), nil
	}
	if err != nil {
		return nil, err
	}
	if own := stateDir(s.worker.Load().cfg); stateDir(cfg) != own {
		return nil, fmt.Errorf("%s names the state directory %s, but the service has %s", file, stateDir(cfg), own)
	}
	fmt.Fprintf(a.err, "note: this command uses %s as it is now; the service loads it with its next reload (SIGHUP) or start\n", file)
	return s.newWorker(cfg, syncs)
}

// newWorker makes a worker beside, or in the place of, the one there is.
func (s *service) newWorker(cfg *configs.Config, syncs []*compile.Sync) (*worker, error) {
	w := newWorker(cfg, syncs, s.store, s.log)
	present := s.worker.Load()
	w.tenants, w.graph, w.parts = s.tenants, present.graph, present.parts
	s.adopt(w)
	return w, w.register()
}

// adopt makes a worker one of the service's.
func (s *service) adopt(w *worker) { w.shared, w.changed, w.next = true, s.takeUp, s.next }

// next returns when a sync runs next; zero when no cycle is planned.
func (s *service) next(planned *compile.Sync) time.Time {
	for _, job := range s.scheduler.Status() {
		if job.Name == jobName(planned) {
			return job.Next
		}
	}
	return time.Time{}
}

// takeUp makes the tenants of the registry those of the service: a new one has its first cycle
// at once, a removed or paused one none any more.
func (s *service) takeUp() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.worker.Load()
	next, err := s.newWorker(old.cfg, old.configured)
	if err != nil {
		return err
	}
	if err := s.schedule(next); err != nil {
		return err
	}
	s.worker.Store(next)
	return nil
}
