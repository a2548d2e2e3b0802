package service

import (
	"context"
	"fmt"
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

// backups remember how the last backup of the state ended.
type backups struct {
	mu     sync.Mutex // guards the rest
	failed error      // of the last attempt, nil when it succeeded
	at     time.Time  // when that was
}

// backUp is the job that backs up the state, none where the configuration says nothing of it.
func (s *Service) backUp(w *worker.Worker) ([]scheduler.Job, error) {
	section := w.Config.Backup
	if section == nil {
		return nil, nil
	}
	times, err := scheduler.Parse(section.Schedule)
	if err != nil {
		return nil, err
	}
	return []scheduler.Job{{Name: backupJob, Schedules: []scheduler.Schedule{times}, Run: func(context.Context) error { return s.backUpNow(w, section) }}}, nil
}

func (s *Service) backUpNow(w *worker.Worker, section *configs.Backup) error {
	began := time.Now()
	done, err := transfer.BackUp(w.Store, section.Folder, section.Keep, began)
	s.backups.mu.Lock()
	s.backups.failed, s.backups.at = err, began
	s.backups.mu.Unlock()
	if err != nil {
		s.log.Error("the state was not backed up", "error", err, "hint", advice.Of(err))
		return err
	}
	s.log.Info("state backed up", "file", done.File, "bytes", done.Bytes, "tenants", len(done.Tenants), "rows", done.Rows, "deleted", len(done.Deleted), "ms", time.Since(began).Milliseconds())
	return nil
}

// backupProblem says why the last backup failed, "" when it did not, or when there is none to make.
func (s *Service) backupProblem() string {
	if s.worker.Load().Config.Backup == nil {
		return ""
	}
	s.backups.mu.Lock()
	defer s.backups.mu.Unlock()
	if s.backups.failed == nil {
		return ""
	}
	text := fmt.Sprintf("%v (%s)", s.backups.failed, s.backups.at.UTC().Format("2006-01-02 15:04 UTC"))
	if hint := advice.Of(s.backups.failed); hint != "" {
		text += ": " + hint
	}
	return text
}

// lastBackup is when the newest backup was made; configured is false where none is to be made.
func (s *Service) lastBackup() (at time.Time, failed, configured bool) {
	section := s.worker.Load().Config.Backup
	if section == nil {
		return time.Time{}, false, false
	}
	return transfer.Newest(section.Folder), s.backupProblem() != "", true
}
