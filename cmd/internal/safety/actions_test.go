package safety

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// actions are what can happen between two cycles. An action draws what it needs, says in the
// story what it did, and does nothing when there is nothing to do it to. To add one, write a
// method and name it here; what it changes in the directory the truth reads from the emulator.
var actions = map[string]func(*history){
	"hire":         directory(func(h inDirectory) { h.hire("") }),
	"collide":      directory(inDirectory.collide),
	"rehire":       directory(inDirectory.rehire),
	"move":         directory(inDirectory.move),
	"rename":       directory(inDirectory.rename),
	"enable":       directory(inDirectory.enable),
	"delete":       directory(inDirectory.softDelete),
	"restore":      directory(inDirectory.restore),
	"purge":        directory(inDirectory.purge),
	"group":        directory(inDirectory.addGroup),
	"rename group": directory(inDirectory.renameGroup),
	"member":       directory(inDirectory.changeMember),
	"assign":       directory(inDirectory.assign),
	"unassign":     directory(inDirectory.unassign),
	"by hand":      application(inApplication.deleteByHand),
	"adoptable":    application(inApplication.seed),
	"protect":      application(inApplication.protectByHand),
	"decide":       (*history).decide,
	"time":         (*history).wait,

	"id given out again":       application(inApplication.giveOutAgain),
	"group id given out again": application(inApplication.giveOutGroupAgain),
	"made again":               application(inApplication.makeAgain),
	"application emptied":      application(inApplication.empty),
	"clock":                    (*history).setClock,
	"back up":                  (*history).backUp,
	"restore state":            (*history).restoreState,
}

// inDirectory is what administrators of the directory do.
type inDirectory struct{ *history }

func directory(do func(inDirectory)) func(*history) {
	return func(h *history) { do(inDirectory{h}) }
}

// inApplication is what administrators of the application do there, without the directory.
type inApplication struct{ *history }

func application(do func(inApplication)) func(*history) {
	return func(h *history) { do(inApplication{h}) }
}

// act draws one of the actions.
func (h *history) act() {
	actions[rapid.SampledFrom(slices.Sorted(maps.Keys(actions))).Draw(h.rt, "action")](h)
}

// some draws one of the objects and does something to it, when there is any.
func (h *history) some(label string, from []graphsync.ID, do func(graphsync.ID)) {
	if len(from) > 0 {
		do(rapid.SampledFrom(from).Draw(h.rt, label))
	}
}

