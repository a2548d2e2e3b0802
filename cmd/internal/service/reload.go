package service

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/notify"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/state"
)

// reload reads the configuration again. One that does not load changes nothing.
func (s *Service) reload() {
	s.notify(daemon.SdNotifyReloading)
	defer s.notify(daemon.SdNotifyReady)
	loaded := fingerprintOf(s.options.ConfigFile)
	cfg, syncs, err := load(s.options.ConfigFile)
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
	if !worker.SameState(cfg, old.Config) {
		s.log.Error("configuration not reloaded: the state changed, which takes a restart", "state", worker.StateName(old.Config), "wanted", worker.StateName(cfg))
		s.refuse("the state changed, which takes a restart")
		return
	}
	if !reflect.DeepEqual(cfg.HTTP, old.Config.HTTP) {
		s.log.Warn("http is served as before: a change of it takes a restart", "listen", old.Config.HTTP.Listen)
	}
	if was := old.Config.Consent; cfg.Consent != nil && (was == nil || was.Listen != cfg.Consent.Listen) {
		s.log.Warn("the consent pages are served as at the start: a change of consent.listen takes a restart", "listen", cfg.Consent.Listen)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := old.WithConfig(cfg, syncs)
	if err != nil {
		s.log.Error("configuration not reloaded", "error", err)
		s.refuse(err.Error())
		return
	}
	next.Release() // what the former configuration used
	channels, err := notify.Channels(cfg.Notify)
	if err == nil {
		err = s.schedule(next)
	}
	if err != nil {
		s.log.Error("configuration not reloaded", "error", err)
		s.refuse(err.Error())
		return
	}
	s.news.deliverTo(next, channels)
	s.worker.Store(next)
	s.loaded.Store(loaded)
	s.refused.Store(nil)
	s.news.loaded(cfg, "")
	s.auditConfiguration(loaded, "loaded", "")
	s.log.Info("configuration reloaded", "syncs", len(syncs), "schedule", cfg.Schedule)
}

// refuse keeps why a configuration was not loaded, for the pages and the metrics.
func (s *Service) refuse(why string) {
	s.refused.Store(&why)
	s.news.loaded(s.worker.Load().Config, why)
	s.auditConfiguration(fingerprintOf(s.options.ConfigFile), "refused", why)
}

// auditConfiguration reports that the service has loaded a configuration, or why it has not.
func (s *Service) auditConfiguration(of *fingerprint, result, why string) {
	about, err := json.Marshal(struct {
		File   string `json:"file,omitempty"`
		SHA256 string `json:"sha256"`
		Reason string `json:"reason,omitempty"`
	}{of.file, hex.EncodeToString(of.sum[:]), why})
	if err == nil {
		err = s.worker.Load().Store.Audit().Append(state.AuditEntry{
			At: time.Now(), Event: "configuration", Actor: state.Actor{Kind: state.ActorService}, Result: result, About: about,
		})
	}
	if err != nil {
		s.log.Error("report to the audit log", "error", err)
	}
}

// refusal returns why the configuration was not loaded at the last reload, "" when it was.
func (s *Service) refusal() string {
	if why := s.refused.Load(); why != nil {
		return *why
	}
	return ""
}

// faultText is the first of some faults and how many more there are.
func faultText(faults configs.Faults) string {
	text := faults[0].String()
	if more := len(faults) - 1; more > 0 {
		text += fmt.Sprintf(" (and %s)", words.Count(more, "more fault", "more faults"))
	}
	return text
}

// A fingerprint tells one text of a configuration file from another.
type fingerprint struct {
	file string
	sum  [sha256.Size]byte
}

// fingerprintOf returns the fingerprint of a configuration file; the zero one when it cannot be read.
func fingerprintOf(file string) *fingerprint {
	file, err := configs.Find(file)
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

// next returns when a sync runs next; zero when no cycle is planned.
func (s *Service) next(planned *compile.Sync) time.Time {
	for _, job := range s.scheduler.Status() {
		if job.Name == jobName(planned) {
			return job.Next
		}
	}
	return time.Time{}
}

// applyTenantChanges makes the tenants of the registry those of the service: a new one has its first cycle at once, a
// removed or paused one has no further cycle.
func (s *Service) applyTenantChanges() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.worker.Load().Again()
	if err != nil {
		return err
	}
	if err := s.schedule(next); err != nil {
		return err
	}
	s.worker.Store(next)
	return nil
}
