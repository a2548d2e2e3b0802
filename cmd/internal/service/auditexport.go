package service

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"entrasync/cmd/internal/audit"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
)

const (
	exportEvery = time.Second      // how often the logs are looked at
	exportRetry = 30 * time.Second // how long after a failure
)

// auditExports write the audit logs to the file that the configuration names.
type auditExports struct {
	log     *slog.Logger
	version string
	failed  atomic.Bool // the last attempt

	section configs.Audit
	export  *audit.Export
	commits map[graphsync.ID]uint64 // of the tenants whose lines were written
}

// run exports until ctx ends.
func (e *auditExports) run(ctx context.Context, current func() *worker.Worker) {
	defer e.close()
	for {
		wait := exportEvery
		if err := e.once(ctx, current()); err != nil && ctx.Err() == nil {
			wait = exportRetry
			e.failed.Store(true)
			e.log.Error("the audit log was not written to its file; it is in the state, and is written when that is possible", "error", err, "hint", "see audit.file, its folder and the room on its disk")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (e *auditExports) close() {
	if e.export == nil {
		return
	}
	if err := e.export.Close(); err != nil {
		e.log.Error("close the file of the audit log", "error", err)
	}
	e.export = nil
}

// once writes what there is.
func (e *auditExports) once(ctx context.Context, w *worker.Worker) error {
	section := w.Config.Audit
	if section == nil {
		e.close()
		return nil
	}
	if e.export == nil || e.section != *section {
		e.close()
		file, err := filepath.Abs(section.File)
		if err != nil {
			return err
		}
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		e.section, e.commits = *section, map[graphsync.ID]uint64{}
		e.export = &audit.Export{File: file, Format: section.Format, MaxSize: int64(section.MaxSize), Keep: section.Keep, Version: e.version, Host: host}
	}
	all, err := audit.Logs(w, lookup.Selection{}, w.Syncs)
	if err != nil {
		return err
	}
	var logs []audit.Log
	seen := map[graphsync.ID]uint64{}
	for _, log := range all {
		if log.Name != audit.Service {
			now := w.Store.Commits(log.Tenant)
			if before, known := e.commits[log.Tenant]; known && before == now {
				continue
			}
			seen[log.Tenant] = now
		}
		logs = append(logs, log)
	}
	n, err := e.export.Run(ctx, w.Store, logs)
	if err != nil {
		return err
	}
	for id, now := range seen {
		e.commits[id] = now
	}
	if e.failed.Swap(false) {
		e.log.Info("the audit log is written to its file again", "file", e.export.File, "lines", n)
	}
	return nil
}
