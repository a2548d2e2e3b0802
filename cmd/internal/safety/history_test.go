package safety

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/state"
)

// A few histories take seconds; -rapid.checks=4000 takes some five minutes.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	flag.Parse()
	if *childJob != "" {
		os.Exit(runChild(*childJob))
	}
	os.Exit(m.Run())
}

// Whatever happens in the directory, whatever fails and whenever the process dies: once all is
// quiet the accounts are what the configuration says, and on the way nobody lost an account
// who should have one, nobody had two, and nothing was touched that is not ours.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, func(t *testing.T) {
			h := newHistory(t, rt)
			for range rapid.IntRange(1, 12).Draw(rt, "chapters") {
				for range rapid.IntRange(0, 6).Draw(rt, "edits") {
					h.edit()
				}
				h.cycle()
			}
			h.quiet()
		})
	})
}

// bubble runs a test under a clock of its own, and hands its panics on: rapid ends a check with
// one. It tells them apart by where they come from, so each kind has a line of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	var cause any
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if cause = recover(); cause != nil && !strings.HasPrefix(fmt.Sprintf("%T", cause), "rapid.") {
				cause = fmt.Sprintf("%v\n%s", cause, debug.Stack())
			}
		}()
		f(t)
	})
	switch fmt.Sprintf("%T", cause) {
	case "<nil>":
	case "rapid.stopTest": // the check failed
		panic(cause)
	case "rapid.invalidData": // there is nothing left to draw
		panic(cause)
	default:
		panic(cause)
	}
}

// A history is a world in which things happen.
type history struct {
	*world
	rt *rapid.T

	users, groups []graphsync.ID // alive or deleted, not purged
	gone          map[graphsync.ID]bool
	upns          map[graphsync.ID]string
	free          []string // user principal names that nobody has any more
	made          int
	drift         map[graphsync.ID]bool // whose account somebody deleted in the application
	healing       []func()
}

func newHistory(t *testing.T, rt *rapid.T) *history {
	set := settings{
		all: rapid.Bool().Draw(rt, "everybody"), nested: rapid.Bool().Draw(rt, "nested"), guests: rapid.Bool().Draw(rt, "guests"),
		onlySales: rapid.Bool().Draw(rt, "filter"), groups: rapid.Bool().Draw(rt, "provision groups"),
		onRemove: rapid.SampledFrom([]reconcile.OnRemove{{Do: reconcile.Deactivate}, {Do: reconcile.Delete},
			{Do: reconcile.Deactivate, After: 72 * time.Hour}}).Draw(rt, "on_remove"),
		guard:       reconcile.Guard{FirstRunRemovals: true},
		concurrency: rapid.SampledFrom([]int{1, 4}).Draw(rt, "concurrency"),
		pageSize:    rapid.IntRange(1, 5).Draw(rt, "page size"), membersPage: rapid.IntRange(1, 4).Draw(rt, "members page size"),
	}
	h := &history{world: newWorld(t, set), rt: rt, gone: map[graphsync.ID]bool{}, upns: map[graphsync.ID]string{}, drift: map[graphsync.ID]bool{}}
	h.watch.leave(h.front.Seed(t, map[string]any{"userName": "root@example.com", "displayName": "Root", "active": true, "title": "do not touch"}))
	h.watch.leave(h.front.SeedGroup(t, map[string]any{"displayName": "Owners"}))
	for range rapid.IntRange(1, 4).Draw(rt, "people at first") {
		h.hire("")
	}
	for range rapid.IntRange(0, 2).Draw(rt, "groups at first") {
		h.addGroup()
	}
	for _, id := range h.users[:len(h.users)/2+1] {
		h.tenant.Assign(frontApp, id, "Viewer")
	}
	return h
}

// note tells the story in the output of a failure.
func (h *history) note(format string, args ...any) { h.rt.Logf("  "+format, args...) }

