package state

import (
	"fmt"
	"testing"
	"time"
)

// The log of the service loses what is older than it is kept, and stays a chain that says so. Where nothing is old
// enough, nothing is written.
func TestServiceAuditPruned(t *testing.T) {
	t.Parallel()
	store, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log := store.Audit()
	for n := range 900 {
		if n%300 == 0 {
			entries := make([]AuditEntry, 300)
			for i := range entries {
				entries[i] = AuditEntry{At: auditStart.Add(time.Duration(n+i) * time.Hour), Event: "configuration", Result: "loaded", Actor: Actor{Kind: ActorService}, About: []byte(`{}`)}
			}
			if err := log.Append(entries...); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func() (c AuditCheck) {
		t.Helper()
		if err := log.View(func(a Audit) error { c = a.Verify(); return nil }); err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := check()
	for range 2 {
		if err := log.Prune(auditStart, auditStart.Add(-time.Hour), 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := check(); fmt.Sprint(got) != fmt.Sprint(before) || got.First != 1 {
		t.Errorf("pruned of what is not old: %+v, before %+v", got, before)
	}
	for range 2 {
		if err := log.Prune(auditStart, auditStart.Add(700*time.Hour), 0); err != nil {
			t.Fatal(err)
		}
	}
	after := check()
	if len(after.Faults) > 0 || after.First < 400 || after.First > 702 || after.Last != before.Last+1 {
		t.Errorf("%+v, before %+v", after, before)
	}
}
