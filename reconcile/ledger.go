package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
	"entrasync/target"
)

// A ledger keeps what a cycle counts and has to say: counts, notes, failures, skipped records and how far it
// has come. It is safe for concurrent use.
type ledger struct {
	sync     *Sync
	now      time.Time
	log      *slog.Logger
	progress Progress

	progressing sync.Mutex // while progress runs

	mu         sync.Mutex
	report     Report
	counts     Summary // planned
	done       Summary // applied
	failures   int
	attempted  int
	unapproved int                   // removals done that no person approved
	newDrift   int                   // differences from what was applied that a compare has found
	unlinked   int                   // links dropped because their accounts are others, which is reported as an error
	waits      map[time.Duration]int // changes that took effect, by how long they may have waited
}

// note adds a sentence to the report, once.
func (l *ledger) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, known := range l.report.Notes {
		if known == text {
			return
		}
	}
	if len(l.report.Notes) < ListLimit {
		l.report.Notes = append(l.report.Notes, strings.ToValidUTF8(text, "�"))
	}
}

// reportProgress reports how far a stage has come.
func (l *ledger) reportProgress(stage string, done, total int) {
	if l.progress == nil {
		return
	}
	l.mu.Lock()
	pages := int(l.report.Graph.Pages)
	l.mu.Unlock()
	l.call(Step{Stage: stage, Done: done, Total: total, Pages: pages})
}

// reportReading reports how far a list of the directory has been read.
func (l *ledger) reportReading(list string, objects int, pages int64) {
	if l.progress != nil {
		l.call(Step{Stage: list, Done: objects, Pages: int(pages)})
	}
}

// call calls progress, one call at a time.
func (l *ledger) call(step Step) {
	l.progressing.Lock()
	defer l.progressing.Unlock()
	l.progress(step)
}