func (h *history) hire(upn string) {
	h.made++
	if upn == "" {
		upn = fmt.Sprintf("User%d@contoso.example", h.made)
	}
	id := h.tenant.AddUser(graphtest.Props{
		"id": fmt.Sprintf("%08d-0000-4000-8000-000000000000", h.made), "userPrincipalName": upn, "mail": nil,
		"displayName": fmt.Sprintf("Person %d", h.made), "department": rapid.SampledFrom([]any{"Sales", "IT", nil}).Draw(h.rt, "department"),
		"userType": rapid.SampledFrom([]any{"Member", "Member", "Guest"}).Draw(h.rt, "userType"),
	})
	h.users, h.upns[id] = append(h.users, id), upn
	h.note("%s is hired as %s", upn, id)
}

func (h *history) addGroup() {
	h.made++
	var members []graphsync.ID
	if alive := h.alive(h.users); len(alive) > 0 {
		members = alive[:rapid.IntRange(0, len(alive)).Draw(h.rt, "members")]
	}
	id := h.tenant.AddGroup(graphtest.Props{"id": fmt.Sprintf("%08d-0000-4000-8000-00000000000a", h.made), "displayName": fmt.Sprintf("Group %d", h.made)}, members...)
	h.groups = append(h.groups, id)
	h.note("group %s of %d is made", id, len(members))
	if rapid.Bool().Draw(h.rt, "assigned") {
		h.tenant.Assign(frontApp, id, rapid.SampledFrom(append([]string{""}, roles...)).Draw(h.rt, "role"))
		h.note("and assigned")
	}
}

func (h *history) alive(ids []graphsync.ID) []graphsync.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id graphsync.ID) bool { return h.gone[id] })
}

func (h *history) deleted(ids []graphsync.ID) []graphsync.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id graphsync.ID) bool { return !h.gone[id] })
}

// some draws one of the objects and does something to it, when there is any.
func (h *history) some(label string, from []graphsync.ID, do func(graphsync.ID)) {
	if len(from) > 0 {
		do(rapid.SampledFrom(from).Draw(h.rt, label))
	}
}

