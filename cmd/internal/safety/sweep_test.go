package safety

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/target/ldap/ldaptest"
	"entrasync/target/scim/scimtest"
)

var sweepAll = flag.Bool("sweep.all", false, "kill the process at every commit and every call of the story, not at a sample of them")

// A story is what happens in the directory; a cycle follows each chapter.
type story struct {
	name     string
	set      childSettings
	chapters []func(d *cast)
	moves    map[int]location // of the application's name and address, before a chapter's cycle
	exec     bool             // the target is a program
	sql      bool             // the target is a database
	ldap     bool             // the target is a directory, on
	server   *ldaptest.Server // this server
	dies     bool             // that program is killed, and not the process that started it
}

type location struct{ target, place string }

// A cast is the people and groups of a story, by name.
type cast struct {
	*graphtest.Tenant
	ids map[string]graphsync.ID
}

func (d *cast) hire(names ...string) {
	for _, name := range names {
		d.ids[name] = d.AddUser(graphtest.Props{"displayName": name, "userPrincipalName": name + "@contoso.example", "mail": name + "@contoso.example"})
	}
}

func (d *cast) group(name string, members ...string) {
	d.ids[name] = d.AddGroup(graphtest.Props{"displayName": name}, d.all(members)...)
}

func (d *cast) all(names []string) (ids []graphsync.ID) {
	for _, name := range names {
		ids = append(ids, d.ids[name])
	}
	return ids
}

func (d *cast) unassign(name string) {
	for _, row := range d.Snapshot().Assignments {
		if row.Principal == d.ids[name] {
			d.Unassign(row.ID)
		}
	}
}

func stories() []story {
	chapters := []func(d *cast){
		func(d *cast) { // joiners
			d.hire("ada", "bob", "eve", "kim")
			d.group("Sales", "ada", "bob")
			d.group("Support", "eve")
			d.Assign(frontApp, d.ids["Sales"], "Editor")
			d.Assign(frontApp, d.ids["Support"], "Viewer")
			d.Assign(frontApp, d.ids["kim"], "Admin")
		},
		func(d *cast) { // movers
			d.Set(d.ids["ada"], "displayName", "Ada L.")
			d.Set(d.ids["bob"], "userPrincipalName", "robert@contoso.example")
			d.RemoveMember(d.ids["Sales"], d.ids["ada"])
			d.AddMember(d.ids["Support"], d.ids["ada"])
			d.Set(d.ids["Sales"], "displayName", "Sales EMEA")
			d.hire("zoe")
			d.AddMember(d.ids["Sales"], d.ids["zoe"])
		},
		func(d *cast) { // leavers
			d.SoftDelete(d.ids["bob"])
			d.RemoveMember(d.ids["Support"], d.ids["eve"])
			d.Set(d.ids["kim"], "accountEnabled", false)
			d.unassign("Support")
			d.Assign(frontApp, d.ids["ada"], "Viewer")
		},
		func(d *cast) { // some come back, and some who come were there before
			d.Restore(d.ids["bob"])
			d.Set(d.ids["kim"], "accountEnabled", true)
			d.Assign(frontApp, d.ids["Support"], "Viewer")
			d.AddMember(d.ids["Support"], d.ids["eve"])
			d.hire("old")
			d.AddMember(d.ids["Sales"], d.ids["old"])
		},
	}
	return []story{
		{name: "leavers are deactivated", set: childSettings{Groups: true}, chapters: chapters},
		{name: "leavers are deleted", set: childSettings{Groups: true, Delete: true}, chapters: chapters},
		// The application stays the same, but that has to be found out.
		{name: "the application gets another name and address", set: childSettings{Groups: true}, chapters: chapters,
			moves: map[int]location{1: {"staff", "here"}, 2: {"staff", "there"}, 3: {"all", "elsewhere"}}},
		{name: "the target is a program", set: childSettings{Groups: true}, chapters: chapters, exec: true},
		{name: "the program of the target dies", set: childSettings{Groups: true, Delete: true}, chapters: chapters, exec: true, dies: true},
		{name: "the target is a database", set: childSettings{Groups: true}, chapters: chapters, sql: true},
		{name: "the target is a database, and leavers are deleted", set: childSettings{Groups: true, Delete: true}, chapters: chapters, sql: true},
		{name: "the target is a directory", set: childSettings{Groups: true}, chapters: chapters, ldap: true},
		{name: "the target is a directory, and leavers are deleted", set: childSettings{Groups: true, Delete: true}, chapters: chapters, ldap: true},
	}
}

