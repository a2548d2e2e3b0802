package web

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
	"entrasync/state"
)

// A syncStatus is how a sync stood when it was last read: what the overview needs of it.
type syncStatus struct {
	Users     int // linked and active
	Groups    int // linked and in scope
	Retrying  int
	Skipped   int
	Drift     int // accounts, groups and memberships that were changed in the application
	Pins      int // users and groups that are pinned
	Info      state.SyncInfo
	Holds     []hold
	Rejected  []hold       // what is due and was rejected
	Runs      []runSummary // the newest ones, newest first
	Trend     trend
	ReadError error // why the state could not be read
	commits   uint64

	OldestRemoval time.Time // when the oldest removal that has failed since first failed; zero for none
}

// Linked is how many accounts and groups are linked.
func (s *syncStatus) Linked() int { return s.Users + s.Groups }

// A hold is what a guard holds, with what identifies exactly these actions.
type hold struct {
	state.Hold
	Digest   string
	Rejected *guard.RejectedHold // who rejected it; nil while it waits
	Ends     time.Time           // when the rejection ends; zero for never
}

// A runSummary is a run without its lists.
type runSummary struct {
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

// keptRuns is how many runs of each sync are held in memory and shown.
const keptRuns = 50

func view(store *state.Store, id graphsync.ID, read func(tx *state.Tx) error) error {
	tenant, err := store.Tenant(id)
	if err != nil {
		return err
	}
	defer tenant.Close()
	return tenant.View(read)
}

func (s *syncStatus) read(tx *state.Tx, rules *reconcile.Sync) error {
	sync := rules.Name
	_, users := tx.Links(sync).Count(graphsync.User)
	_, groups := tx.Links(sync).Count(graphsync.Group)
	s.Users, s.Groups = users, groups
	s.Retrying, s.Skipped = tx.Retries(sync).Count()
	accounts, members := drift.In(tx, sync).Count()
	s.Drift = accounts + members
	s.Pins = links.In(tx, sync).CountPins()
	s.Info = tx.SyncInfo(sync)
	s.OldestRemoval = oldestRemoval(tx, sync)
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
	for _, run := range tx.Runs(sync).Latest(keptRuns) {
		h, err := summaryOf(run)
		if err != nil {
			return err
		}
		s.Runs = append(s.Runs, h)
	}
	s.Trend = trendOf(s.Runs)
	return nil
}

// summaryOf reads what is shown of a run in a list. The report's own lists are counted only.
func summaryOf(run state.Run) (runSummary, error) {
	var report struct {
		Cycle      reconcile.Cycle         `json:"cycle"`
		Summary    reconcile.Summary       `json:"summary"`
		Errors     []struct{}              `json:"errors"`
		DurationMS int64                   `json:"duration_ms"`
		Failure    *reconcile.CycleFailure `json:"failure"`
		Attention  []reconcile.Attention   `json:"attention"`
	}
	if err := json.Unmarshal(run.Report, &report); err != nil {
		return runSummary{}, fmt.Errorf("read run %s: %w", run.ID, err)
	}
	return runSummary{
		ID: run.ID, Started: run.Started, Cycle: report.Cycle, Result: reconcile.Result(run.Result), Summary: report.Summary,
		Failures: len(report.Errors), Duration: time.Duration(report.DurationMS) * time.Millisecond, Failure: report.Failure, Attention: report.Attention,
	}, nil
}

// A row is a sync with how it stands.
type row struct {
	Sync
	*syncStatus
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

func conditionOf(sync *Sync, s *syncStatus) condition {
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
func problemOf(sync *Sync, s *syncStatus) *Problem {
	if sync.Problem == nil || len(s.Runs) > 0 && !s.Runs[0].Started.Before(sync.Problem.At) {
		return nil
	}
	return sync.Problem
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
func (r row) Last() *runSummary {
	if r.syncStatus == nil || len(r.Runs) == 0 {
		return nil
	}
	return &r.Runs[0]
}

// A trouble is why a sync needs attention, in a sentence, and what to do.
type trouble struct{ Message, Hint string }

// Trouble says why the sync does not run as it should; nil when it does, or only single records
// fail.
func (r row) Trouble() *trouble {
	problem, last := problemOf(&r.Sync, r.syncStatus), r.Last()
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
func (s *syncStatus) RejectedActions() (n int) {
	for i := range s.Rejected {
		n += s.Rejected[i].Count
	}
	return n
}

// Words says what a run did, leaving out what is zero.
func (h *runSummary) Words() string {
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