// edit is one thing that happens between two cycles.
func (h *history) edit() {
	all := slices.Concat(h.users, h.groups)
	edits := map[string]func(){
		"hire":  func() { h.hire("") },
		"group": h.addGroup,
		"rehire": func() {
			if len(h.free) > 0 {
				h.hire(h.free[0])
				h.free = h.free[1:]
			}
		},
		"move": func() {
			h.some("who", h.alive(h.users), func(id graphsync.ID) {
				name := rapid.SampledFrom([]string{"department", "jobTitle", "mail", "displayName"}).Draw(h.rt, "property")
				value := rapid.SampledFrom([]any{"Sales", "IT", "Sales", nil}).Draw(h.rt, "value")
				switch {
				case name == "mail" && value != nil:
					value = fmt.Sprintf("%s.%d@contoso.example", value, h.made)
				case name == "displayName" && value == nil:
					value = "Ümläut \"quoted\" <tag>"
				}
				h.tenant.Set(id, name, value)
				h.note("%s of %s becomes %v", name, h.upns[id], value)
			})
		},
		"rename": func() {
			h.some("who", h.alive(h.users), func(id graphsync.ID) {
				h.made++
				upn := fmt.Sprintf("Renamed%d@contoso.example", h.made)
				h.note("%s is renamed %s", h.upns[id], upn)
				h.free = append(h.free, h.upns[id])
				h.tenant.Set(id, "userPrincipalName", upn)
				h.upns[id] = upn
			})
		},
		"enable": func() {
			h.some("who", h.alive(h.users), func(id graphsync.ID) {
				on := rapid.Bool().Draw(h.rt, "enabled")
				h.tenant.Set(id, "accountEnabled", on)
				h.note("%s is enabled: %v", h.upns[id], on)
			})
		},
		"delete": func() {
			h.some("what", h.alive(all), func(id graphsync.ID) {
				h.tenant.SoftDelete(id)
				h.gone[id] = true
				h.note("%s %s is deleted", id, h.upns[id])
			})
		},
		"restore": func() {
			h.some("what", h.deleted(all), func(id graphsync.ID) {
				h.tenant.Restore(id)
				delete(h.gone, id)
				h.note("%s %s is restored", id, h.upns[id])
			})
		},
		"purge": func() {
			h.some("what", h.deleted(all), func(id graphsync.ID) {
				h.tenant.Purge(id)
				is := func(x graphsync.ID) bool { return x == id }
				h.users, h.groups = slices.DeleteFunc(h.users, is), slices.DeleteFunc(h.groups, is)
				if upn := h.upns[id]; upn != "" {
					h.free = append(h.free, upn)
				}
				h.note("%s %s is purged", id, h.upns[id])
			})
		},
		"member": func() {
			h.some("group", h.alive(h.groups), func(group graphsync.ID) {
				h.some("member", h.alive(slices.DeleteFunc(slices.Clone(all), func(x graphsync.ID) bool { return x == group })), func(member graphsync.ID) {
					if rapid.Bool().Draw(h.rt, "joins") {
						h.tenant.AddMember(group, member)
						h.note("%s %s joins group %s", member, h.upns[member], group)
					} else {
						h.tenant.RemoveMember(group, member)
						h.note("%s %s leaves group %s", member, h.upns[member], group)
					}
				})
			})
		},
		"rename group": func() {
			h.some("group", h.alive(h.groups), func(id graphsync.ID) {
				h.made++
				h.tenant.Set(id, "displayName", fmt.Sprintf("Renamed %d", h.made))
				h.note("group %s is renamed", id)
			})
		},
		"assign": func() {
			h.some("whom", h.alive(all), func(id graphsync.ID) {
				role := rapid.SampledFrom(append([]string{""}, roles...)).Draw(h.rt, "role")
				h.tenant.Assign(frontApp, id, role)
				h.note("%s %s is assigned %q", id, h.upns[id], role)
			})
		},
		"unassign": func() {
			rows := h.tenant.Snapshot().Assignments
			if len(rows) > 0 {
				row := rapid.SampledFrom(rows).Draw(h.rt, "assignment")
				h.tenant.Unassign(row.ID)
				h.note("%s %s is unassigned %q", row.Principal, h.upns[row.Principal], row.Role)
			}
		},
		"by hand":   h.byHand,
		"adoptable": h.seed,
		"time": func() {
			wait := rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour, 25 * time.Hour, 8 * 24 * time.Hour}).Draw(h.rt, "wait")
			time.Sleep(wait)
			h.note("%v pass", wait)
		},
	}
	edits[rapid.SampledFrom(slices.Sorted(maps.Keys(edits))).Draw(h.rt, "edit")]()
}

// byHand is somebody in the application who deletes an account of ours. What was done by hand
// is noticed when there is something to write, see quiet.
func (h *history) byHand() {
	h.some("whose", h.alive(h.users), func(id graphsync.ID) {
		for _, a := range h.inventory().accounts {
			if a.external != id.String() {
				continue
			}
			h.front.Delete(h.t, "/Users/"+a.id)
			h.note("%s is deleted in the application", a.values["userName"])
		}
		h.drift[id] = true
	})
}

// seed makes an account that is somebody's without saying so.
func (h *history) seed() {
	h.some("whose", h.alive(h.users), func(id graphsync.ID) {
		active := rapid.Bool().Draw(h.rt, "active")
		for _, a := range h.inventory().accounts {
			if strings.EqualFold(a.values["userName"], h.upns[id]) || a.external == id.String() {
				return
			}
		}
		h.front.Seed(h.t, map[string]any{"userName": h.upns[id], "displayName": "seeded", "active": active})
		h.note("an account of %s is made in the application", h.upns[id])
	})
}

