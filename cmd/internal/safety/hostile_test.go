package safety

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/target/file"
)

// People and groups may be called anything. What they are called is a value, never a part of a
// filter, a header or a line of the log.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		w := newWorld(t, settings{all: true, guests: true, groups: true, concurrency: 4, pageSize: 7, membersPage: 50, onRemove: desired.OnRemove{Do: plan.Deactivate}})
		w.watch.leave(w.front.Seed(t, map[string]any{"userName": "root@example.com", "displayName": "Root"}))
		for i, name := range []string{
			`a" or userName pr or userName eq "x`, `b\" or userName sw "r`, `c" and (active eq true)`, "d\r\nAuthorization: Bearer x", "e\nlevel=ERROR msg=\"all gone\"",
			"f\x00null", "g\u202egnp.exe", "h<script>alert(1)</script>", "i/../../Users/root", "j?filter=x&count=0#y", "k%2e%2e%2f", "l'; drop table users; --",
			"m" + strings.Repeat("\U0001F9D1\u200d", 300), "root@example.com ", "n\u001b[31mred", "o{{.}}${HOME}", "p\\u0000",
		} {
			id := w.tenant.AddUser(graphtest.Props{"userPrincipalName": name, "displayName": name, "jobTitle": name})
			group := w.tenant.AddGroup(graphtest.Props{"displayName": fmt.Sprint(i, name)}, id)
			w.tenant.Assign(frontApp, group, "Viewer")
		}
		w.tenant.AddUser(graphtest.Props{"userPrincipalName": "long@contoso.example", "displayName": strings.Repeat("A", 1<<20)})
		report, err := w.run(reconcile.Options{Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		excused := map[string]string{}
		for _, e := range report.Errors {
			excused[e.SourceID.String()] = e.Code
			t.Logf("%s %.40q: %s: %.100s", e.Op, e.Key, e.Code, e.Message)
		}
		for _, s := range report.Skipped {
			excused[s.SourceID.String()] = s.Code
			t.Logf("skipped %.40q: %s %.100s", s.Key, s.Code, s.Why)
		}
		if len(excused) > 4 {
			t.Errorf("%d of 35 could not be provisioned", len(excused))
		}
		if differences := append(w.watch.reported, w.differences(excused)...); len(differences) > 0 {
			t.Errorf("%.3000s", strings.Join(differences, "\n"))
		}
		for line := range strings.Lines(w.log.String()) {
			if !strings.HasPrefix(line, "time=") || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\x00\x1b") {
				t.Errorf("a line of the log is a user's name: %.100q", line)
			}
		}
	})
}

// Groups that contain each other end nowhere, and everybody in them is reached.
func TestCyclicGroups(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		w := newWorld(t, settings{nested: true, guests: true, concurrency: 1, pageSize: 3, membersPage: 2, onRemove: desired.OnRemove{Do: plan.Deactivate}})
		var ring []graphsync.ID
		for i := range 8 {
			id := w.tenant.AddUser(graphtest.Props{"userPrincipalName": fmt.Sprintf("user%d@contoso.example", i)})
			ring = append(ring, w.tenant.AddGroup(graphtest.Props{"displayName": fmt.Sprint("Ring ", i)}, id))
		}
		for i, group := range ring {
			w.tenant.AddMember(group, ring[(i+1)%len(ring)], group)
		}
		w.tenant.Assign(frontApp, ring[3], "Viewer")
		w.mustRun(reconcile.Options{Apply: true})
		if n := len(w.working()); n != 8 {
			t.Errorf("%d of 8 people of the ring have an account", n)
		}
		if differences := append(w.differences(nil), w.leavers(nil)...); len(differences) > 0 {
			t.Error(strings.Join(differences, "\n"))
		}
	})
}

// A group of 20,000 is provisioned, and losing half of its members is held.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	const size = 20_000
	percent := 30.0
	w := newWorld(t, settings{all: true, guests: true, groups: true, concurrency: 8, pageSize: 999, membersPage: 2000,
		onRemove: desired.OnRemove{Do: plan.Deactivate}, guard: guard.Guard{MembersRemoved: guard.Limit{Percent: &percent}}})
	people := make([]graphsync.ID, size)
	for i := range people {
		people[i] = w.tenant.AddUser(graphtest.Props{"userPrincipalName": fmt.Sprintf("user%d@contoso.example", i)})
	}
	everybody := w.tenant.AddGroup(graphtest.Props{"displayName": "Everybody"}, people...)
	w.tenant.Assign(frontApp, everybody, "")
	adapter, err := file.New(file.Config{Path: filepath.Join(t.TempDir(), "people.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	s := w.syncer()
	s.Target, s.Log = adapter, slog.New(slog.DiscardHandler)
	run := func() *reconcile.Report {
		began := time.Now()
		report, err := s.Run(t.Context(), reconcile.Options{Apply: true})
		if err != nil || len(report.Errors) > 0 {
			t.Fatal(err, report.Errors)
		}
		t.Logf("%+v in %v", report.Summary, time.Since(began).Round(time.Millisecond))
		return report
	}
	if got := run().Summary; got.Create != size+1 || got.Members != size/5000 {
		t.Errorf("the first cycle: %+v", got)
	}
	w.tenant.RemoveMember(everybody, people[:size/2]...)
	if got := run().Summary; got.Members != 0 || got.Held == 0 {
		t.Errorf("half of the members left: %+v", got)
	}
	w.tenant.AddMember(everybody, people[:size/2]...)
	if got := run().Summary; got.Changes() != 0 || got.Held != 0 {
		t.Errorf("they are back: %+v", got)
	}
}
