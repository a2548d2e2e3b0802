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

// probeSize is how many actions are tried before a paused sync goes on with all.
const probeSize = 5

// gate looks whether the sync is in quarantine. A scheduled cycle waits for the next probe; a
// person who asks for a cycle gets one. A target that refused everything, or did not answer, is
// asked whether it works again before it is sent anything else.
func (c *cycle) gate(ctx context.Context) error {
	err := c.Tenant.View(func(tx *state.Tx) error {
		*c.info, c.known = tx.SyncInfo(c.Sync.Name), true
		return nil
	})
	if err != nil {
		return err
	}
	c.observe()
	q := c.info.Quarantine
	if q == nil {
		return nil
	}
	if c.opts.Scheduled && c.now.Before(q.NextProbe) {
		return fmt.Errorf("%w since %s: %s; the next probe is at %s", ErrPaused, q.Since.Format(time.RFC3339), q.Message, q.NextProbe.Format(time.RFC3339))
	}
	if !c.opts.Apply {
		return nil
	}
	code := target.Code(q.Code)
	if !code.Stops() && code != target.Unavailable {
		c.probing = true
		return nil
	}
	if _, err := c.Target.Probe(ctx, c.Sync.Paths()); err != nil {
		if target.CodeOf(err) == target.Unavailable && ctx.Err() == nil {
			err = &silence{target: c.Sync.TargetName, last: err}
		}
		return fmt.Errorf("target %s still does not work: %w", c.Sync.TargetName, err)
	}
	if c.probing = !code.Stops(); !c.probing {
		c.lift()
	}
	return nil
}

// lift ends a quarantine.
func (c *cycle) lift() {
	c.note("the target works again; it was paused since %s", c.info.Quarantine.Since.Format(time.RFC3339))
	c.info.Quarantine, c.probing = nil, false
}

// quarantine pauses the sync, or makes a pause longer. Waits grow to a day, so that a target
// that is down is not hammered and one that works again is noticed.
func (c *cycle) quarantine(code, message string) {
	q := c.info.Quarantine
	if q == nil {
		q = &state.Quarantine{Since: c.now}
		c.info.Quarantine = q
	}
	q.Code, q.Message = code, message
	q.NextProbe = c.now.Add(min(24*time.Hour, 15*time.Minute<<min(q.Probes, 10)))
	q.Probes++
}

// quarantineAfterStop pauses the sync when what ended the cycle concerns the whole target: a
// refused token is one fault, not one per record, and so is a target that does not answer.
func (c *cycle) quarantineAfterStop(cause error) {
	if !c.known || !c.opts.Apply {
		return
	}
	var failure *target.Error
	var silent *silence
	switch {
	case errors.As(cause, &silent):
		c.quarantine(string(target.Unavailable), silent.Error())
	case errors.As(cause, &failure) && failure.Code.Stops():
		c.quarantine(string(failure.Code), failure.Message)
	}
}

// judgeFailures pauses the sync when most of what was tried failed. Small tenants count too.
func (c *cycle) judgeFailures() {
	limit := c.Sync.Quarantine
	if limit.Failures <= 0 { // one that was paused for another reason goes on when anything works
		if c.info.Quarantine == nil {
			return
		}
		limit.Failures = 100
	}
	if c.attempted == 0 {
		return
	}
	mostly := float64(c.failures)*100 >= limit.Failures*float64(c.attempted)
	switch {
	case mostly && (c.attempted >= limit.AtLeast || c.probing):
		message := fmt.Sprintf("%d of %d actions failed", c.failures, c.attempted)
		code := "mostly_failing"
		if len(c.report.Errors) > 0 {
			message += ", such as: " + c.report.Errors[len(c.report.Errors)-1].Message
		}
		c.quarantine(code, message)
	case c.info.Quarantine != nil && !mostly:
		c.lift()
	}
}

// liftIdle ends the quarantine of a sync whose probe found nothing to do and nothing left to retry:
// what failed is no longer due.
func (c *cycle) liftIdle() error {
	if !c.probing || c.attempted > 0 {
		return nil
	}
	return c.Tenant.View(func(tx *state.Tx) error {
		if failed, _ := tx.CountRetries(c.Sync.Name); failed == 0 {
			c.lift()
		}
		return nil
	})
}

// applyProbe tries a few actions of a paused sync. It tells how many of which phase were tried,
// and whether to go on.
func (c *cycle) applyProbe(ctx context.Context, total int) (tried part, goOn bool, err error) {
	for _, p := range phases {
		before := c.attempted
		tried = part{phase: p, to: probeSize}
		if err := c.applyPhase(ctx, tried, total); err != nil {
			return tried, false, err
		}
		if c.attempted == before {
			continue
		}
		c.judgeFailures()
		return tried, c.info.Quarantine == nil, nil
	}
	return tried, true, nil
}
