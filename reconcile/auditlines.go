package reconcile

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Events of the audit log that a cycle reports.
const (
	actionEvent    = "action"        // an action was carried out, or failed
	recoveredEvent = "recovered"     // an action of an interrupted cycle was found to have been carried out
	runEvent       = "run"           // a cycle ended that did something, could not run, or was started by hand
	configEvent    = "configuration" // a cycle was the first with another mapping, scope or guard
)

// auditEntry begins a line of the audit log about something that a run did.
func (o *Options) auditEntry(sync *Sync, runID, event, result string) state.AuditEntry {
	actor := o.Actor
	if actor.Kind == "" {
		actor.Kind = state.ActorService
	}
	return state.AuditEntry{Event: event, Actor: actor, Tenant: sync.Tenant, Sync: sync.Name, Run: runID, Result: result}
}

// auditLine puts into a line of the audit log the outcome of an action: the line of the run, with the id of an
// account that the action made and, of memberships, those that were changed. text is the line of the run.
func auditLine(entry *state.AuditEntry, done *result, line *runLine, text []byte) {
	a := done.action
	entry.About, entry.Objects = text, []graphsync.ID{a.SourceID}
	switch {
	case a.Op == plan.Members && done.err == nil:
		changed := *line
		changed.Add, changed.Remove = slices.Collect(maps.Keys(done.added)), slices.Clone(done.removed)
		for _, ids := range [][]graphsync.ID{changed.Add, changed.Remove} {
			slices.SortFunc(ids, func(a, b graphsync.ID) int { return bytes.Compare(a[:], b[:]) })
			entry.Objects = append(entry.Objects, ids...)
		}
		if len(changed.Add)+len(changed.Remove) == 0 && len(done.refused) > 0 {
			changed.Outcome, entry.Result = outcomeFailed, outcomeFailed
		}
		entry.About = plan.Encode(&changed)
	case a.Op == plan.Members:
		entry.Objects = slices.Concat(entry.Objects, a.Add, a.Remove)
	case a.TargetID == nil && done.link != nil:
		account := plan.Encode(struct {
			Account string `json:"account"`
		}{done.link.TargetID})
		entry.About = append(append(account[:len(account)-1], ','), text[1:]...)
	}
}

// auditRecovered reports an action of an interrupted cycle that was carried out although no result was recorded.
// changes are in what the account differs from what was known of it.
func auditRecovered(tx *state.Tx, entry state.AuditEntry, intent *state.Intent, account, key string, changes []plan.Change) error {
	entry.About = plan.Encode(struct {
		Account  string         `json:"account"`
		Op       string         `json:"op"`
		Kind     graphsync.Kind `json:"kind"`
		SourceID graphsync.ID   `json:"source_id"`
		Key      string         `json:"key"`
		Changes  []plan.Change  `json:"changes,omitempty"`
		Begun    time.Time      `json:"begun"` // when the interrupted cycle was about to do it
	}{account, intent.Op, intent.Kind, intent.Source, key, changes, intent.At})
	entry.Objects = []graphsync.ID{intent.Source}
	return tx.Audit().Append(entry)
}

// linkChanges are the attributes in which what is known of an account changed, as a plan would show them.
func linkChanges(rules *desired.Rules, before, after *state.Link) (changes []plan.Change) {
	value := func(link *state.Link, path string, redact bool) any {
		raw, known := link.Applied[path]
		switch {
		case !known:
			return nil
		case redact:
			return desired.Redacted
		}
		return json.RawMessage(raw)
	}
	for _, mapped := range rules.Mapping.Attributes() {
		path := mapped.Path.String()
		if bytes.Equal(before.Applied[path], after.Applied[path]) {
			continue
		}
		changes = append(changes, plan.Change{Attribute: path, Old: value(before, path, mapped.Redact), New: value(after, path, mapped.Redact)})
	}
	if before.Active != after.Active && !slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Attribute == "active" }) {
		changes = append(changes, plan.Change{Attribute: "active", Old: before.Active, New: after.Active})
	}
	return changes
}
