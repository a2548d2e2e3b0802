package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/state"
)

// A standing is how a sync stood when it was last read: what the overview needs of it.
type standing struct {
	Users     int // linked and active
	Groups    int // linked and in scope
	Retrying  int
	Skipped   int
	Info      state.SyncInfo
	Holds     []hold
	Rejected  []hold // what is due and was rejected
	Runs      []head // the newest ones, newest first
	Trend     trend
	ReadError error // why the state could not be read
	commits   uint64
}

// Linked is how many accounts and groups are linked.
func (s *standing) Linked() int { return s.Users + s.Groups }

// A hold is what a guard holds, with what identifies exactly these actions.
type hold struct {
	state.Hold
	Digest   string
	Rejected *guard.RejectedHold // who rejected it; nil while it waits
	Ends     time.Time           // when the rejection ends; zero for never
}

// A head is a run without its lists.
type head struct {
	ID       string
	Started  time.Time
	Cycle    reconcile.Cycle
	Result   reconcile.Result
	Summary  reconcile.Summary
	Failures int // records that failed, at most reconcile.ListLimit
	Duration time.Duration
	Failure  *reconcile.CycleFailure

	Attention []reconcile.Attention
}

// keptHeads is how many runs of each sync are held in memory and shown.
const keptHeads = 50

