package web

import (
	"encoding/json"
	"net/http"
	"time"
)

// beatLimit is how old the scheduler's last sign of life may be.
const beatLimit = time.Minute

type health struct {
	Format    string    `json:"format"`
	Healthy   bool      `json:"healthy"`
	Heartbeat time.Time `json:"beat"` // when the scheduler last showed that it is alive
}

type readiness struct {
	Format    string `json:"format"`
	Ready     bool   `json:"ready"`
	Syncs     int    `json:"syncs"`     // that have a schedule
	Attempted int    `json:"attempted"` // of them, since the service started
	Message   string `json:"message"`
}

// healthz tells whether the process is worth keeping: its scheduler turns.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	beat := s.Heartbeat()
	h := health{Format: "entrasync/health/1", Healthy: s.Now().Sub(beat) < beatLimit, Heartbeat: beat.UTC()}
	respond(w, h.Healthy, h)
}

// readyz tells whether the service does its work: the state can be read, and every sync had its
// first cycle, well or not. What a sync lacks is on its page, not a reason to restart the process.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	r := readiness{Format: "entrasync/ready/1", Message: "ready"}
	for _, sync := range s.Syncs() {
		if sync.Paused {
			continue
		}
		r.Syncs++
		if sync.Attempted {
			r.Attempted++
		}
	}
	r.Ready = r.Attempted == r.Syncs
	if !r.Ready {
		r.Message = "waiting for the first cycle of every sync"
	}
	if _, err := s.Store.TenantRecords().All(); err != nil {
		s.Log.Error("the state cannot be read", "error", err)
		r.Ready, r.Message = false, "the state cannot be read; the log says why"
	}
	respond(w, r.Ready, r)
}

func respond(w http.ResponseWriter, well bool, body any) {
	w.Header().Set("Content-Type", "application/json")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(body)
}
