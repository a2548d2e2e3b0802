package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
)

// serveCommands opens the admin socket and runs what comes through it until ctx ends.
func (s *Service) serveCommands(ctx context.Context) error {
	dir := s.worker.Load().Store.Dir()
	listener, err := admin.Listen(dir)
	if err != nil {
		return err
	}
	s.work.Go(func() {
		if err := admin.Serve(ctx, dir, listener, admin.Service{Version: s.options.Version, Log: s.log, Run: s.command}); err != nil {
			s.log.Error("the admin socket ended: other commands cannot reach the service", "error", err)
		}
	})
	return nil
}

// command runs the command line of a client with the service's own worker.
func (s *Service) command(ctx context.Context, c *admin.Command) (code int) {
	defer func() {
		if value := recover(); value != nil {
			s.log.Error("a command panicked", "panic", value, "stack", string(debug.Stack()))
			fmt.Fprintf(c.Stderr, "entrasync: the service failed at this command: %v\n", value)
			code = 1
		}
	}()
	if own := s.options.Version; c.Version != "" && c.Version != own {
		fmt.Fprintf(c.Stderr, "note: the service that runs this command is entrasync %s, this is %s; restart the service to update it\n", own, c.Version)
	}
	file := cmp.Or(c.Config, s.options.ConfigFile)
	return s.options.Execute(ctx, c, func(command string, stderr io.Writer) (*worker.Worker, error) {
		return s.workerFor(command, file, stderr)
	})
}

// workerFor gives a command the worker of the service. A command is about the configuration as its file is now,
// such as a plan of a changed mapping: after a change that the service has not loaded yet it gets a worker
// of its own. With a file that has faults it gets the service's, except for `check`, which reports them.
func (s *Service) workerFor(command, file string, stderr io.Writer) (*worker.Worker, error) {
	own := s.worker.Load()
	if *fingerprintOf(file) == *s.loaded.Load() {
		return own.Shared(), nil
	}
	cfg, syncs, err := load(file)
	var faults configs.Faults
	if errors.As(err, &faults) && command != "check" {
		fmt.Fprintf(stderr, "warning: %s does not load: %s\n  → this command uses the configuration that the service runs with; entrasync check names every fault\n", file, faultText(faults))
		return own.Shared(), nil
	}
	if err != nil {
		return nil, err
	}
	if !worker.SameState(cfg, own.Config) {
		return nil, fmt.Errorf("%s names the state %s, but the service has %s", file, worker.StateName(cfg), worker.StateName(own.Config))
	}
	fmt.Fprintf(stderr, "note: this command uses %s as it is now; the service loads it with its next reload (SIGHUP) or start\n", file)
	next, err := own.WithConfig(cfg, syncs)
	if err != nil {
		return nil, err
	}
	return next.Shared(), nil
}
