package safety

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/state"
)

// The state is a memory, not the truth: when it is lost or damaged, links are found again, and
// no account is touched because of it.
func TestStateLost(t *testing.T) {
	t.Parallel()
	garbage := func(t *testing.T, path string) {
		text, err := os.ReadFile(path)
		if err == nil {
			for i := range text {
				text[i] ^= 0x5a
			}
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		damage func(t *testing.T, w *world)
		file   string // that is named as damaged, and then moved away
	}{
		"everything is gone":        {damage: func(t *testing.T, w *world) { os.RemoveAll(w.dir) }},
		"the tenant's file is gone": {damage: func(t *testing.T, w *world) { os.Remove(w.tenantFile()) }},
		"the registry is gone":      {damage: func(t *testing.T, w *world) { os.Remove(filepath.Join(w.dir, "registry.db")) }},
		"the tenant's file is cut off": {file: "tenant", damage: func(t *testing.T, w *world) {
			info, err := os.Stat(w.tenantFile())
			if err == nil {
				err = os.Truncate(w.tenantFile(), info.Size()/2)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		"the tenant's file is garbage": {file: "tenant", damage: func(t *testing.T, w *world) { garbage(t, w.tenantFile()) }},
		"the registry is garbage":      {file: "registry", damage: func(t *testing.T, w *world) { garbage(t, filepath.Join(w.dir, "registry.db")) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				w, d := company(t)
				before := w.inventory()
				if err := w.store.Close(); err != nil {
					t.Fatal(err)
				}
				c.damage(t, w)
				if c.file != "" {
					w.damaged(c.file)
				}
				w.openClients()
				w.openState()
				w.mustRun(reconcile.Options{Apply: true})
				for id, a := range w.inventory().accounts {
					if a.whole != before.accounts[id].whole {
						t.Errorf("%s was touched", a.values["userName"])
					}
				}
				d.unassign("person11")
				bustle(d, 0)
				w.mustRun(reconcile.Options{Apply: true})
				w.mustRun(reconcile.Options{Apply: true}) // where groups may be deleted, two cycles must miss an assignment
				if differences := w.problems(); len(differences) > 0 {
					t.Error(strings.Join(differences, "\n"))
				}
			})
		})
	}
}

func (w *world) tenantFile() string { return filepath.Join(w.dir, w.tenant.ID().String()+".db") }

// damaged opens a state that cannot be read, wants to be told which file it is, and moves that
// away.
func (w *world) damaged(which string) {
	w.t.Helper()
	path := w.tenantFile()
	if which == "registry" {
		path = filepath.Join(w.dir, "registry.db")
	}
	store, err := state.Open(w.dir)
	if err == nil {
		var tenant *state.Tenant
		if tenant, err = store.Tenant(w.tenant.ID()); err == nil {
			err = errors.Join(tenant.Check(), tenant.Close())
		}
		err = errors.Join(err, store.Close())
	}
	var damaged *state.DamagedError
	if !errors.As(err, &damaged) || damaged.Path != path || !strings.Contains(err.Error(), "no account is touched") {
		w.t.Fatalf("opening damaged state: %v", err)
	}
	if err := os.Remove(path); err != nil {
		w.t.Fatal(err)
	}
}

// A disk that fills up in the middle of a cycle stops it with a clear message; with room again
// it resumes, and nothing is lost or doubled. Where this user may not mount a small file system,
// a limit on the size of files stands for all of them.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, room := range []uint64{80 << 10, 128 << 10, 300 << 10} {
		for _, mounted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d KB, mounted %v", room>>10, mounted), func(t *testing.T) {
				t.Parallel()
				st := newStage(t, story{set: childSettings{Groups: true}})
				st.hireMany(150)
				full := st.job
				full.FileLimit = room
				if mounted && st.mount(fmt.Sprintf("size=%d,mode=0700", room)) {
					full.FileLimit = 0
				}
				st.watch.begin()
				st.mu.Lock()
				_, wait := full.start(t, filepath.Dir(st.dir))
				st.kill = func() {}
				st.mu.Unlock()
				out, _ := wait()
				if !strings.Contains(out.Error, "state") || !strings.Contains(out.Error, "free some space and run again") {
					t.Errorf("on a full disk: %q", out.Error)
				}
				t.Logf("%s", out.Error)
				if mounted && full.FileLimit == 0 {
					st.mount("remount,size=64m,mode=0700")
				}
				for range 2 {
					st.cycle(moment{}, nil)
				}
				if differences := st.problems(); len(differences) > 0 {
					t.Error(strings.Join(differences, "\n"))
				}
			})
		}
	}
}

// mount puts a small file system under the state, where that is allowed.
func (st *stage) mount(options string) bool {
	st.t.Helper()
	if err := os.MkdirAll(st.dir, 0o700); err != nil {
		st.t.Fatal(err)
	}
	flags := uintptr(0)
	rest, again := strings.CutPrefix(options, "remount,")
	if again {
		flags = syscall.MS_REMOUNT
	}
	err := syscall.Mount("tmpfs", st.dir, "tmpfs", flags, rest)
	switch {
	case errors.Is(err, syscall.EPERM):
		return false
	case err != nil:
		st.t.Fatal(err)
	case !again:
		st.t.Cleanup(func() {
			if err := syscall.Unmount(st.dir, 0); err != nil {
				st.t.Error(err)
			}
		})
	}
	return true
}

// hireMany fills a group that is assigned.
func (st *stage) hireMany(n int) {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("person%d", i))
	}
	st.cast.hire(names...)
	st.cast.group("Everybody", names...)
	st.cast.Assign(frontApp, st.cast.ids["Everybody"], "Viewer")
}

// A state directory that another process holds, or that cannot be written, is refused in plain words.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	store, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var held *state.InUseError
	if _, err := state.Open(dir); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("opened twice: %v", err)
	}
	// No user may make a directory there, not even root.
	_, err = state.Open("/sys/kernel/entrasync")
	if err == nil || !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "/sys/kernel/entrasync") {
		t.Errorf("opened where no user may write: %v", err)
	}
}

// A clock that jumps, in either direction, removes nobody and stops nothing for long.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		w, d := company(t)
		for round, skew := range []time.Duration{10 * 365 * 24 * time.Hour, -365 * 24 * time.Hour, 0, 40 * 24 * time.Hour, 0} {
			w.skew = skew
			bustle(d, round)
			w.wire.fault(callFault{name: "400", match: method("POST"), times: 1, answer: refuse(400, "invalidValue")})
			for range 3 {
				time.Sleep(26 * time.Hour)
				if _, err := w.run(reconcile.Options{Apply: true}); err != nil {
					t.Fatal(err)
				}
			}
			if differences := w.problems(); len(differences) > 0 {
				t.Errorf("%v off: %s", skew, strings.Join(differences, "\n"))
			}
		}
	})
}