// A moment is where the process dies.
type moment struct {
	chapter int
	commit  int  // after this commit of the cycle
	call    int  // at this call of the cycle
	after   bool // the call is carried out
	moves   bool // the directory moves on before the process is back
}

func (m moment) String() string {
	at := fmt.Sprintf("call %d", m.call)
	switch {
	case m.commit > 0:
		at = fmt.Sprintf("commit %d", m.commit)
	case m.after:
		at += ", carried out"
	}
	if m.moves {
		at += ", the directory moved on"
	}
	return fmt.Sprintf("chapter %d, %s", m.chapter+1, at)
}

// A stage is the two servers a process works between, and the counter of its calls.
type stage struct {
	*world
	cast *cast
	job  job
	dies bool // see story

	deaths int
	last   outcome // of the cycle that was through

	mu    sync.Mutex // guards what follows
	calls int
	write []bool // of each call: whether it is one that writes
	at    moment
	kill  func()
}

func newStage(t *testing.T, s story) *stage {
	t.Helper()
	st := &stage{world: &world{t: t, set: s.set.settings(), dir: stateDir(t)}}
	st.graph = graphtest.New(graphtest.Options{PageSize: 3})
	st.tenant = st.graph.AddTenant(graphtest.TenantSpec{})
	st.cast = &cast{Tenant: st.tenant, ids: map[string]graphsync.ID{}}
	app := graphtest.AppSpec{ClientID: frontApp, Secret: clientSecret}
	for _, role := range roles {
		app.Roles = append(app.Roles, graphtest.AppRole{Value: role, Name: role})
	}
	st.tenant.App(app)
	running, err := st.graph.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	st.front = scimtest.Elimity(t, scimtest.Options{Token: bearerToken, CheckMembers: true})
	seed := st.front.Seed
	switch {
	case s.sql:
		st.other = newDatabase(t)
		seed = st.other.seed
	case s.ldap:
		st.other = newDirectory(t, s.server)
		seed = st.other.seed
	}
	st.watch = newWatch(st.world)
	st.watch.leave(seed(t, map[string]any{"userName": "root@example.com", "displayName": "Root"}))
	seed(t, map[string]any{"userName": "old@contoso.example", "displayName": "An account from before", "active": true})
	ca := filepath.Join(filepath.Dir(st.dir), "ca.pem")
	if err := os.WriteFile(ca, st.graph.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	st.job = job{State: st.dir, Graph: running.URL, CA: ca, Tenant: st.tenant.ID(), Front: st.front.URL, Set: s.set, Target: "front", Place: "here"}
	if st.dies = s.dies; s.exec {
		st.job.Bridge = filepath.Join(filepath.Dir(st.dir), "program.pid")
	}
	switch app := st.other.(type) {
	case *database:
		st.job.SQL, st.job.Front = app.file, st.hearing()
	case *ldapDirectory:
		st.job.LDAP = st.between(s.server) + "|" + app.base
	}

	for _, path := range []string{"/*/oauth2/v2.0/token", ""} {
		st.graph.Fault(graphtest.Fault{Path: path, Times: -1, Respond: func(_ *http.Request, next func() *graphtest.Response) *graphtest.Response {
			st.called(false)
			return next()
		}})
	}
	st.front.Fail(func(r *http.Request) *http.Response {
		st.watch.look()
		if st.called(r.Method != http.MethodGet) {
			return scimtest.NewResponse(http.StatusServiceUnavailable, "") // no process is there to read it
		}
		return nil
	})
	return st
}

// called counts a call, kills the process that makes it when its time has come, and tells
// whether the call must not be carried out.
func (st *stage) called(write bool) (undone bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.kill == nil {
		return true // of a process that is dead by now
	}
	st.calls++
	st.write = append(st.write, write)
	if st.calls != st.at.call {
		return false
	}
	st.kill()
	if !st.dies {
		st.kill = nil
	}
	return !st.at.after
}

// cycle runs one in a process, and again until it is through.
func (st *stage) cycle(at moment, meanwhile func()) (calls []bool, commits int) {
	st.t.Helper()
	st.watch.begin()
	for {
		j := st.job
		j.DieAtCommit = at.commit
		// Killing needs the process, and the process may call before its start returns.
		st.mu.Lock()
		child, wait := j.start(st.t, filepath.Dir(st.dir))
		st.calls, st.write, st.at = 0, nil, at
		st.kill = func() {
			if st.dies {
				st.deaths++
				st.killProgram()
				return
			}
			if err := child.Process.Signal(syscall.SIGKILL); err != nil {
				st.watch.report("kill the process: %v", err)
			}
		}
		st.mu.Unlock()
		out, killed := wait()
		st.mu.Lock()
		calls = st.write
		st.kill = nil
		st.mu.Unlock()
		st.watch.look()
		if !killed {
			if out.Error != "" {
				st.t.Fatalf("a cycle without faults: %s", out.Error)
			}
			st.last = out
			return calls, out.Commits
		}
		at = moment{}
		st.deaths++
		if meanwhile != nil {
			meanwhile()
			meanwhile = nil
			st.watch.moved() // a call of the process that died may still be on its way
		}
	}
}

// killProgram ends the program of the target, which answers a call just now or has yet to begin.
func (st *stage) killProgram() {
	text, err := os.ReadFile(st.job.Bridge)
	if err != nil {
		return // it was not started yet
	}
	number, err := strconv.Atoi(string(text))
	if err == nil {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", number))
		if !strings.Contains(string(command), "safety.bridge") {
			return // it has ended, and its number may be another's
		}
		err = syscall.Kill(number, syscall.SIGKILL)
	}
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		st.watch.report("kill the program: %v", err)
	}
}

