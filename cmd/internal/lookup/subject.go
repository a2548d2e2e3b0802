package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// Explain explains an object in each sync whose tenant has it. A key that no object has may be a part of the name
// or address of one; where it is that of several, the error names them.
func Explain(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject, visit func(*compile.Sync, *reconcile.Explanation) error) error {
	found, err := explainIn(ctx, w, syncs, subject, visit)
	if err != nil || found {
		return err
	}
	near, err := search(ctx, w, syncs, subject)
	switch {
	case err != nil:
		return err
	case len(near) == 1:
		subject.Key = near[0].ID.String()
		_, err = explainIn(ctx, w, syncs, subject, visit)
		return err
	}
	return notFound(subject, syncs, near)
}

// explainIn explains an object in each sync whose tenant has it, and reports whether one has.
func explainIn(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject, visit func(*compile.Sync, *reconcile.Explanation) error) (found bool, err error) {
	for _, s := range syncs {
		explanation, err := explainOne(ctx, w, s, subject)
		if errors.Is(err, reconcile.ErrUnknownSubject) {
			continue
		}
		if err == nil {
			err = visit(s, explanation)
		}
		if err != nil {
			return found, err
		}
		found = true
	}
	return found, nil
}

func explainOne(ctx context.Context, w *worker.Worker, s *compile.Sync, subject reconcile.Subject) (*reconcile.Explanation, error) {
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return nil, err
	}
	defer tenant.Close()
	return reconcile.Explain(ctx, s.Sync, tenant, subject, time.Now().UTC())
}

// nearMost is how many objects a message names that a key may have meant.
const nearMost = 10

// search finds the objects of the tenants whose name or address contains a key.
func search(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject) (found []reconcile.Match, err error) {
	searched := map[graphsync.ID]bool{}
	for _, s := range syncs {
		if searched[s.Tenant] || len(found) > nearMost {
			continue
		}
		searched[s.Tenant] = true
		tenant, err := w.Store.Tenant(s.Tenant)
		if err != nil {
			return nil, err
		}
		matches, err := reconcile.Search(ctx, tenant, subject.Key, nearMost+1-len(found), subject.Kind)
		tenant.Close()
		if err != nil {
			return nil, fmt.Errorf("search the snapshot of tenant %s: %w", s.TenantName, err)
		}
		found = append(found, matches...)
	}
	return found, ctx.Err()
}

// nearCode asks whether a key was meant to be one of the codes that explain knows, "" when it is like none.
func nearCode(key string) string {
	if near := target.Near(key, slices.Collect(maps.Keys(advice.Codes))); near != "" {
		return "did you mean the code " + near + "? "
	}
	return ""
}

// notFound is the error of a key that no object has, with those that come near.
func notFound(subject reconcile.Subject, syncs []*compile.Sync, near []reconcile.Match) error {
	if len(near) == 0 {
		return advice.With(fmt.Errorf("%s %q is not in the snapshot of %s", subject.Kind, subject.Key, TenantNames(syncs)),
			nearCode(subject.Key)+"the snapshot is as of the last plan or sync; try the object id, or run: entrasync plan")
	}
	var names []string
	for _, match := range near[:min(len(near), nearMost)] {
		name := match.Address
		if name == "" {
			name = match.Name
		}
		names = append(names, console.Printable(fmt.Sprintf("%s (%s)", name, match.ID)))
	}
	slices.Sort(names)
	more := ""
	if len(near) > nearMost {
		more = ", …"
	}
	return advice.With(fmt.Errorf("several %ss of %s contain %q: %s%s", subject.Kind, TenantNames(syncs), subject.Key, strings.Join(names, ", "), more),
		"name one by its object id")
}

// User presents a user of the snapshot as the first sync sees them whose tenant has them, with the tenant's default
// domain as far as it is known, and returns that sync. The source is good during the call of use only. A user whom
// several tenants have is an error.
func User(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, key string, use func(s *compile.Sync, source mapping.Source, domain string)) (*compile.Sync, error) {
	var seen *compile.Sync
	for _, s := range syncs {
		if seen != nil && seen.Tenant == s.Tenant {
			continue
		}
		visit := func(source mapping.Source, domain string) { use(s, source, domain) }
		if seen != nil {
			visit = func(mapping.Source, string) {}
		}
		err := userOf(ctx, w, s, key, visit)
		switch {
		case errors.Is(err, reconcile.ErrUnknownSubject):
			continue
		case err != nil:
			return nil, err
		case seen != nil:
			return nil, advice.With(fmt.Errorf("user %q is in the tenants %s and %s", key, seen.TenantName, s.TenantName), "choose one with --tenant")
		}
		seen = s
	}
	if seen == nil {
		return nil, advice.With(fmt.Errorf("user %q is not in the snapshot of %s", key, TenantNames(syncs)),
			"the snapshot is as of the last plan or sync; try the object id, or run: entrasync plan")
	}
	return seen, nil
}

func userOf(ctx context.Context, w *worker.Worker, s *compile.Sync, key string, use func(source mapping.Source, domain string)) error {
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return err
	}
	defer tenant.Close()
	id, err := reconcile.Find(ctx, tenant, reconcile.Subject{Kind: graphsync.User, Key: key})
	if err != nil {
		return err
	}
	return tenant.View(func(tx *state.Tx) error {
		source, err := reconcile.EvalSource(tx, s.Sync, id)
		if err != nil {
			return err
		}
		organization, _ := tx.Organization()
		use(source, organization.DefaultDomain)
		return nil
	})
}
