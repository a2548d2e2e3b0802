package safety

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
)

// A truth is what the configuration says of the directory, worked out without asking the
// product: who should have a working account with which values, and who is in which group.
type truth struct {
	people map[string]person          // by object id, everybody who is not deleted
	groups map[string]map[string]bool // object id → members' object ids, of groups in scope
	names  map[string]string          // object id → displayName of a group in scope
}

type person struct {
	active  bool
	inScope bool
	unknown bool              // in scope, and the directory does not say whether enabled
	values  map[string]string // as the account's summary has them
}

func (set settings) truth(s graphtest.Snapshot) truth {
	tr := truth{people: map[string]person{}, groups: map[string]map[string]bool{}, names: map[string]string{}}
	memberOf := map[graphsync.ID][]graphsync.ID{}
	for _, g := range s.Groups {
		for _, m := range g.Members {
			memberOf[m] = append(memberOf[m], g.ID)
		}
	}
	assigned := map[graphsync.ID][]string{}
	for _, row := range s.Assignments {
		assigned[row.Principal] = append(assigned[row.Principal], row.Role)
	}
	for _, u := range s.Users {
		from := []graphsync.ID{u.ID}
		reached := map[graphsync.ID]bool{}
		for depth := 0; len(from) > 0; depth++ {
			var above []graphsync.ID
			for _, id := range from {
				if reached[id] {
					continue
				}
				reached[id] = true
				if depth == 0 || set.nested {
					above = append(above, memberOf[id]...)
				}
			}
			from = above
			if !set.nested && depth == 1 {
				break
			}
		}
		in, best := set.all, len(roles)
		for id := range reached {
			for _, role := range assigned[id] {
				in = true
				if rank := slices.Index(roles, role); rank >= 0 {
					best = min(best, rank)
				}
			}
		}
		text := func(name string) string { s, _ := u.Properties[name].(string); return s }
		if !set.guests && text("userType") == "Guest" || set.onlySales && text("department") != "Sales" {
			in = false
		}
		enabled, told := u.Properties["accountEnabled"].(bool)
		p := person{active: in && enabled, inScope: in, unknown: in && !told, values: map[string]string{
			"userName": strings.ToLower(text("userPrincipalName")), "displayName": text("displayName"),
			"title": text("jobTitle"), "email": text("mail"), "userType": "",
		}}
		if best < len(roles) {
			p.values["userType"] = roles[best]
		}
		tr.people[u.ID.String()] = p
	}
	if !set.groups {
		return tr
	}
	for _, g := range s.Groups {
		if len(assigned[g.ID]) == 0 {
			continue
		}
		members := map[string]bool{}
		for _, m := range g.Members {
			if _, isUser := tr.people[m.String()]; isUser {
				members[m.String()] = true
			}
		}
		id := g.ID.String()
		tr.groups[id], tr.names[id] = members, g.Properties["displayName"].(string)
	}
	return tr
}

// removal is what the configuration says of the account of a user without a right to one.
func (set settings) removal(tr truth, external string) desired.OnRemove {
	p, exists := tr.people[external]
	switch {
	case !exists && set.onDelete.own:
		return set.onDelete.is
	case exists && !p.inScope && set.onUnassign.own:
		return set.onUnassign.is
	}
	return set.onRemove
}

// deletes reports whether any policy deletes accounts.
func (set settings) deletes() bool {
	for _, r := range []desired.OnRemove{set.onRemove, set.onUnassign.is, set.onDelete.is} {
		if r.Do == plan.Delete || r.After > 0 {
			return true
		}
	}
	return false
}

// owners are the people whom an account may be for: one that is being taken over may not say so yet,
// and several people may want its name.
func (tr truth) owners(a account) (owners []person) {
	if a.external != "" {
		return []person{tr.people[a.external]}
	}
	for _, p := range tr.people {
		if p.values["userName"] == a.values["userName"] {
			owners = append(owners, p)
		}
	}
	return owners
}

// wanted tells whether an account must be left working, and whether it may be made to work.
func (tr truth) wanted(a account) (always, ever bool) {
	owners := tr.owners(a)
	always = len(owners) > 0
	for _, p := range owners {
		always, ever = always && (p.active || p.unknown), ever || p.active
	}
	return always, ever
}

// An account is what the application holds of one user.
type account struct {
	id, external string
	active       bool
	values       map[string]string
	whole        string // every byte but the times
}

// An inventory is what the application holds.
type inventory struct {
	accounts map[string]account // by target id
	groups   map[string]group
}

type group struct {
	external, name string
	members        []string // target ids, sorted
	whole          string
}

