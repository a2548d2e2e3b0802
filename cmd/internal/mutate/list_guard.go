package main

import "slices"

// Guards, holds, answers to them, quarantine.
var guarding = slices.Concat(
	in("reconcile/review.go",
		fault{"GRD1", "an empty read removes everybody", `if f.emptyRead != "" {`, `if false {`},
		fault{"GRD2", "an application without assignments is no empty read", `case !g.sync.Scope.All && tx.Assignments(g.sync.AppID).Count() == 0:`, `case false:`},
		fault{"GRD3", "removals of a first run pass", `if f.unverified || r.info.FirstRun.IsZero() && !g.FirstRunRemovals {
			return guard.FirstRun, a.Cause
		}`, ``},
		fault{"GRD4", "the removals guard does not hold", `if g.Removals.Exceeds(f.removals+f.before, f.linked+f.before) {`, `if false {`},
		fault{"GRD5", "removals_per_day does not hold", `if g.RemovalsPerDay.Exceeds(`, `if false && g.RemovalsPerDay.Exceeds(`},
		fault{"GRD6", "removals_per_day counts this cycle alone", `g.RemovalsPerDay.Exceeds(f.removals+f.recent, f.linked+f.recent)`, `g.RemovalsPerDay.Exceeds(f.removals, f.linked)`},
		fault{"GRD7", "the creations guard does not hold", `case a.Op == plan.Create && g.Creations.Exceeds(f.creations, f.linked):`, `case false:`},
		fault{"GRD8", "the updates guard does not hold", `case a.Op == plan.Update && g.Updates.OfUpdates(f.linked).Exceeds(f.updates, f.linked+f.adopted),`, `case false,`},
		fault{"GRD9", "the updates guard holds small applications", `g.Updates.OfUpdates(f.linked).Exceeds(f.updates`, `g.Updates.Exceeds(f.updates`},
		fault{"GRD10", "members of a group that existed leave it in the first run", `return guard.FirstRun, a.Cause // of a group`, `return "", "" // of a group`},
		fault{"GRD40", "what removals cycles took away does not count", `g.Removals.Exceeds(f.removals+f.before, f.linked+f.before)`, `g.Removals.Exceeds(f.removals, f.linked)`},
		fault{"GRD11", "members_removed does not hold", `if g.MembersRemoved.Exceeds(removed, total) {`, `if false {`},
		fault{"GRD12", "a group is emptied without an answer", `removed >= guard.Smallest && removed == total`, `false && removed == total`},
		fault{"GRD13", "the last administrators are lost without an answer", `case f.losing[a.SourceID] && len(f.losing) >= f.administrators:`, `case false:`},
		fault{"GRD14", "one of several administrators cannot leave", `len(f.losing) >= f.administrators`, `true`},
		fault{"GRD19", "a guard that a match raised is ignored", `if a.Held != nil {
		return a.Held.Guard, a.Held.Cause
	}`, ``},
		fault{"GRD20", "removals of a day ago count for ever", `if g.now.Sub(past.At) < window {`, `if true {`},
		fault{"GRD21", "an approved removal is counted again by removals_per_day", `if a.Op.Removes() && !a.Approved && !a.Again {`, `if a.Op.Removes() && !a.Again {`},
		fault{"GRD22", "who joins waits for an answer about who leaves", `return joins, leaves, guard != ""`, `return joins, leaves, false && guard != ""`},
		fault{"REV1", "what was held passes when the number falls", `if guard == "" && a.Op != plan.Members { // who leaves a group is remembered by person
		guard, cause = r.lastHolds.before(r.tx, key, a)
	}`, ``},
		fault{"REV2", "a hold outlives a change of the limits", `return !h.opts.partial() && h.info.Guard == h.sync.Guard.Text()`, `return !h.opts.partial()`},
		fault{"REV3", "a hold keeps its id when it holds something else", `!ok || before.Code != hold.Code {`, `!ok {`},
		fault{"REV4", "a rejected action is carried out", `return true, r.reject(planned, key, a, d)`, `return true, planned.Put(key, a)`},
		fault{"REV5", "an on-demand run rewrites the holds of the whole sync", `r.ledger.report.held, r.ledger.report.holds = r.opts.heldSpace(), map[string]string{}
	if r.opts.partial() {`, `r.ledger.report.held, r.ledger.report.holds = r.opts.heldSpace(), map[string]string{}
	if false {`},
		fault{"REV6", "a hold whose cause went away stays", `for _, hold := range known {
		if err := r.tx.Holds(r.sync.Name).Delete(hold.ID); err != nil {
			return err
		}
	}`, ``},
		fault{"REV7", "a held action is still carried out", `a.Held = &plan.StoredHold{Guard: guard, Cause: cause}
	r.hold(key, a)`, `r.hold(key, &plan.StoredAction{Action: a.Action, Held: &plan.StoredHold{Guard: guard, Cause: cause}})`},
		fault{"REV8", "an action that is held again after a change keeps its hold without being judged", `last.Held.Guard == guards.Drift || last.Divergence(a) != ""`, `last.Held.Guard == guards.Drift`},
		fault{"REV10", "whose leaving a group is held leaves when another user does", `if !held {
			passes.Remove`, `if true || held {
			passes.Remove`},
		fault{"REV11", "who leaves a group waits with those whose leaving is held", `if !held {
			passes.Remove`, `if !held && len(before) == 0 {
			passes.Remove`},
		fault{"REV9", "what was held before and is released is shown as held", `return r.dropReleased()`, `return nil`},
	),
	in("reconcile/approval.go",
		fault{"APV3", "a dry run forgets answers", `if !d.opts.Apply || d.plan.Has(key) {`, `if d.plan.Has(key) {`},
		fault{"APV4", "an answer outlives the action when it is no longer due", `if !d.opts.Apply || d.plan.Has(key) {`, `if true {`},
	),
	in("reconcile/administrators.go",
		fault{"ADM1", "an update that takes the role away loses no administrator", `if a.Op.Removes() || !filter.Match(attributes) {`, `if a.Op.Removes() {`},
		fault{"ADM2", "inactive administrators count", `if link.Active && sync.Guard.Administrators.Match`, `if sync.Guard.Administrators.Match`},
		fault{"ADM3", "the leaving of an inactive administrator counts as a loss", `if err != nil || !ok || !link.Active {`, `if err != nil || !ok {`},
		fault{"ADM4", "a leaver is no loss", `if a.Op.Removes() || !filter.Match(attributes) {`, `if !filter.Match(attributes) {`},
	),
	in("reconcile/protect.go",
		fault{"PRO1", "a protected account is changed", `return pr.sync.Scope.Protects(r), nil`, `return false, nil`},
		fault{"PRO2", "an account that cannot be looked at is changed though it may be protected", `return inspection{unseen: err}, nil`, `return inspection{}, nil`},
		fault{"PRO3", "leavers are not looked at for protection", `[]plan.Phase{plan.LeavePhase, plan.UserPhase}`, `[]plan.Phase{plan.UserPhase}`},
		fault{"PRO4", "updates are not looked at for protection", `[]plan.Phase{plan.LeavePhase, plan.UserPhase}`, `[]plan.Phase{plan.LeavePhase}`},
		fault{"PRO5", "a target that cannot show accounts lets protected ones be changed", `return false, fmt.Errorf("scope.protect: target %s cannot show an account, so no account can be protected", pr.sync.TargetName)`, `return false, nil`},
	),
	in("reconcile/quarantine.go",
		fault{"QUA1", "a scheduled cycle does not wait for the probe", `if k.opts.Scheduled && k.now.Before(q.NextProbe) {`, `if false {`},
		fault{"QUA2", "a paused sync applies everything at once", `k.probing = true
		return nil`, `return nil`},
		fault{"QUA3", "the waits between probes do not grow", `15*time.Minute<<min(q.Probes, 10)`, `15*time.Minute`},
		fault{"QUA4", "a refused credential does not pause the sync", `case errors.As(cause, &failure) && failure.Code.Stops():`, `case false:`},
		fault{"QUA5", "a silent target does not pause the sync", `case errors.As(cause, &silent):`, `case false && errors.As(cause, &silent):`},
		fault{"QUA6", "a sync that mostly fails is not paused", `case mostly && (k.ledger.attempted >= limit.AtLeast || k.probing):`, `case false:`},
		fault{"QUA7", "one failure of one pauses the sync whatever at_least says", `(k.ledger.attempted >= limit.AtLeast || k.probing)`, `true`},
		fault{"QUA8", "a probe that works does not end the quarantine", `case k.info.Quarantine != nil && !mostly:
		k.clear()`, ``},
		fault{"QUA9", "a probe with nothing to do does not end the quarantine", `if failed, _ := tx.Retries(k.sync.Name).Count(); failed == 0 {
			k.clear()
		}`, ``},
		fault{"QUA10", "a target that still does not work is sent changes", `return fmt.Errorf("target %s still does not work: %w", k.sync.TargetName, err)`, `_ = err`},
		fault{"QUA11", "a failed probe does not stop the rest", `return tried, ap.info.Quarantine == nil, nil`, `return tried, true, nil`},
		fault{"QUA12", "a dry run pauses the sync", `if !k.findings.known || !k.opts.Apply {`, `if !k.findings.known {`},
	),
	in("reconcile/breaker.go",
		fault{"SIL1", "a target that has never answered is asked for every record", `n >= maxFailures || n >= maxFailuresAtStart && !b.answered.Load()`, `n >= maxFailures`},
		fault{"SIL2", "a target that has stopped answering is asked for every record", `n >= maxFailures || n >= maxFailuresAtStart && !b.answered.Load()`, `n >= maxFailuresAtStart && !b.answered.Load()`},
		fault{"SIL3", "a few look-ups that fail end the cycle though the target answers", `_, err = b.target.Probe(ctx, b.sync.Paths())
	switch {`, `switch {`},
		fault{"SIL4", "an answer between failures does not count", `b.answered.Store(true)
		b.unanswered.Store(0)
		return false`, `return false`},
	),
	in("reconcile/desired/rules.go",
		fault{"PRO6", "only the first filter of scope.protect counts", `if filter.Match(r.Attributes) {
			return true
		}`, `return filter.Match(r.Attributes)`},
	),
	in("reconcile/guard/limits.go",
		fault{"GRD15", "a limit holds what equals it", `if l.Count != nil && n > *l.Count {`, `if l.Count != nil && n >= *l.Count {`},
		fault{"GRD16", "a percentage lets one more pass", `float64(n)*100 > *l.Percent*float64(total)`, `float64(n-1)*100 > *l.Percent*float64(total)`},
		fault{"GRD17", "a percentage of 0 lets two pass", `(n >= Smallest || *l.Percent == 0)`, `n >= Smallest`},
		fault{"GRD18", "a percentage holds a single removal of a few", `(n >= Smallest || *l.Percent == 0)`, `true`},
	),
	in("reconcile/guard/decision.go",
		fault{"APV1", "an approval lets pass whatever is due now", `return d.Action.Divergence(a)
}`, `return ""
}`},
	),
	in("reconcile/guard/approval.go",
		fault{"APV2", "approving a hold approves all holds", `return ok && a.Held.Guard == hold.Guard && a.Held.Cause == hold.Cause`, `return ok && a.Held.Guard == hold.Guard`},
		fault{"APV5", "rejecting approves", `return decideHold(tx, sync, hold, Rejected, by)`, `return decideHold(tx, sync, hold, Approved, by)`},
		fault{"APV6", "an answered hold can be answered again", `return len(keys), tx.Holds(sync).Delete(id)`, `return len(keys), nil`},
	),
)