// standing returns how a sync stands, from memory while its tenant's state is what it was.
func (s *Server) standing(ctx context.Context, sync *Sync) *standing {
	key, commits := syncKey{sync.Name, sync.Tenant}, s.Store.Commits(sync.Tenant)
	s.mu.Lock()
	known := s.standings[key]
	s.mu.Unlock()
	if known != nil && known.commits == commits {
		return known
	}
	if ctx.Err() != nil {
		return &standing{ReadError: ctx.Err()}
	}
	read := &standing{commits: commits}
	err := s.view(sync.Tenant, func(tx *state.Tx) error { return read.read(tx, sync.Sync) })
	if err != nil {
		s.Log.Error("read state for the status page", "sync", sync.Name, "tenant", sync.TenantName, "error", err)
		return &standing{ReadError: err} // not kept: it may heal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standings[key] = read
	return read
}

// view reads a tenant's state.
func (s *Server) view(id graphsync.ID, read func(tx *state.Tx) error) error {
	return view(s.Store, id, read)
}

func view(store *state.Store, id graphsync.ID, read func(tx *state.Tx) error) error {
	tenant, err := store.Tenant(id)
	if err != nil {
		return err
	}
	defer tenant.Close()
	return tenant.View(read)
}

func (s *standing) read(tx *state.Tx, rules *reconcile.Sync) error {
	sync := rules.Name
	_, users := tx.Links(sync).Count(graphsync.User)
	_, groups := tx.Links(sync).Count(graphsync.Group)
	s.Users, s.Groups = users, groups
	s.Retrying, s.Skipped = tx.Retries(sync).Count()
	s.Info = tx.SyncInfo(sync)
	for h := range tx.Holds(sync).All() {
		s.Holds = append(s.Holds, hold{Hold: h})
	}
	refused, err := guard.RejectedHolds(tx, sync)
	if err != nil {
		return err
	}
	for i := range refused {
		r := &refused[i]
		s.Rejected = append(s.Rejected, hold{Rejected: r, Ends: r.Ends(rules.Guard.Rejections),
			Hold: state.Hold{ID: r.Hold, Guard: r.Guard, Cause: r.Cause, Since: r.At, Count: r.Count, Sample: r.Sample}})
	}
	if len(s.Holds)+len(s.Rejected) > 0 {
		digests, err := guard.HeldDigests(tx, sync)
		if err != nil {
			return err
		}
		for _, list := range [][]hold{s.Holds, s.Rejected} {
			for i := range list {
				list[i].Digest = digests[list[i].ID]
			}
		}
		slices.SortStableFunc(s.Holds, func(a, b hold) int { return a.Since.Compare(b.Since) })
	}
	for _, run := range tx.Runs(sync).Latest(keptHeads) {
		h, err := headOf(run)
		if err != nil {
			return err
		}
		s.Runs = append(s.Runs, h)
	}
	s.Trend = trendOf(s.Runs)
	return nil
}

// headOf reads what is shown of a run in a list. The report's own lists are counted only.
func headOf(run state.Run) (head, error) {
	var report struct {
		Cycle      reconcile.Cycle         `json:"cycle"`
		Summary    reconcile.Summary       `json:"summary"`
		Errors     []struct{}              `json:"errors"`
		DurationMS int64                   `json:"duration_ms"`
		Failure    *reconcile.CycleFailure `json:"failure"`
		Attention  []reconcile.Attention   `json:"attention"`
	}
	if err := json.Unmarshal(run.Report, &report); err != nil {
		return head{}, fmt.Errorf("read run %s: %w", run.ID, err)
	}
	return head{
		ID: run.ID, Started: run.Started, Cycle: report.Cycle, Result: reconcile.Result(run.Result), Summary: report.Summary,
		Failures: len(report.Errors), Duration: time.Duration(report.DurationMS) * time.Millisecond, Failure: report.Failure, Attention: report.Attention,
	}, nil
}

// A row is a sync with how it stands.
type row struct {
	Sync
	*standing
	State  condition
	Access Tenant // how the directory can be read
}

// A condition is what to think of a sync, in a word.
type condition string

// The conditions, worst first.
const (
	failed      condition = "failed"
	quarantined condition = "quarantine"
	held        condition = "held"
	partial     condition = "partial"
	waiting     condition = "waiting" // has had no cycle yet
	well        condition = "ok"
	paused      condition = "paused"
)

var conditions = []condition{failed, quarantined, held, partial, waiting, well, paused}

// Label is the condition in words.
func (c condition) Label() string {
	switch c {
	case failed:
		return "Failed"
	case quarantined:
		return "In quarantine"
	case held:
		return "Waits for approval"
	case partial:
		return "Some records failed"
	case waiting:
		return "First cycle ahead"
	case well:
		return "OK"
	case paused:
		return "Paused"
	}
	return string(c)
}

func conditionOf(sync *Sync, s *standing) condition {
	switch {
	case sync.Paused:
		return paused
	case s.ReadError != nil:
		return failed
	case s.Info.Quarantine != nil:
		return quarantined
	case problemOf(sync, s) != nil:
		return failed
	case len(s.Runs) == 0:
		return waiting
	case s.Runs[0].Result == reconcile.Failed:
		return failed
	case len(s.Holds) > 0:
		return held
	case s.Runs[0].Result == reconcile.Partial, s.Retrying > 0:
		return partial
	}
	return well
}

// problemOf is why the last cycle could not begin, unless one has run since.
func problemOf(sync *Sync, s *standing) *Problem {
	if sync.Problem == nil || len(s.Runs) > 0 && !s.Runs[0].Started.Before(sync.Problem.At) {
		return nil
	}
	return sync.Problem
}

// rows are all syncs, those that need attention first.
func (s *Server) rows(ctx context.Context) []row {
	syncs := s.Syncs()
	access := s.access()
	rows := make([]row, 0, len(syncs))
	for i := range syncs {
		row := s.row(ctx, &syncs[i])
		row.Access = access[row.Tenant]
		rows = append(rows, row)
	}
	s.prune(syncs)
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(slices.Index(conditions, a.State)-slices.Index(conditions, b.State),
			strings.Compare(a.TenantName, b.TenantName), strings.Compare(a.Name, b.Name))
	})
	return rows
}

// access is how each directory can be read.
func (s *Server) access() map[graphsync.ID]Tenant {
	tenants, err := s.Tenants()
	if err != nil {
		s.Log.Error("read the tenants for the status page", "error", err)
	}
	access := make(map[graphsync.ID]Tenant, len(tenants))
	for _, t := range tenants {
		access[t.ID] = t
	}
	return access
}

// prune forgets syncs that are no longer configured.
func (s *Server) prune(syncs []Sync) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.standings) <= len(syncs) {
		return
	}
	configured := map[syncKey]bool{}
	for i := range syncs {
		configured[syncKey{syncs[i].Name, syncs[i].Tenant}] = true
	}
	maps.DeleteFunc(s.standings, func(key syncKey, _ *standing) bool { return !configured[key] })
}

func (s *Server) row(ctx context.Context, sync *Sync) row {
	standing := s.standing(ctx, sync)
	return row{Sync: *sync, standing: standing, State: conditionOf(sync, standing)}
}