func (w *world) inventory() inventory {
	inv := inventory{accounts: map[string]account{}, groups: map[string]group{}}
	text := func(m map[string]any, name string) string { s, _ := m[name].(string); return s }
	for _, u := range w.usersShown() {
		a := account{id: text(u, "id"), external: text(u, "externalId"), active: u["active"] != false, whole: wholeOf(u), values: map[string]string{
			"userName":    strings.ToLower(text(u, "userName")), // compared in any case by SCIM
			"displayName": text(u, "displayName"), "title": text(u, "title"), "userType": text(u, "userType"), "email": "",
		}}
		emails, _ := u["emails"].([]any)
		for _, e := range emails {
			if m := e.(map[string]any); m["type"] == "work" {
				a.values["email"] = text(m, "value")
			}
		}
		inv.accounts[a.id] = a
	}
	for _, g := range w.groupsShown() {
		members := []string{}
		list, _ := g["members"].([]any)
		for _, m := range list {
			members = append(members, m.(map[string]any)["value"].(string))
		}
		slices.Sort(members)
		inv.groups[text(g, "id")] = group{external: text(g, "externalId"), name: text(g, "displayName"), members: members, whole: wholeOf(g)}
	}
	return inv
}

func wholeOf(resource map[string]any) string {
	kept := maps.Clone(resource)
	delete(kept, "meta")
	b, err := json.Marshal(kept)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// A watch looks at the application after each write and says what must never be seen.
type watch struct {
	w *world

	mu        sync.Mutex // guards what follows
	truths    []truth    // of the cycle: a cycle may act on the directory as it was at any moment of it
	last      inventory
	foreign   map[string]string // target id → every byte of what is not ours
	strangers map[string]string // target id that was ours → identity of the account that has it
	answered  bool              // a hold has been approved
	restored  bool              // an older copy of the state is in use
	reported  []string
}

func newWatch(w *world) *watch {
	return &watch{w: w, last: inventory{accounts: map[string]account{}}, foreign: map[string]string{}, strangers: map[string]string{}}
}

func (v *watch) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.truths = []truth{v.w.set.truth(v.w.tenant.Snapshot())}
	v.last = v.w.inventory()
}

// moved says that the directory has changed within the cycle.
func (v *watch) moved() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.truths = append(v.truths, v.w.set.truth(v.w.tenant.Snapshot()))
}

// leave marks a user or group that no tenant has anything to do with.
func (v *watch) leave(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	inv := v.w.inventory()
	if a, ok := inv.accounts[id]; ok {
		v.foreign[id] = a.whole
	} else {
		v.foreign[id] = inv.groups[id].whole
	}
}

func (v *watch) report(format string, args ...any) {
	v.reported = append(v.reported, fmt.Sprintf(format, args...))
}

// free takes back that no tenant has anything to do with an account.
func (v *watch) free(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.foreign, id)
}

// look compares the application with what it was before the last write.
func (v *watch) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.w.inventory()
	wanted := func(a account) (always, ever bool) {
		always = len(v.truths) > 0
		for _, tr := range v.truths {
			all, any := tr.wanted(a)
			always, ever = always && all, ever || any
		}
		return always, ever
	}
	seen := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(now.accounts)) {
		a := now.accounts[id]
		before, existed := v.last.accounts[id]
		for _, name := range []string{"externalId " + a.external, "userName " + strings.ToLower(a.values["userName"])} {
			if other := seen[name]; other != "" && !strings.HasSuffix(name, " ") {
				v.report("two accounts with %s: %s and %s", name, other, id)
			}
			seen[name] = id
		}
		always, ever := wanted(a)
		switch {
		case existed && before.active && !a.active && always && a.external == "" && v.answered:
			// An administrator was shown it as the account of a user who left, under a name that another user has.
		case existed && before.active && !a.active && always:
			v.report("deactivated %s, who is in scope", a.values["userName"])
		case !existed && !ever:
			v.report("created %s, who is not in scope", a.values["userName"])
		case existed && !before.active && a.active && !ever:
			v.report("reactivated %s, who is not in scope", a.values["userName"])
		}
	}
	for id, before := range v.last.accounts {
		if _, still := now.accounts[id]; still {
			continue
		}
		if always, _ := wanted(before); always && !(before.external == "" && v.answered) {
			v.report("deleted %s, who is in scope", before.values["userName"])
		}
		if !v.w.set.deletes() {
			v.report("deleted %s, though leavers are deactivated", before.values["userName"])
		}
	}
	for id, whole := range v.foreign {
		is := now.accounts[id].whole + now.groups[id].whole
		if is != whole {
			v.report("touched what is not ours: %s", cmp.Diff(whole, is))
		}
	}
	for id, identity := range v.strangers {
		if is := now.accounts[id].identity(); is != identity {
			v.report("wrote to another user's account %s: it was %s and is %s", id, identity, is)
		}
	}
	v.last = now
}

