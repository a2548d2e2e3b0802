// Package links is what the links commands do and print: they list links, and break, set and pin single ones.
//
// What a link is, and what may be done to it, is decided in package reconcile. This package finds which sync a command
// line means, has the change made when no cycle of the tenant runs, and prints the result. It promises that a name which
// several syncs or tenants have is an error and never a guess.
package links

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Change is what a command line asks for.
type Change struct {
	Subject reconcile.Subject
	Account string // to link; of set alone
	Reason  string
	By      state.Actor
	Waiting func(s *compile.Sync) // is called before the turn of a sync's tenant is waited for
}

// decision is who asks, when and why.
func (c *Change) decision() plan.Decision {
	return plan.Decision{By: c.By.Name, Via: c.By.Kind, Reason: strings.TrimSpace(c.Reason), At: time.Now().UTC().Truncate(time.Second)}
}

// A found is a sync whose tenant has the subject.
type found struct {
	sync *compile.Sync
	id   graphsync.ID
	link *reconcile.LinkedObject
}

// find returns the syncs whose tenants have the subject, or that keep a link of it.
func find(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject) (all []found, err error) {
	for _, s := range syncs {
		f, err := findIn(ctx, w, s, subject)
		if err != nil {
			return nil, fmt.Errorf("sync %s, tenant %s: %w", s.Name, s.TenantName, err)
		}
		if f.link != nil {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil, advice.With(fmt.Errorf("%s %q is not in the snapshot of %s", subject.Kind, subject.Key, lookup.TenantNames(syncs)),
			"name it by its user principal name, address or object id; the snapshot is as of the last plan or sync")
	}
	return all, nil
}

func findIn(ctx context.Context, w *worker.Worker, s *compile.Sync, subject reconcile.Subject) (f found, err error) {
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return f, err
	}
	defer tenant.Close()
	f.sync = s
	id, err := graphsync.ParseID(subject.Key)
	if err != nil {
		if id, err = reconcile.Find(ctx, tenant, subject); errors.Is(err, reconcile.ErrUnknownSubject) {
			return f, nil
		}
	}
	if err != nil {
		return f, err
	}
	f.id = id
	f.link, err = reconcile.ShowLink(s.Sync, tenant, subject.Kind, id)
	return f, err
}

// one returns the only one of what was found, or an error that names all.
func one(all []found, subject reconcile.Subject, what string) (found, error) {
	if len(all) == 1 {
		return all[0], nil
	}
	var names []string
	for _, f := range all {
		names = append(names, fmt.Sprintf("sync %s of tenant %s", f.sync.Name, f.sync.TenantName))
	}
	return found{}, advice.With(fmt.Errorf("%s %q %s in several: %s", subject.Kind, subject.Key, what, strings.Join(names, ", ")), "name one with --sync and --tenant")
}

// linked are those of what was found with an account, or with one that was chosen.
func linked(all []found) (some []found) {
	for _, f := range all {
		if f.link.TargetID != nil || f.link.Chosen != nil {
			some = append(some, f)
		}
	}
	return some
}

// turn returns what works with one sync when no cycle of its tenant runs.
func turn(ctx context.Context, w *worker.Worker, s *compile.Sync, waiting func(*compile.Sync)) (*reconcile.Syncer, func(), error) {
	waiting(s)
	return w.Syncer(ctx, s, nil)
}

// Break breaks the link of the subject, or drops the choice of an account that is not linked yet.
func Break(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, c Change) (*Outcome, error) {
	all, err := find(ctx, w, syncs, c.Subject)
	if err != nil {
		return nil, err
	}
	some := linked(all)
	if len(some) == 0 {
		some = all
	}
	f, err := one(some, c.Subject, "has a link")
	if err != nil {
		return nil, err
	}
	syncer, release, err := turn(ctx, w, f.sync, c.Waiting)
	if err != nil {
		return nil, err
	}
	defer release()
	broken, err := syncer.BreakLink(c.Subject.Kind, f.id, c.decision())
	if err != nil {
		return nil, explained(f.sync, f.link.Key, err)
	}
	return outcome(w, f, "broken", broken.Account)
}

