package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// A Request is what a command line asks of the logs.
type Request struct {
	lookup.Selection
	Since, Until string
	Subject      *reconcile.Subject // nil: about anything
	Run          string
}

// A LogQuery is a query to some logs.
type LogQuery struct {
	Logs  []Log
	Query Query
}

// Queries are those that answer a request, one behind the other. A user or group has another id in each tenant.
func (r Request) Queries(ctx context.Context, w *worker.Worker, logs []Log) ([]LogQuery, error) {
	q := Query{AuditQuery: state.AuditQuery{Run: r.Run}, Syncs: r.Syncs}
	now := time.Now()
	var err error
	if q.Since, err = ParseTime(r.Since, now); err != nil {
		return nil, fmt.Errorf("--since: %w", err)
	}
	if q.Until, err = ParseTime(r.Until, now); err != nil {
		return nil, fmt.Errorf("--until: %w", err)
	}
	for _, named := range r.Tenants {
		id, err := lookup.TenantID(w, named)
		if err != nil {
			return nil, err
		}
		q.Tenants = append(q.Tenants, id)
	}
	if r.Subject == nil {
		return []LogQuery{{logs, q}}, nil
	}
	var queries []LogQuery
	for _, log := range logs {
		if log.Name == Service {
			continue
		}
		ids, err := subjectsIn(ctx, w, log, *r.Subject)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			of := q
			of.Object = id
			queries = append(queries, LogQuery{[]Log{log}, of})
		}
	}
	if len(queries) == 0 {
		return nil, advice.With(fmt.Errorf("%s %q is neither in the snapshot nor in the audit log", r.Subject.Kind, r.Subject.Key), "try the object id")
	}
	return queries, nil
}

// subjectsIn returns the ids that a key has in a tenant: that of the snapshot, or, of a user or group that is no
// longer there, those that the log names by the key.
func subjectsIn(ctx context.Context, w *worker.Worker, log Log, subject reconcile.Subject) ([]graphsync.ID, error) {
	if id, err := graphsync.ParseID(subject.Key); err == nil {
		return []graphsync.ID{id}, nil
	}
	tenant, err := w.Store.Tenant(log.Tenant)
	if err != nil {
		return nil, err
	}
	defer tenant.Close()
	id, err := reconcile.Find(ctx, tenant, subject)
	if err == nil {
		return []graphsync.ID{id}, nil
	}
	if !errors.Is(err, reconcile.ErrUnknownSubject) {
		return nil, err
	}
	var ids []graphsync.ID
	err = Each([]Log{log}, Query{}, func(l *Line) error {
		if l.Kind != subject.Kind.String() || !strings.EqualFold(l.Key, subject.Key) {
			return ctx.Err()
		}
		id, err := graphsync.ParseID(l.SourceID)
		if err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		return ctx.Err()
	})
	return ids, err
}

// ParseTime reads a time of a command line: RFC 3339, a day, or how long ago. "" is the zero time.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write it as 2026-03-01T08:00:00Z, as a day such as 2026-03-01, or as how long ago, such as 12h or 7d", text)
}
