package web

import (
	"encoding/json"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// historyShown is how many lines of the audit log the page of a person shows, the newest.
const historyShown = 100

// A pastEvent is a line of the audit log about a person or group.
type pastEvent struct {
	At     time.Time     `json:"at"`
	Event  string        `json:"event"`
	Actor  string        `json:"actor"`
	By     string        `json:"by"`
	Sync   string        `json:"sync"`
	Result string        `json:"result"`
	Op     string        `json:"op"`
	Key    string        `json:"key"`
	Source graphsync.ID  `json:"source_id"`
	Change []plan.Change `json:"changes"`
	Why    string        `json:"why"`
	Reason string        `json:"reason"`
}

// What says in a few words what was done.
func (e pastEvent) What() string {
	what := e.Op
	if e.Event != "action" {
		what = e.Event + " " + e.Op
	}
	if e.Op == string(plan.Members) {
		what += " of " + e.Key
	}
	if e.Result == "failed" {
		what += ": failed"
	}
	return what
}

// Who is who did it.
func (e pastEvent) Who() string {
	if e.By == "" || e.Actor == state.ActorService {
		return e.Actor
	}
	return e.By
}

// history reads what was done to an object in all syncs of its tenant, newest first.
func (s *Server) history(f *found) (events []pastEvent, err error) {
	err = view(s.Store, f.tenant, func(tx *state.Tx) error {
		for line := range tx.Audit().Lines(state.AuditQuery{Object: f.ID}) {
			var e pastEvent
			if err := json.Unmarshal(line.Text(), &e); err != nil {
				return err
			}
			if events = append(events, e); len(events) > 2*historyShown {
				events = append(events[:0], events[len(events)-historyShown:]...)
			}
		}
		return nil
	})
	events = events[max(0, len(events)-historyShown):]
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events, err
}
