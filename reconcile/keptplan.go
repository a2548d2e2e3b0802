package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// keptPlanSpace holds the keptPlan of the last dry run whose plan the next cycle may apply as it stands.
const keptPlanSpace = "kept-plan"

// keptPlanLife is how long a plan is applied without being made again, at most.
const keptPlanLife = 30 * time.Minute

var keptPlanKey = []byte("plan")

// A keptPlan is what the actions of a plan were made from, and what making them had to say. It fits when nothing
// that it was made from has changed.
type keptPlan struct {
	At       time.Time      `json:"at"`
	Program  string         `json:"program"`
	Config   string         `json:"config"`
	App      string         `json:"app"`
	Location state.Location `json:"location"`
	State    uint64         `json:"state"`  // the commit of the tenant's state that keeps it
	Claims   uint64         `json:"claims"` // of the registry
	Target   string         `json:"target"` // version of the application's content
	Cycle    Cycle          `json:"cycle"`
	Counts   Summary        `json:"counts"`
	Notes    []string       `json:"notes"`
}

// A planKeeper lets the first cycle of a sync apply the plan that was just made for it, without making it again. Only
// plans for a sync without links are kept: those that cost the most, and that depend on the fewest things. An
// application that cannot say whether its content changed is always asked again about every account.
type planKeeper struct {
	sync     *Sync
	opts     Options
	now      time.Time
	interval time.Duration
	store    *state.Store
	tenant   *state.Tenant
	target   target.Adapter
	info     *state.SyncInfo
	ledger   *ledger
	findings *findings
}

// circumstances are what a plan depends on other than the state of its tenant. known is false when they cannot be told.
func (k *planKeeper) circumstances(ctx context.Context) (now keptPlan, known bool, err error) {
	versioned, ok := k.target.(target.Versioned)
	if !ok || k.sync.readsClock() || k.sync.dated() {
		return now, false, nil
	}
	now = keptPlan{At: k.now, Program: program(), Config: k.sync.Hash(), App: k.sync.AppID, Location: k.sync.location()}
	if now.Target, known, err = versioned.Version(ctx); err != nil || !known {
		return now, false, nil // the cycle asks the application itself, and says what is wrong
	}
	sum := sha256.Sum256([]byte(now.Target)) // a version may be made from what the accounts hold, which is not kept
	now.Target = hex.EncodeToString(sum[:])
	now.Claims, known, err = k.store.Accounts().Number()
	return now, known, err
}

// program tells one build of the program from another.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	text := info.GoVersion + " " + info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" || setting.Key == "vcs.modified" {
			text += " " + setting.Value
		}
	}
	return text
}

// keep ends a dry run: it notes what the plan was made from, when that is little enough.
func (k *planKeeper) keep(ctx context.Context) error {
	if k.opts.Apply || k.opts.Full || k.opts.Removals || k.opts.partial() || !k.findings.all || k.findings.moved || k.findings.clock || k.findings.untimely != "" {
		return nil
	}
	kept, known, err := k.circumstances(ctx)
	if err != nil || !known {
		return err
	}
	l := k.ledger
	if l.failures+l.unlinked > 0 || l.counts.Held+l.counts.Rejected > 0 || k.info.Quarantine != nil || k.info.Moving {
		return nil
	}
	if was := k.info.Location; was.ID != "" && was != kept.Location {
		return nil
	}
	return k.tenant.Update(func(tx *state.Tx) error {
		if !pristine(tx, k.sync.Name) {
			return nil
		}
		kept.State, kept.Cycle, kept.Counts, kept.Notes = tx.Number(), k.findings.kind, l.counts, l.report.Notes
		return tx.Space(k.sync.Name, keptPlanSpace).Put(keptPlanKey, plan.Encode(&kept))
	})
}

// pristine reports whether a sync has no accounts yet, and nothing from earlier cycles that a plan would depend on.
func pristine(tx *state.Tx, sync string) bool {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		if linked, _ := tx.Links(sync).Count(kind); linked > 0 {
			return false
		}
	}
	if failed, skipped := tx.Retries(sync).Count(); failed+skipped > 0 || guard.DecisionsIn(tx, sync).Count() > 0 {
		return false
	}
	for range tx.Intents(sync).All() {
		return false
	}
	for range tx.Holds(sync).All() {
		return false
	}
	for _, name := range []string{
		undoSpace, plan.HeldSpace, plan.RejectedSpace, plan.DetachedSpace, plan.MismatchSpace, orphanSpace, foundSpace, checkSpace,
		parkedSpace, lostSpace, offSpace, stillActiveSpace, formerSpace, transferOfferSpace,
	} {
		if tx.Space(sync, name).Count() > 0 {
			return false
		}
	}
	return true
}

// take looks whether the plan that was kept is the one that this cycle would make. From then on the steps that would
// make it have nothing to do.
func (k *planKeeper) take(ctx context.Context) error {
	if !k.opts.Apply || k.opts.Full || k.opts.Removals || k.opts.partial() || k.opts.Expect != nil || k.findings.untimely != "" || k.info.Quarantine != nil {
		return nil
	}
	now, known, err := k.circumstances(ctx)
	if err != nil || !known {
		return err
	}
	var kept keptPlan
	fits := false
	err = k.tenant.View(func(tx *state.Tx) error {
		raw := tx.Space(k.sync.Name, keptPlanSpace).Get(keptPlanKey)
		if raw == nil {
			return nil
		}
		if err := plan.Decode(raw, &kept); err != nil {
			return err
		}
		now.State = tx.Number()
		fits = kept.sameAs(now, k.life())
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for the plan of sync %s that was made before: %w", k.sync.Name, err)
	}
	if !fits {
		return nil
	}
	k.findings.kept, k.findings.all, k.findings.kind = true, true, kept.Cycle
	k.ledger.counts = kept.Counts
	for _, note := range kept.Notes {
		k.ledger.note("%s", note)
	}
	k.ledger.report.PlanOf = kept.At.Format(time.RFC3339)
	k.ledger.log.Info("the plan made before still fits and is applied", "sync", k.sync.Name, "tenant", k.sync.Tenant, "made_at", k.ledger.report.PlanOf)
	return nil
}

// life is how old a plan may be.
func (k *planKeeper) life() time.Duration {
	if k.interval > 0 {
		return min(k.interval, keptPlanLife)
	}
	return keptPlanLife
}

// sameAs reports whether a plan that was kept is of the present circumstances. One of the future is not: the clock
// was set back.
func (p keptPlan) sameAs(now keptPlan, life time.Duration) bool {
	age := now.At.Sub(p.At)
	return age >= 0 && age <= life && p.Program == now.Program && p.Config == now.Config && p.App == now.App && p.Location == now.Location &&
		p.State == now.State && p.Claims == now.Claims && p.Target == now.Target
}

// unlessKept is a step that makes a plan, which a plan that fits makes unnecessary.
func (k *planKeeper) unlessKept(step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if k.findings.kept {
			return nil
		}
		return step(ctx)
	}
}