// Set links the subject to an account: it is verified and chosen, and a cycle on demand for the subject plans and
// applies what follows.
func Set(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, c Change) (*Outcome, error) {
	all, err := find(ctx, w, syncs, c.Subject)
	if err != nil {
		return nil, err
	}
	f, err := one(all, c.Subject, "is provisioned")
	if err != nil {
		return nil, err
	}
	syncer, release, err := turn(ctx, w, f.sync, c.Waiting)
	if err != nil {
		return nil, err
	}
	defer release()
	chosen, already, err := syncer.SetLink(ctx, c.Subject.Kind, f.id, c.Account, c.decision())
	if err != nil {
		return nil, explained(f.sync, f.link.Key, err)
	}
	if already {
		return outcome(w, f, "linked", chosen.Account)
	}
	end, err := w.Begin(syncer, worker.ByCommand)
	if err != nil {
		return nil, err
	}
	subject := reconcile.Subject{Kind: c.Subject.Kind, Key: f.id.String()}
	report, err := syncer.Run(ctx, reconcile.Options{Apply: f.sync.Paused == "", Subject: &subject, Actor: c.By})
	end(ctx, err)
	done, outErr := outcome(w, f, "chosen", chosen.Account)
	if outErr != nil {
		return nil, errors.Join(err, outErr)
	}
	if done.Report = report; done.State != reconcile.LinkNone && done.TargetID != nil && *done.TargetID == chosen.Account {
		done.Done = "linked"
	}
	if err != nil { // the choice stands
		done.Failure = worker.RunError(f.sync, report, err).Error()
	}
	if f.sync.Paused != "" {
		done.Failure = "the tenant is paused " + f.sync.Paused
	}
	return done, nil
}

// Pin has nothing change the account of the subject, in each of the syncs that keep one, or, where none does, in all.
func Pin(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, c Change) ([]*Outcome, error) {
	all, err := find(ctx, w, syncs, c.Subject)
	if err != nil {
		return nil, err
	}
	if some := linked(all); len(some) > 0 {
		all = some
	}
	return each(w, all, "pinned", func(f found, tenant *state.Tenant) error {
		_, err := reconcile.Pin(tenant, f.sync.Sync, c.Subject.Kind, f.id, c.decision())
		return err
	})
}

// Unpin lets the next cycle carry out what is due to the subject, in each of the syncs in which it is pinned.
func Unpin(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, c Change) ([]*Outcome, error) {
	all, err := find(ctx, w, syncs, c.Subject)
	if err != nil {
		return nil, err
	}
	var some []found
	for _, f := range all {
		if f.link.Pinned != nil {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		return nil, advice.With(fmt.Errorf("%s %q is not pinned", c.Subject.Kind, c.Subject.Key), "list what is pinned: entrasync links list --pinned")
	}
	return each(w, some, "unpinned", func(f found, tenant *state.Tenant) error {
		_, err := reconcile.Unpin(tenant, f.sync.Sync, c.Subject.Kind, f.id, c.decision())
		return err
	})
}

func each(w *worker.Worker, all []found, done string, do func(f found, tenant *state.Tenant) error) (outcomes []*Outcome, err error) {
	for _, f := range all {
		tenant, err := w.Store.Tenant(f.sync.Tenant)
		if err != nil {
			return outcomes, err
		}
		err = do(f, tenant)
		tenant.Close()
		if err != nil {
			return outcomes, explained(f.sync, f.link.Key, err)
		}
		o, err := outcome(w, f, done, "")
		if err != nil {
			return outcomes, err
		}
		o.Running = w.Busy(f.sync.Tenant)
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

// explained adds to an error of a change where it was and what to do next.
func explained(s *compile.Sync, key string, err error) error {
	next := ""
	switch {
	case errors.Is(err, reconcile.ErrPinned):
		next = "unpin it first: entrasync links unpin " + key
	case errors.Is(err, reconcile.ErrNotLinked):
		next = "see what is known of it: entrasync links show " + key
	case errors.Is(err, reconcile.ErrRefused):
		next = "see whose the account is: entrasync discover " + s.Name
	}
	return advice.With(fmt.Errorf("sync %s, tenant %s: %s: %w", s.Name, s.TenantName, key, err), next)
}

// outcome reads how the subject stands after a change.
func outcome(w *worker.Worker, f found, done, account string) (*Outcome, error) {
	o := &Outcome{Format: "entrasync/link/1", Done: done, Account: account, place: place{Sync: f.sync.Name, Tenant: f.sync.Tenant, TenantName: f.sync.TenantName}}
	tenant, err := w.Store.Tenant(f.sync.Tenant)
	if err != nil {
		return nil, err
	}
	defer tenant.Close()
	shown, err := reconcile.ShowLink(f.sync.Sync, tenant, f.link.Kind, f.id)
	if err != nil {
		return nil, err
	}
	if shown == nil {
		shown = f.link
	}
	o.LinkedObject = *shown
	return o, nil
}