// play tells a story, with one death in it, and returns the calls and commits of each cycle.
func play(t *testing.T, s story, at moment) (calls [][]bool, commits []int, died bool, faults []string) {
	t.Helper()
	st := newStage(t, s)
	moved := false
	for i, chapter := range s.chapters {
		if !moved {
			chapter(st.cast)
		}
		moved = false
		if to, ok := s.moves[i]; ok {
			st.job.Target, st.job.Place = to.target, to.place
		}
		var when moment
		var meanwhile func()
		if i == at.chapter {
			when = at
			if at.moves && i+1 < len(s.chapters) {
				meanwhile = func() { s.chapters[i+1](st.cast); moved = true }
			}
		}
		c, n := st.cycle(when, meanwhile)
		calls, commits = append(calls, c), append(commits, n)
	}
	for range 2 { // records that failed once are tried again by the next cycle
		st.cycle(moment{}, nil)
	}
	st.watch.look()
	return calls, commits, st.deaths > 0, st.problems()
}

// A process that is killed at any commit or any call, and started again, loses nothing and
// makes nothing twice.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, s := range stories() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.ldap {
				s.server = startDirectories(t)
			}
			calls, commits, _, faults := play(t, s, moment{chapter: -1})
			if len(faults) > 0 {
				t.Fatalf("without a death:\n%s", strings.Join(faults, "\n"))
			}
			moments, commitDeaths, callDeaths := momentsOf(calls, commits), 0, 0
			if s.dies {
				moments = slices.DeleteFunc(moments, func(m moment) bool { return m.commit > 0 || m.moves })
			}
			all := len(moments)
			switch {
			case *sweepAll:
			case s.exec, s.sql, s.ldap:
				moments = sample(moments, 12)
			default:
				moments = sample(moments, 20)
			}
			lost, deaths := 0, 0
			for _, at := range moments {
				_, _, died, faults := play(t, s, at)
				switch {
				case !died: // pages that come in at another pace share fewer commits
				case at.commit > 0:
					commitDeaths++
				default:
					callDeaths++
				}
				if died {
					deaths++
				}
				if len(faults) > 0 {
					lost++
					t.Errorf("killed at %s:\n%s", at, strings.Join(faults, "\n"))
				}
			}
			if deaths < len(moments)*9/10 {
				t.Errorf("the process died at %d of %d moments only", deaths, len(moments))
			}
			t.Logf("killed at %d of %d moments: %d at commits, %d at calls; %d left something lost or doubled", deaths, all, commitDeaths, callDeaths, lost)
		})
	}
}

// momentsOf lists every moment of the cycles a story was played in.
func momentsOf(calls [][]bool, commits []int) (moments []moment) {
	for chapter := range calls {
		for _, moves := range []bool{false, true} {
			if moves && chapter+1 == len(calls) {
				continue
			}
			for n := range commits[chapter] {
				moments = append(moments, moment{chapter: chapter, commit: n + 1, moves: moves})
			}
			for n, writes := range calls[chapter] {
				moments = append(moments, moment{chapter: chapter, call: n + 1, moves: moves})
				if writes {
					moments = append(moments, moment{chapter: chapter, call: n + 1, after: true, moves: moves})
				}
			}
		}
	}
	return moments
}

// sample takes some moments, evenly spread and always the same.
func sample(moments []moment, n int) []moment {
	var out []moment
	for i := range n {
		out = append(out, moments[i*len(moments)/n])
	}
	return slices.Compact(out)
}
