// Package audit reads audit logs for people and for other programs: it finds lines, verifies the chains, and
// writes lines as text, JSON and CSV.
//
// It writes nothing into a log: what is reported belongs to the package that does it, in the same transaction. It
// promises that a slow reader holds no transaction open, that the lines of one log come in the log's own order
// whatever their times are, and that no text of a line steers a terminal or runs as a formula.
package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Log is the audit log of a tenant, or that of the service.
type Log struct {
	Tenant graphsync.ID // zero of the service's
	Name   string       // of the tenant, or Service
	view   func(read func(state.Audit) error) error
}

// Service is the name of the log of the service: the configuration, and what concerns the tenants as such.
const Service = state.ServiceLog

// Logs returns the logs of the tenants that a command line selects, by name. That of the service is first; it is
// left out where the selection names syncs.
func Logs(w *worker.Worker, selection lookup.Selection, syncs []*compile.Sync) ([]Log, error) {
	var logs []Log
	var failed error
	add := func(id graphsync.ID, name string) {
		if slices.ContainsFunc(logs, func(l Log) bool { return l.Tenant == id }) {
			return
		}
		if has, err := w.Store.HasTenant(id); err != nil || !has {
			failed = errors.Join(failed, err)
			return
		}
		logs = append(logs, Log{id, name, func(read func(state.Audit) error) error {
			return w.View(id, func(tx *state.Tx) error { return read(tx.Audit()) })
		}})
	}
	for _, s := range syncs {
		add(s.Tenant, s.TenantName)
	}
	if len(selection.Syncs)+len(selection.Tenants) == 0 { // those that are no longer configured too
		tenants, err := w.Tenants.List()
		if err != nil {
			return nil, err
		}
		for _, t := range tenants {
			add(t.ID, t.Name)
		}
	}
	slices.SortStableFunc(logs, func(a, b Log) int { return cmp.Compare(a.Name, b.Name) })
	if len(selection.Syncs) == 0 {
		logs = slices.Insert(logs, 0, Log{Name: Service, view: w.Store.Audit().View})
	}
	return logs, failed
}

// A Query chooses lines of some logs.
type Query struct {
	state.AuditQuery
	Syncs   []string       // of these syncs; nil: all
	Tenants []graphsync.ID // about these tenants; nil: all
}

func (q *Query) chooses(line *Line) bool {
	return (len(q.Syncs) == 0 || slices.Contains(q.Syncs, line.Sync)) &&
		(len(q.Tenants) == 0 || slices.ContainsFunc(q.Tenants, func(id graphsync.ID) bool { return id.String() == line.Tenant }))
}

// A Line is a line of a log with the members that all or many have.
type Line struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	Actor  string    `json:"actor"`
	By     string    `json:"by"`
	Tenant string    `json:"tenant"`
	Sync   string    `json:"sync"`
	Run    string    `json:"run"`
	Result string    `json:"result"`

	Op       plan.Op        `json:"op"`
	Kind     string         `json:"kind"`
	SourceID string         `json:"source_id"`
	TargetID string         `json:"target_id"`
	Account  string         `json:"account"` // the account that the action made
	Key      string         `json:"key"`
	Changes  []plan.Change  `json:"changes"`
	Add      []graphsync.ID `json:"add"`
	Remove   []graphsync.ID `json:"remove"`
	Why      string         `json:"why"`
	Cause    string         `json:"cause"`
	Hold     string         `json:"hold"`
	Guard    string         `json:"guard"`
	Reason   string         `json:"reason"`
	Error    *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`

	TenantName string          `json:"-"`
	JSON       json.RawMessage `json:"-"` // the whole line with prev and hash
}

// before and After are the values that a line's action has replaced, and those that it wrote, by attribute.
func (l *Line) before() map[string]any {
	return l.values(func(c *plan.Change) any { return c.Old })
}

// after is described at Before.
func (l *Line) after() map[string]any {
	return l.values(func(c *plan.Change) any { return c.New })
}

func (l *Line) values(of func(*plan.Change) any) map[string]any {
	if len(l.Changes) == 0 {
		return nil
	}
	values := make(map[string]any, len(l.Changes))
	for i := range l.Changes {
		values[l.Changes[i].Attribute] = of(&l.Changes[i])
	}
	return values
}

// readAhead is how many lines of all logs are in memory.
const readAhead = 4096

// Each visits the lines that a query chooses, those of several logs by their times.
func Each(logs []Log, q Query, visit func(*Line) error) error {
	readers := make([]*reader, 0, len(logs))
	for i := range logs {
		r := &reader{log: &logs[i], query: q, chunk: max(16, readAhead/len(logs))}
		r.query.After = q.After
		more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			readers = append(readers, r)
		}
	}
	for len(readers) > 0 {
		at := 0
		for i := range readers {
			if readers[i].lines[0].At.Before(readers[at].lines[0].At) {
				at = i
			}
		}
		r := readers[at]
		if err := visit(&r.lines[0]); err != nil {
			return err
		}
		r.lines = r.lines[1:]
		more, err := r.next()
		if err != nil {
			return err
		}
		if !more {
			readers = slices.Delete(readers, at, at+1)
		}
	}
	return nil
}

// A reader reads one log some lines at a time: a transaction that waits for a slow terminal would make
// the writers of the tenant wait.
type reader struct {
	log   *Log
	query Query
	chunk int
	lines []Line
	ended bool
}

// next makes sure that there is a line and reports whether there is.
func (r *reader) next() (bool, error) {
	for len(r.lines) == 0 && !r.ended {
		r.ended = true
		n := 0
		err := r.log.view(func(a state.Audit) error {
			for stored := range a.Lines(r.query.AuditQuery) {
				line, err := parseLine(stored.JSON())
				if err != nil {
					return fmt.Errorf("line %d: %w", stored.Seq, err)
				}
				r.query.After = stored.Seq
				if r.query.chooses(line) {
					line.TenantName = r.log.Name
					r.lines = append(r.lines, *line)
				}
				if n++; n == r.chunk {
					r.ended = false
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("read the audit log of %s: %w", r.log.Name, err)
		}
	}
	return len(r.lines) > 0, nil
}

// parseLine reads a line as it is exported.
func parseLine(text []byte) (*Line, error) {
	line := &Line{JSON: text}
	if err := json.Unmarshal(text, line); err != nil {
		return nil, fmt.Errorf("read a line of the audit log: %w", err)
	}
	return line, nil
}