// find returns the sync that a path names.
func (s *Server) find(ctx context.Context, name, tenant string) (row, error) {
	for _, sync := range s.Syncs() {
		if sync.Name == name && sync.TenantName == tenant {
			row := s.row(ctx, &sync)
			row.Access = s.access()[sync.Tenant]
			return row, nil
		}
	}
	return row{}, errNotFound
}

// Path is where the sync's page is.
func (s Sync) Path() string { return pathOf("syncs", s.Name, s.TenantName) }

func pathOf(parts ...string) string {
	var path strings.Builder
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

// Last is the newest run, nil when there is none.
func (r row) Last() *head {
	if r.standing == nil || len(r.Runs) == 0 {
		return nil
	}
	return &r.Runs[0]
}

// A trouble is why a sync needs attention, in a sentence, and what to do.
type trouble struct{ Message, Hint string }

// Trouble says why the sync does not run as it should; nil when it does, or only single records
// fail.
func (r row) Trouble() *trouble {
	problem, last := problemOf(&r.Sync, r.standing), r.Last()
	switch {
	case r.Paused:
		return nil
	case r.ReadError != nil:
		return &trouble{Message: r.ReadError.Error()}
	case r.Info.Quarantine != nil:
		return &trouble{Message: r.Info.Quarantine.Message, Hint: "The target is retried automatically; the sync's page says when."}
	case problem != nil:
		return &trouble{problem.Message, problem.Hint}
	case last != nil && last.Failure != nil:
		return &trouble{last.Failure.Message, last.Failure.Hint}
	}
	return r.mostlySkipped()
}

// mostlySkipped says that most of the scope was skipped in the last cycle; nil when it was not.
func (r row) mostlySkipped() *trouble {
	last := r.Last()
	if last == nil {
		return nil
	}
	for _, about := range last.Attention {
		if about.Code == reconcile.MostlySkipped {
			return &trouble{Message: webserver.Sentence(about.Message), Hint: "The sync's page names the people with the reasons; often one wrong word in the configuration skips every user."}
		}
	}
	return nil
}

// RejectedActions is how many actions are due and were rejected.
func (s *standing) RejectedActions() (n int) {
	for i := range s.Rejected {
		n += s.Rejected[i].Count
	}
	return n
}

// Words says what a run did, leaving out what is zero.
func (h *head) Words() string {
	if h.Result == reconcile.Failed {
		return "could not run"
	}
	return summaryWords(h.Summary, h.Failures)
}

func summaryWords(s reconcile.Summary, failures int) string {
	var parts []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%s %s", webserver.Thousands(n), many))
		}
	}
	add(s.Create, "create", "creates")
	add(s.Adopt, "adoption", "adoptions")
	add(s.Update, "update", "updates")
	add(s.Deactivate, "deactivation", "deactivations")
	add(s.Reactivate, "reactivation", "reactivations")
	add(s.Delete, "deletion", "deletions")
	add(s.Members, "membership change", "membership changes")
	add(s.Unlink, "link dropped", "links dropped")
	add(s.Held, "held", "held")
	add(s.Rejected, "rejected", "rejected")
	add(failures, "failed", "failed")
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

// A Standing is a sync in figures, as its page shows them.
type Standing struct {
	Sync, Tenant string // names
	Linked       int    // active accounts and groups
	Holds        int    // causes that wait for an approval
	Rejected     int    // actions that are due and were rejected
	Retrying     int
	Skipped      int
	Quarantined  bool
	Mostly       bool // more of the scope is skipped than guard.skipped lets pass
	LastSuccess  time.Time
}

// Standings returns all syncs whose state can be read, for metrics.
func (s *Server) Standings(ctx context.Context) []Standing {
	var all []Standing
	for _, r := range s.rows(ctx) {
		if r.ReadError == nil {
			all = append(all, Standing{
				Sync: r.Name, Tenant: r.TenantName, Linked: r.Linked(), Holds: len(r.Holds), Rejected: r.RejectedActions(), Retrying: r.Retrying, Skipped: r.Skipped,
				Quarantined: r.Info.Quarantine != nil, Mostly: r.mostlySkipped() != nil, LastSuccess: r.Info.LastSuccess,
			})
		}
	}
	return all
}