// hire adds a user; without a user principal name one of its own.
func (h inDirectory) hire(upn string) {
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

// collide hires a user who wants the user principal name of another one.
func (h inDirectory) collide() {
	h.some("namesake", h.alive(h.users), func(id graphsync.ID) { h.hire(strings.ToUpper(h.upns[id])) })
}

// rehire gives a new user a user principal name that another one had.
func (h inDirectory) rehire() {
	if len(h.free) > 0 {
		h.hire(h.free[0])
		h.free = h.free[1:]
	}
}

// move changes a property of a user.
func (h inDirectory) move() {
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
}

func (h inDirectory) rename() {
	h.some("who", h.alive(h.users), func(id graphsync.ID) {
		h.made++
		upn := fmt.Sprintf("Renamed%d@contoso.example", h.made)
		h.note("%s is renamed %s", h.upns[id], upn)
		h.free = append(h.free, h.upns[id])
		h.tenant.Set(id, "userPrincipalName", upn)
		h.upns[id] = upn
	})
}

// enable sets whether a user is enabled, or has the directory not say.
func (h inDirectory) enable() {
	h.some("who", h.alive(h.users), func(id graphsync.ID) {
		on := rapid.SampledFrom([]any{true, false, nil}).Draw(h.rt, "enabled")
		h.tenant.Set(id, "accountEnabled", on)
		h.note("%s is enabled: %v", h.upns[id], on)
	})
}

func (h inDirectory) softDelete() {
	h.some("what", h.alive(h.objects()), func(id graphsync.ID) {
		h.tenant.SoftDelete(id)
		h.gone[id] = true
		h.note("%s %s is deleted", id, h.upns[id])
	})
}

func (h inDirectory) restore() {
	h.some("what", h.deleted(h.objects()), func(id graphsync.ID) {
		h.tenant.Restore(id)
		delete(h.gone, id)
		h.note("%s %s is restored", id, h.upns[id])
	})
}

func (h inDirectory) purge() {
	h.some("what", h.deleted(h.objects()), func(id graphsync.ID) {
		h.tenant.Purge(id)
		is := func(x graphsync.ID) bool { return x == id }
		h.users, h.groups = slices.DeleteFunc(h.users, is), slices.DeleteFunc(h.groups, is)
		if upn := h.upns[id]; upn != "" {
			h.free = append(h.free, upn)
		}
		h.note("%s %s is purged", id, h.upns[id])
	})
}

func (h inDirectory) addGroup() {
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

func (h inDirectory) renameGroup() {
	h.some("group", h.alive(h.groups), func(id graphsync.ID) {
		h.made++
		h.tenant.Set(id, "displayName", fmt.Sprintf("Renamed %d", h.made))
		h.note("group %s is renamed", id)
	})
}

// changeMember has a user or group join or leave a group.
func (h inDirectory) changeMember() {
	h.some("group", h.alive(h.groups), func(group graphsync.ID) {
		others := slices.DeleteFunc(h.objects(), func(x graphsync.ID) bool { return x == group })
		h.some("member", h.alive(others), func(member graphsync.ID) {
			if rapid.Bool().Draw(h.rt, "joins") {
				h.tenant.AddMember(group, member)
				h.note("%s %s joins group %s", member, h.upns[member], group)
			} else {
				h.tenant.RemoveMember(group, member)
				h.note("%s %s leaves group %s", member, h.upns[member], group)
			}
		})
	})
}

func (h inDirectory) assign() {
	h.some("whom", h.alive(h.objects()), func(id graphsync.ID) {
		role := rapid.SampledFrom(append([]string{""}, roles...)).Draw(h.rt, "role")
		h.tenant.Assign(frontApp, id, role)
		h.note("%s %s is assigned %q", id, h.upns[id], role)
	})
}

func (h inDirectory) unassign() {
	rows := h.tenant.Snapshot().Assignments
	if len(rows) > 0 {
		row := rapid.SampledFrom(rows).Draw(h.rt, "assignment")
		h.tenant.Unassign(row.ID)
		h.note("%s %s is unassigned %q", row.Principal, h.upns[row.Principal], row.Role)
	}
}

// deleteByHand is an account of ours that is deleted in the application. That is noticed when
// there is something to write, see quiet.
func (h inApplication) deleteByHand() {
	h.some("whose", h.alive(h.users), func(id graphsync.ID) {
		for _, a := range h.inventory().accounts {
			if a.external != id.String() {
				continue
			}
			h.front.Delete(h.t, "/Users/"+a.id)
			h.watch.free(a.id)
			h.note("%s is deleted in the application", a.values["userName"])
		}
		h.drift[id] = true
	})
}

// seed makes an account that is a user's without saying so.
func (h inApplication) seed() {
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

// protectByHand is an account that the application protects from now on, or no longer.
func (h inApplication) protectByHand() {
	h.some("whose", h.alive(h.users), func(id graphsync.ID) {
		on := rapid.Bool().Draw(h.rt, "protected")
		for _, a := range h.inventory().accounts {
			if a.external != id.String() || !h.set.protect {
				continue
			}
			if on {
				h.front.Set(h.t, "/Users/"+a.id, "nickName", "protected")
				h.watch.leave(a.id)
			} else {
				h.front.Set(h.t, "/Users/"+a.id, "nickName", "no")
				h.watch.free(a.id)
			}
			h.note("the account of %s is protected: %v", h.upns[id], on)
		}
	})
}

// decide approves or rejects one of the holds there are.
func (h *history) decide() {
	err := h.state.Update(func(tx *state.Tx) error {
		holds := slices.SortedFunc(tx.Holds(h.sync.Name).All(), func(a, b state.Hold) int { return strings.Compare(a.ID, b.ID) })
		if len(holds) == 0 {
			return nil
		}
		hold := rapid.SampledFrom(holds).Draw(h.rt, "hold")
		do, word := guard.Reject, "rejected"
		if rapid.Bool().Draw(h.rt, "approve") {
			do, word, h.watch.answered = guard.Approve, "approved", true
		}
		n, err := do(tx, h.sync.Name, hold.ID, plan.Decision{At: time.Now()})
		h.note("hold %s of %s, %d actions, is %s", hold.ID, hold.Guard, n, word)
		return err
	})
	if err != nil {
		h.rt.Fatalf("answer a hold: %v", err)
	}
}

// wait lets time pass.
func (h *history) wait() {
	wait := rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour, 25 * time.Hour, 8 * 24 * time.Hour}).Draw(h.rt, "wait")
	time.Sleep(wait)
	h.note("%v pass", wait)
}
