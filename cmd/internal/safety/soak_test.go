package safety

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
)

// A footprint is what a process takes.
type footprint struct {
	goroutines, descriptors int
	heap, state             int64
}

func (w *world) footprint() (f footprint) {
	w.t.Helper()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	f.heap, f.goroutines = int64(stats.HeapAlloc), runtime.NumGoroutine()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		w.t.Fatal(err)
	}
	f.descriptors = len(open)
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			w.t.Fatal(err)
		}
		f.state += info.Size()
	}
	return f
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KB heap, %d KB state", f.goroutines, f.descriptors, f.heap>>10, f.state>>10)
}

// Weeks of cycles every half hour, with people who join, move and leave, leave nothing
// behind: no goroutine, no descriptor, no memory, no growing file. It counts what the whole
// process has and so runs alone.
func TestSoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{history: reconcile.History{For: 5 * 24 * time.Hour}, guests: true, groups: true, concurrency: 4, pageSize: 20, membersPage: 20, onRemove: desired.OnRemove{Do: plan.Delete},
			guard: guard.Guard{FirstRunRemovals: true}})
		group := w.tenant.AddGroup(graphtest.Props{"displayName": "Everybody"})
		w.tenant.Assign(frontApp, group, "Viewer")
		var people []graphsync.ID
		for i := range 30 {
			people = append(people, w.tenant.AddUser(graphtest.Props{"userPrincipalName": fmt.Sprintf("user%d@contoso.example", i)}))
		}
		w.tenant.AddMember(group, people...)
		cycles := func(from, to int) {
			for i := from; i < to; i++ {
				time.Sleep(30 * time.Minute)
				switch {
				case i%10 == 0:
					w.tenant.RemoveMember(group, people[i/10%len(people)])
				case i%10 == 5:
					w.tenant.AddMember(group, people[i/10%len(people)])
				case i%3 == 0:
					w.tenant.Set(people[i%len(people)], "jobTitle", fmt.Sprint("Title ", i))
				}
				w.mustRun(reconcile.Options{Apply: true, Full: i%336 == 335})
				w.graph.Reset() // the servers remember every request
				w.front.Reset()
				w.log = lockedBuffer{}
			}
		}
		cycles(0, 500)
		before := w.footprint()
		cycles(500, 1200)
		after := w.footprint()
		t.Logf("after 500 cycles: %s", before)
		t.Logf("after 1,200 cycles: %s", after)
		if after.goroutines > before.goroutines+2 || after.descriptors > before.descriptors+2 {
			t.Error("goroutines or descriptors leak")
		}
		if after.heap > before.heap+(8<<20) || after.state > before.state*5/4 {
			t.Error("memory or the state grows")
		}
	})
}