// cycle runs one with faults and an interruption.
func (h *history) cycle() {
	for range rapid.IntRange(0, 2).Draw(h.rt, "graph faults") {
		h.healing = append(h.healing, h.graph.Fault(drawGraphFault(h.rt)))
	}
	for range rapid.IntRange(0, 2).Draw(h.rt, "application faults") {
		h.wire.fault(drawCallFault(h.rt))
	}
	var stop interruption
	if rapid.Bool().Draw(h.rt, "interrupted") {
		stop = interruption{at: rapid.IntRange(1, 60).Draw(h.rt, "call"), crash: rapid.Bool().Draw(h.rt, "crash"), after: rapid.Bool().Draw(h.rt, "after")}
	}
	h.wire.interrupt(stop)
	report, err := h.run(reconcile.Options{Apply: true, Full: rapid.IntRange(0, 4).Draw(h.rt, "full") == 0})
	h.tell(report, err)
	if rapid.Bool().Draw(h.rt, "heal") {
		h.heal()
	}
}

func (h *history) heal() {
	h.wire.heal()
	for _, end := range h.healing {
		end()
	}
	h.healing = nil
}

// tell adds a cycle to the story, and fails on what must never be seen.
func (h *history) tell(report *reconcile.Report, err error) {
	h.note("cycle %s: %+v, %d calls", report.Result, report.Summary, h.wire.count())
	if err != nil {
		h.note("  %v", err)
	}
	for _, e := range report.Errors {
		h.note("  failed: %s %s: %s", e.Op, e.Key, e.Message)
	}
	for _, held := range report.Held {
		h.note("  held by %s: %s %s: %s", held.Guard, held.Action.Op, held.Action.Key, held.Cause)
	}
	for _, s := range report.Skipped {
		h.note("  skipped: %s: %s %s", s.Key, s.Code, s.Why)
	}
	if len(h.watch.reported) > 0 {
		h.note("calls:\n    %s", strings.Join(h.wire.history, "\n    "))
		h.rt.Fatalf("seen in the application:\n%s", strings.Join(h.watch.reported, "\n"))
	}
}

// quiet lets everything settle and compares. Failed records are tried again after a day at
// most.
func (h *history) quiet() {
	h.heal()
	for _, id := range h.alive(h.users) {
		if h.drift[id] {
			h.tenant.Set(id, "jobTitle", "changed at last")
		}
	}
	var report *reconcile.Report
	var err error
	for range 6 {
		time.Sleep(25 * time.Hour)
		report, err = h.run(reconcile.Options{Apply: true})
		h.tell(report, err)
		if err != nil {
			h.rt.Fatalf("a cycle without faults: %v", err)
		}
		h.approve()
	}
	excused := map[string]string{}
	for _, e := range report.Errors {
		excused[e.SourceID.String()] = e.Code
	}
	for _, s := range report.Skipped {
		excused[s.SourceID.String()] = s.Code
	}
	for id, code := range excused {
		h.rt.Logf("excused: %s %s", id, code)
		if code != "duplicate_source" && code != "duplicate_target" {
			h.rt.Fatalf("%s is not provisioned when all is quiet: %s", id, code)
		}
	}
	if differences := h.differences(excused); len(differences) > 0 {
		h.rt.Fatalf("when all is quiet:\n%s", strings.Join(differences, "\n"))
	}
	h.settled()
}

