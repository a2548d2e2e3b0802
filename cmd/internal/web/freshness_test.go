package web_test

import (
	"regexp"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// How far a sync is behind is told by the last read of the directory and by the oldest removal that fails.
func TestFreshness(t *testing.T) {
	t.Parallel()
	removal := state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: id(7)}, Code: "target_unavailable", Op: string(plan.Deactivate), First: now.Add(-3 * time.Hour), Next: now.Add(time.Hour), Attempts: 3}
	update := removal
	update.Op = string(plan.Update)
	skipped := removal
	skipped.Skipped = true
	for name, test := range map[string]struct {
		objective, access time.Duration // access: how long ago the last removals cycle began, 0 for none
		cycle             time.Duration // how long ago the last one on schedule began, 0 for none
		retries           []state.Retry
		behind            time.Duration
		said              string // "" for nothing
		missed            bool
	}{
		"no objective":                {behind: 20 * time.Minute, cycle: 20 * time.Minute},
		"no cycle yet":                {objective: 10 * time.Minute},
		"kept by removals cycles":     {objective: 10 * time.Minute, cycle: 20 * time.Minute, access: time.Minute, behind: time.Minute, said: "at most 1 minute behind"},
		"kept by cycles on schedule":  {objective: time.Hour, cycle: 20 * time.Minute, behind: 20 * time.Minute, said: "at most 20 minutes behind"},
		"a later cycle on schedule":   {objective: time.Hour, cycle: 20 * time.Minute, access: 30 * time.Minute, behind: 20 * time.Minute, said: "at most 20 minutes behind"},
		"no cycle came":               {objective: 10 * time.Minute, cycle: 20 * time.Minute, behind: 20 * time.Minute, said: "at most 20 minutes behind", missed: true},
		"a removal fails":             {objective: 10 * time.Minute, cycle: 20 * time.Minute, access: time.Minute, retries: []state.Retry{removal}, behind: 3 * time.Hour, said: "at most 3 hours behind", missed: true},
		"an update fails":             {objective: 10 * time.Minute, cycle: 20 * time.Minute, access: time.Minute, retries: []state.Retry{update}, behind: time.Minute, said: "at most 1 minute behind"},
		"a record cannot be provided": {objective: 10 * time.Minute, cycle: 20 * time.Minute, access: time.Minute, retries: []state.Retry{skipped}, behind: time.Minute, said: "at most 1 minute behind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			sync := b.sync("front", "contoso", 1)
			sync.Freshness = test.objective
			if test.cycle > 0 {
				b.run(sync, test.cycle, reconcile.Report{Result: reconcile.OK})
			}
			if test.access > 0 {
				sync.AccessRead = now.Add(-test.access)
			}
			for _, retry := range test.retries {
				b.write(sync.Tenant, func(tx *state.Tx) error { return tx.Retries(sync.Name).Put(retry) })
			}
			status := b.pages.Statuses(t.Context())[0]
			if status.Behind != test.behind || status.Freshness != test.objective {
				t.Errorf("%v behind, objective %v; want %v and %v", status.Behind, status.Freshness, test.behind, test.objective)
			}
			page := b.get("/syncs/front/contoso").Body.String()
			said := regexp.MustCompile(`<dt>Freshness</dt><dd>(<span class="badge[^>]*>Behind</span> )?([^;<]*) the directory`).FindStringSubmatch(page)
			switch {
			case test.said == "" && said != nil, test.said != "" && said == nil:
				t.Errorf("the page says %q, want %q", said, test.said)
			case said != nil && (said[2] != test.said || (said[1] != "") != test.missed):
				t.Errorf("the page says %q, want %q, missed %v", said, test.said, test.missed)
			}
		})
	}
}