// differences compares the application with the truth at quiet. excused are people about whom
// the report says why not.
func (w *world) differences(excused map[string]string) (out []string) {
	tr, inv := w.set.truth(w.tenant.Snapshot()), w.inventory()
	by := map[string]account{}
	for _, a := range inv.accounts {
		if a.external != "" {
			by[a.external] = a
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tr.people)) {
		p, a := tr.people[id], by[id]
		_, excuse := excused[id]
		switch {
		case excuse:
		case p.active && a.id == "":
			out = append(out, fmt.Sprintf("%s has no account", p.values["userName"]))
		case p.active && !a.active:
			out = append(out, fmt.Sprintf("%s is not active", p.values["userName"]))
		case p.active && cmp.Diff(p.values, a.values) != "":
			out = append(out, fmt.Sprintf("%s (-wanted +has): %s", p.values["userName"], cmp.Diff(p.values, a.values)))
		}
	}
	return append(out, w.groupDifferences(tr, inv, by, excused)...)
}

// leavers are people whose account is there, or active, though the configuration says otherwise.
func (w *world) leavers(excused map[string]string) (out []string) {
	tr, inv := w.set.truth(w.tenant.Snapshot()), w.inventory()
	by := map[string]account{}
	for _, a := range inv.accounts {
		if a.external != "" {
			by[a.external] = a
		}
	}
	for _, external := range slices.Sorted(maps.Keys(by)) {
		a := by[external]
		if tr.people[external].active || tr.people[external].unknown || w.watch.foreign[a.id]+w.watch.strangers[a.id] != "" || excused[external] != "" {
			continue
		}
		removal := w.set.removal(tr, external)
		switch {
		case w.watch.restored && !a.active: // a restored state does not know that it switched the account off, nor when
		case removal.Do == plan.Delete || removal.After > 0:
			out = append(out, a.values["userName"]+" still has an account")
		case a.active:
			out = append(out, a.values["userName"]+" is still active")
		}
	}
	return out
}

func (w *world) groupDifferences(tr truth, inv inventory, by map[string]account, excused map[string]string) (out []string) {
	found := map[string]group{}
	for id, g := range inv.groups {
		if _, twice := found[g.external]; twice {
			out = append(out, "two groups for "+g.external)
		}
		if g.external != "" {
			found[g.external] = g
		}
		if _, ours := tr.groups[g.external]; !ours && w.watch.foreign[id] == "" && !w.watch.restored { // a restored state knows no group that was made since
			out = append(out, fmt.Sprintf("group %s is still there", g.name))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tr.groups)) {
		g, ok := found[id]
		if _, excuse := excused[id]; excuse {
			continue
		}
		if !ok || g.name != tr.names[id] {
			out = append(out, fmt.Sprintf("group %s is %q there", tr.names[id], g.name))
			continue
		}
		members := []string{}
		for m := range tr.groups[id] {
			if a, ok := by[m]; ok {
				members = append(members, a.id)
			}
		}
		slices.Sort(members)
		// A stranger who got the id of a member is in the group: nothing is written about accounts that are not ours.
		// So may be an account that was linked by its userName alone and never written, or that an
		// administrator took for a user's.
		ofExcused := func(account string) bool {
			if a := inv.accounts[account]; w.watch.restored && !a.active { // a restored state does not know in which groups users came since
				return true
			} else if a.external == "" && (w.watch.answered || slices.ContainsFunc(slices.Collect(maps.Keys(tr.groups[id])), func(m string) bool { return tr.people[m].values["userName"] == a.values["userName"] })) {
				return true
			}
			return excused[inv.accounts[account].external]+w.watch.strangers[account] != ""
		}
		members, g.members = slices.DeleteFunc(members, ofExcused), slices.DeleteFunc(slices.Clone(g.members), ofExcused)
		if diff := cmp.Diff(members, g.members); diff != "" {
			out = append(out, fmt.Sprintf("members of %s (-wanted +has): %s", g.name, diff))
		}
	}
	return out
}

// problems are what must never be seen, and what differs from the truth.
func (w *world) problems() []string {
	return slices.Concat(w.watch.reported, w.differences(nil), w.leavers(nil))
}
