package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrasync/state"
	"entrasync/target"
)

// ErrPaused means that the sync is in quarantine and its next probe is not due.
var ErrPaused = errors.New("the sync is paused")

// probeSize is how many actions are tried before a paused sync resumes with all.
const probeSize = 5

// quarantine pauses a sync whose target does not work, and probes whether it works again.
type quarantine struct {
	sync         *Sync
	opts         Options
	now          time.Time
	tenant       *state.Tenant
	target       target.Adapter
	info         *state.SyncInfo
	ledger       *ledger
	findings     *findings
	timeObserver *timeObserver

	probing bool // in quarantine: a few actions first
}

// check looks whether the sync is in quarantine. A scheduled cycle waits for the next probe; a
// person who asks for a cycle gets one. A target that refused everything, or did not answer, is
// asked whether it works again before it is sent anything else.
func (k *quarantine) check(ctx context.Context) error {
	err := k.tenant.View(func(tx *state.Tx) error {
		*k.info, k.findings.known = tx.SyncInfo(k.sync.Name), true
		return nil
	})
	if err != nil {
		return err
	}
	k.timeObserver.observe()
	q := k.info.Quarantine
	if q == nil {
		return nil
	}
	if k.opts.Scheduled && k.now.Before(q.NextProbe) {
		return fmt.Errorf("%w since %s: %s; the next probe is at %s", ErrPaused, q.Since.Format(time.RFC3339), q.Message, q.NextProbe.Format(time.RFC3339))
	}
	if !k.opts.Apply {
		return nil
	}
	code := target.Code(q.Code)
	if !code.Stops() && code != target.Unavailable {
		k.probing = true
		return nil
	}
	if _, err := k.target.Probe(ctx, k.sync.Paths()); err != nil {
		if target.CodeOf(err) == target.Unavailable && ctx.Err() == nil {
			err = &breakerOpenError{target: k.sync.TargetName, last: err}
		}
		return fmt.Errorf("target %s still does not work: %w", k.sync.TargetName, err)
	}
	if k.probing = !code.Stops(); !k.probing {
		k.clear()
	}
	return nil
}

// clear ends a quarantine.
func (k *quarantine) clear() {
	k.ledger.note("the target works again; it was paused since %s", k.info.Quarantine.Since.Format(time.RFC3339))
	k.info.Quarantine, k.probing = nil, false
}

// pause pauses the sync, or makes a pause longer. Waits grow to a day, so that a target
// that is down is not hammered and one that works again is noticed.
func (k *quarantine) pause(code, message string) {
	q := k.info.Quarantine
	if q == nil {
		q = &state.Quarantine{Since: k.now}
		k.info.Quarantine = q
	}
	q.Code, q.Message = code, message
	q.NextProbe = k.now.Add(min(24*time.Hour, 15*time.Minute<<min(q.Probes, 10)))
	q.Probes++
}

// pauseAfterStop pauses the sync when what ended the cycle concerns the whole target: a
// refused token is one fault, not one per record, and so is a target that does not answer.
func (k *quarantine) pauseAfterStop(cause error) {
	if !k.findings.known || !k.opts.Apply {
		return
	}
	var failure *target.Error
	var silent *breakerOpenError
	switch {
	case errors.As(cause, &silent):
		k.pause(string(target.Unavailable), silent.Error())
	case errors.As(cause, &failure) && failure.Code.Stops():
		k.pause(string(failure.Code), failure.Message)
	}
}

// evaluateFailures pauses the sync when most of what was tried failed. Small tenants count too.
func (k *quarantine) evaluateFailures() {
	limit := k.sync.Quarantine
	if limit.Failures <= 0 { // one that was paused for another reason resumes when anything works
		if k.info.Quarantine == nil {
			return
		}
		limit.Failures = 100
	}
	if k.ledger.attempted == 0 {
		return
	}
	mostly := float64(k.ledger.failures)*100 >= limit.Failures*float64(k.ledger.attempted)
	switch {
	case mostly && (k.ledger.attempted >= limit.AtLeast || k.probing):
		message := fmt.Sprintf("%d of %d actions failed", k.ledger.failures, k.ledger.attempted)
		code := "mostly_failing"
		if len(k.ledger.report.Errors) > 0 {
			message += ", such as: " + k.ledger.report.Errors[len(k.ledger.report.Errors)-1].Message
		}
		k.pause(code, message)
	case k.info.Quarantine != nil && !mostly:
		k.clear()
	}
}

// clearIdle ends the quarantine of a sync whose probe found nothing to do and nothing left to retry:
// what failed is no longer due.
func (k *quarantine) clearIdle() error {
	if !k.probing || k.ledger.attempted > 0 {
		return nil
	}
	return k.tenant.View(func(tx *state.Tx) error {
		if failed, _ := tx.Retries(k.sync.Name).Count(); failed == 0 {
			k.clear()
		}
		return nil
	})
}