// approve lets go what guards hold, as an administrator would who has looked at it.
func (h *history) approve() {
	err := h.state.Update(func(tx *state.Tx) error {
		for _, hold := range slices.Collect(tx.Holds(h.sync.Name)) {
			if _, err := reconcile.Approve(tx, h.sync.Name, hold.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.rt.Fatalf("approve what is held: %v", err)
	}
}

// settled plans again: there is nothing to do, and the same plan comes out twice.
func (h *history) settled() {
	var plans [2]strings.Builder
	for i := range plans {
		report, err := h.run(reconcile.Options{})
		if err != nil {
			h.rt.Fatal(err)
		}
		if n := report.Summary.Changes() + report.Summary.Held; n > 0 {
			h.rt.Fatalf("after applying, a plan has %d changes: %+v", n, report.Summary)
		}
		if err := h.syncer().Plan(report).WriteJSON(&plans[i]); err != nil {
			h.rt.Fatal(err)
		}
	}
	if plans[0].String() != plans[1].String() {
		h.rt.Fatalf("the same input gives two plans:\n%s\n%s", plans[0].String(), plans[1].String())
	}
}

var streams = map[string]string{
	"users": "/v1.0/users/delta", "groups": "/v1.0/groups/delta",
	"assignments": "/v1.0/servicePrincipals/*/appRoleAssignedTo", "app": "/v1.0/servicePrincipals/*",
	"lookups": "/v1.0/directoryObjects/getByIds", "members": "/v1.0/groups/*/members", "token": "/*/oauth2/v2.0/token",
}

func drawGraphFault(rt *rapid.T) graphtest.Fault {
	faults := map[string]graphtest.Fault{
		"throttled": graphtest.Throttle("3"), "throttled without a word": graphtest.Throttle(""), "unavailable": graphtest.Unavailable("2"),
		"500": graphtest.ServerError(500), "502": graphtest.ServerError(502), "504": graphtest.ServerError(504),
		"403":     graphtest.GraphFailure(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
		"404":     graphtest.GraphFailure(http.StatusNotFound, "Request_ResourceNotFound", "Resource does not exist."),
		"expired": graphtest.Expired410(), "resync": graphtest.ResyncRequired(), "state lost": graphtest.SyncStateNotFound(http.StatusBadRequest),
		"dropped": graphtest.DropConnection(), "truncated": graphtest.TruncatedBody(), "broken": graphtest.BrokenJSON(), "html": graphtest.HTMLPage(),
		"foreign link": graphtest.ForeignNextLink("graph.evil.example"), "bad record": graphtest.BadRecord(`{"id": 17}`),
		"empty page": graphtest.EmptyPage(), "replayed": graphtest.ReplayPage(), "out of order": graphtest.OutOfOrder(),
		"missing row": graphtest.MissingRow(), "miscounted": graphtest.WrongCount(1), "undercounted": graphtest.WrongCount(-1),
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(faults))).Draw(rt, "graph fault")
	// Entries that a delta round leaves out, and links that expire, are about some reads only.
	on := map[string][]string{
		"missing row": {"assignments"}, "miscounted": {"assignments"}, "undercounted": {"assignments"},
		"expired": {"users", "groups"}, "resync": {"users", "groups"}, "state lost": {"users", "groups"},
		"empty page": {"users", "groups"}, "replayed": {"users", "groups"}, "out of order": {"users", "groups"},
		"foreign link": {"users", "groups"}, "bad record": {"users", "groups"},
	}[name]
	if on == nil {
		on = slices.Sorted(maps.Keys(streams))
	}
	stream := rapid.SampledFrom(on).Draw(rt, "stream")
	return faults[name].On(streams[stream]).Skip(rapid.IntRange(0, 3).Draw(rt, "skip")).Repeat(rapid.SampledFrom([]int{1, 2, 6}).Draw(rt, "times"))
}

func drawCallFault(rt *rapid.T) callFault {
	all, writes := method(http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete),
		method(http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete)
	faults := []callFault{
		{name: "500", match: all, answer: refuse(500, "")},
		{name: "500 though done", match: writes, answer: belated(500)},
		{name: "503", match: all, answer: refuse(503, "", "Retry-After", "2")},
		{name: "504 though done", match: writes, answer: belated(504)},
		{name: "429", match: all, answer: refuse(429, "", "Retry-After", "3")},
		{name: "401", match: all, answer: refuse(401, "")},
		{name: "403", match: all, answer: refuse(403, "")},
		{name: "400", match: writes, answer: refuse(400, "invalidValue")},
		{name: "409", match: method(http.MethodPost), answer: refuse(409, "uniqueness")},
		{name: "answer lost", match: writes, answer: lose},
		{name: "request lost", match: all, answer: drop},
	}
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.name
	}
	f := faults[slices.Index(names, rapid.SampledFrom(names).Draw(rt, "application fault"))]
	f.skip, f.times = rapid.IntRange(0, 6).Draw(rt, "skip"), rapid.SampledFrom([]int{1, 3, -1}).Draw(rt, "times")
	return f
}
