package service

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/transfer"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
)

// backupJob is the name of the job that backs up the state; those of syncs have a slash.
const backupJob = "backup"

// backups back up the state and remember how the last attempt ended.
type backups struct {
	log   *slog.Logger
	ended func(error) // takes how each attempt ended

	mu     sync.Mutex // guards the rest
	failed error      // of the last attempt, nil when it succeeded
	at     time.Time  // when that was
}

// job is the job that backs up the state, none where the configuration says nothing of it.
func (b *backups) job(w *worker.Worker) ([]scheduler.Job, error) {
	section := w.Config.Backup
	if section == nil {
		return nil, nil
	}
	times, err := scheduler.Parse(section.Schedule)
	if err != nil {
		return nil, err
	}
	return []scheduler.Job{{Name: backupJob, Schedules: []scheduler.Schedule{times}, Run: func(context.Context) error { return b.run(w, section) }}}, nil
}

func (b *backups) run(w *worker.Worker, section *configs.Backup) error {
	began := time.Now()
	done, err := transfer.BackUp(w.Store, section.Folder, section.Keep, began)
	b.mu.Lock()
	b.failed, b.at = err, began
	b.mu.Unlock()
	b.ended(err)
	if err != nil {
		b.log.Error("the state was not backed up", "error", err, "hint", advice.Of(err))
		return err
	}
	b.log.Info("state backed up", "file", done.File, "bytes", done.Bytes, "tenants", len(done.Tenants), "rows", done.Rows, "deleted", len(done.Deleted), "ms", time.Since(began).Milliseconds())
	return nil
}

// problem says why the last backup failed, "" when it did not, or when there is none to make.
func (b *backups) problem(cfg *configs.Config) string {
	if cfg.Backup == nil {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		return ""
	}
	text := fmt.Sprintf("%v (%s)", b.failed, b.at.UTC().Format("2006-01-02 15:04 UTC"))
	if hint := advice.Of(b.failed); hint != "" {
		text += ": " + hint
	}
	return text
}

// last is when the newest backup was made; configured is false where none is to be made.
func (b *backups) last(cfg *configs.Config) (at time.Time, failed, configured bool) {
	section := cfg.Backup
	if section == nil {
		return time.Time{}, false, false
	}
	return transfer.Newest(section.Folder), b.problem(cfg) != "", true
}