func (l *ledger) recordStep(name string, ok bool, format string, args ...any) {
	l.report.Steps = append(l.report.Steps, OnDemandStep{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
}

// skip stores a record that nothing is done for, replacing an earlier reason.
func (l *ledger) skip(tx *state.Tx, s plan.Skipped) error {
	space := tx.Space(l.sync.Name, plan.SkippedSpace)
	key := plan.Key{Phase: plan.PhaseOf(s.Kind), ID: s.SourceID}.Bytes()
	if space.Get(key) == nil {
		l.mu.Lock()
		l.counts.countSkipped(s.Kind)
		l.mu.Unlock()
	}
	return space.Put(key, plan.Encode(&s))
}

// fail notes that an action did not succeed and when it is tried again: the waits grow, and
// a change at the source tries it at once.
func (l *ledger) fail(tx *state.Tx, key state.PendingKey, a *plan.StoredAction, cause error) plan.Failure {
	retry, _ := tx.Retries(l.sync.Name).Get(key)
	if retry.Attempts == 0 {
		retry.First = l.now
	}
	retry.Key, retry.Attempts, retry.Skipped = key, retry.Attempts+1, false
	if retry.Op != string(plan.Members) {
		retry.Op = string(a.Op)
	}
	retry.Code, retry.Name, retry.Message = codeOf(cause), a.Key, cause.Error()
	wait := retryWait(retry.Attempts)
	var failed *target.Error
	if errors.As(cause, &failed) && failed.RetryAfter > wait {
		wait = min(failed.RetryAfter, longestWait)
	}
	retry.Next = l.now.Add(wait)
	f := plan.Failure{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Op: a.Op, Code: retry.Code, Message: retry.Message, RetryAt: retry.Next.Format(time.RFC3339)}
	if err := tx.Retries(l.sync.Name).Put(retry); err != nil {
		l.log.Error("store retry", "sync", l.sync.Name, "error", err)
	}
	if err := tx.Space(l.sync.Name, failedSpace).Put(pendingBytes(key), nil); err != nil {
		l.log.Error("store retry", "sync", l.sync.Name, "error", err)
	}
	l.failed(f)
	l.log.Info("action failed", "sync", l.sync.Name, "tenant", l.sync.Tenant, "op", a.Op, "kind", a.Kind.String(), "key", a.Key, "source_id", a.SourceID.String(), "code", f.Code, "error", f.Message, "retry_at", f.RetryAt)
	return f
}

// reportRemark reports a failure that is not tried again.
func (l *ledger) reportRemark(a *plan.StoredAction, remark *target.Error) plan.Failure {
	f := plan.Failure{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Op: a.Op, Code: string(remark.Code), Message: remark.Error() + "; this is not reported again"}
	l.failed(f)
	l.log.Info("not taken as written", "sync", l.sync.Name, "tenant", l.sync.Tenant, "op", a.Op, "kind", a.Kind.String(), "key", a.Key, "source_id", a.SourceID.String(), "code", f.Code, "error", f.Message)
	return f
}

// logSkipped logs the records that are skipped for a new reason, a line for each reason: a log
// that repeated them in every cycle would hide what is new.
func (l *ledger) logSkipped(causes *Causes) {
	for _, cause := range causes.List() {
		l.log.Info("records skipped", "sync", l.sync.Name, "tenant", l.sync.Tenant, "kind", cause.Kind.String(), "code", cause.Code,
			"count", cause.Count, "why", cause.Text, "such_as", cause.Who())
	}
}

// sumWaits puts the waits into the report, shortest first.
func (l *ledger) sumWaits() {
	for wait, changes := range l.waits {
		l.report.Waits = append(l.report.Waits, Wait{wait, changes})
		l.report.LongestWaitMS = max(l.report.LongestWaitMS, wait.Milliseconds())
	}
	slices.SortFunc(l.report.Waits, func(a, b Wait) int { return cmp.Compare(a.For, b.For) })
}

// planned counts an action that the plan gained, or lost when by is negative.
func (l *ledger) planned(kind graphsync.Kind, op plan.Op, by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.count(kind, op, by)
}

// applied counts an action that was carried out.
func (l *ledger) applied(kind graphsync.Kind, op plan.Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done.count(kind, op, 1)
}

// attempt counts an action that was tried.
func (l *ledger) attempt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempted++
}

// held moves an action from what is planned to what waits for an approval. seats is by how many active
// accounts it would have changed the application.
func (l *ledger) held(a *plan.StoredAction, seats int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.count(a.Kind, a.Op, -1)
	l.counts.Seats.After -= seats
	l.counts.countHeld(a.Kind, a.Op != plan.Create && a.Op != plan.Adopt && a.Op != plan.Members && !a.Orphan)
}

// rejected takes an action that a person rejected out of what is planned.
func (l *ledger) rejected(kind graphsync.Kind, op plan.Op, seats int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.count(kind, op, -1)
	l.counts.Seats.After -= seats
}

// due counts an action that is due and was rejected.
func (l *ledger) due(kind graphsync.Kind, op plan.Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.countRejected(kind, op != plan.Create && op != plan.Adopt && op != plan.Members)
}

// drifted counts differences that the compare before did not find.
func (l *ledger) drifted(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newDrift += n
}

// took puts what a read of the directory has taken in, and has to say, into the report.
func (l *ledger) took(read snapshot.Result) {
	l.mu.Lock()
	l.report.Graph.Pages += read.Pages
	l.report.Graph.Objects += read.Objects
	l.report.Graph.Bytes += read.Bytes
	l.report.Changed.Users += read.Users
	l.report.Changed.Groups += read.Groups
	l.mu.Unlock()
	for _, note := range read.Notes {
		l.note("%s", note)
	}
}

// looked notes that a removals cycle read what changed.
func (l *ledger) looked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Looked = true
}

// tookEffect counts a change that is in the application since now and may have waited so long.
func (l *ledger) tookEffect(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[time.Duration]int{}
	}
	l.waits[max(0, wait.Truncate(time.Second))]++
}

// failed counts a failure and keeps it for the report.
func (l *ledger) failed(f plan.Failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
	if len(l.report.Errors) < ListLimit {
		l.report.Errors = append(l.report.Errors, f)
	}
}

// unlinkedOther counts a link that was dropped because its account is another one. It is reported as a
// failure, and is none of the application's.
func (l *ledger) unlinkedOther() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlinked++
	l.failures--
}

// unread counts an account that could not be read by a dry run.
func (l *ledger) unread() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
}

func traffic(a target.Adapter) target.Traffic {
	if m, ok := a.(target.TrafficReporter); ok {
		return m.Traffic()
	}
	return target.Traffic{}
}
