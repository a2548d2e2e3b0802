package main

import "slices"

// Reading the directory: what is believed of it.
var pulling = slices.Concat(
	in("reconcile/snapshot/reader.go",
		fault{"PUL1", "an absence of a full round counts without being confirmed", `presence, err := a.source.Presence(ctx, kind, ids)`,
			`presence, err := make([]graphsync.Presence, len(ids)), error(nil)
		for i := range presence {
			presence[i] = graphsync.Absent
		}`},
		fault{"PUL2", "an assignment that a list lacks is gone without being asked for", `presence, err := r.source.AssignmentPresence(ctx, servicePrincipal, ids)`, `presence, err := make([]graphsync.Presence, len(ids)), error(nil)
		for i := range presence {
			presence[i] = graphsync.Absent
		}`},
		fault{"PUL3", "an incomplete reading of the assignments is taken", `if errors.Is(err, graphsync.ErrResync) || errors.Is(err, graphsync.ErrIncomplete) {`, `if errors.Is(err, graphsync.ErrIncomplete) {
		return nil
	}
	if errors.Is(err, graphsync.ErrResync) {`},
		fault{"PUL4", "a disabled enterprise application is read like any other", `if !app.Enabled {`, `if false {`},
		fault{"PUL5", "members that a full round left out are gone without a look", `err = a.confirmMembers(ctx)`, `err = nil`},
		fault{"PUL6", "a member that a full round left out is taken out of the group", `if !present[member] {
				gone`, `if true {
				gone`},
		fault{"PUL7", "the sweep ends before the absences are settled", `if err != nil || !sweep {`, `if !sweep {`},
		fault{"PUL8", "an expired delta link does not begin a new round", `errors.Is(err, graphsync.ErrResync) && restarts < restartLimit`, `errors.Is(err, graphsync.ErrResync) && restarts > restartLimit`},
		fault{"PUL9", "what a sync that is not configured misses is not kept for it", `return tenant.Update(func(tx *state.Tx) error { return setEverything(tx, absent) })`, `return nil`},
		fault{"PUL10", "other properties are read with the delta link of a round that did not select them", `cursor.Select != graphsync.SelectKey(s.properties)`, `false`},
		fault{"PUL11", "assignments that were read before a membership was lost are taken", `if r.order.losses.Load() != losses {`, `if r.order.losses.Load() < losses {`},
		fault{"PUL12", "members are placed before all users are read", `if err := s.order.users.read.wait(ctx); err != nil { // members`, `if err := ctx.Err(); err != nil { // members`},
		fault{"PUL14", "a list of users that does not fit the count is taken", `err == nil && cursor.Miscounted {`, `err == nil && false {`},
		fault{"PUL15", "a first read by lists is not read again", `cursor.Unverified && cursor.Complete && !tx.SyncInfo(s.sync).FirstRun.IsZero()`, `false`},
		fault{"PUL16", "users are listed again after the first round", `c.Round == 1 && c.Full`, `c.Full`},
		fault{"PUL13", "a page of an earlier round is stored", `c.Round != round || link != page.from`, `c.Round > round+1000 && link != page.from`},
	),
	in("graphsync/odata/page.go",
		fault{"ODA1", "a removal for a reason that is not documented counts as a change", `fault = "its @removed gives no reason that Graph documents"`, `_ = fault`},
		fault{"ODA2", "members of an entry that was left out count for the next entry", `d.properties, d.members, d.page.Skipped = d.properties[:firstProperty], d.members[:firstMember], d.page.Skipped[:skipped]`,
			`d.properties, d.page.Skipped = d.properties[:firstProperty], d.page.Skipped[:skipped]`},
		fault{"ODA3", "a removed member joins", `m.change.Removed = true`, `m.change.Removed = false`},
		fault{"ODA4", "a page without a link ends the round", `return nil, Undocumented("the page has neither a nextLink nor a deltaLink")`, `list.Delta = "none"`},
	),
)

// Deciding who should have what: scope, activity, removals.
var planning = slices.Concat(
	in("reconcile/drafter.go",
		fault{"STD1", "a user whom the directory never reported is planned", `case !known: // never reported`, `case !known && false: // never reported`},
		fault{"STD2", "a failed record is tried again in every cycle that reads the clock", `!retry.Skipped && !due(&retry, d.now)`, `false && !retry.Skipped`},
		fault{"STD3", "a filter that cannot judge a user is no reason to leave the user alone", `if stand.Problem != "" {`, `if false {`},
		fault{"STD4", "a user whose accountEnabled is absent is deactivated", `stand.InScope && !stand.Enabled && !stand.Disabled`, `false`},
		fault{"STD5", "an inactive user gets an account", `return nil // an inactive person is not created`, `wanted = true`},
		fault{"STD6", "an account that is switched off by us is updated", "case !wanted:\n\t\tstand.Why", "case false:\n\t\tstand.Why"},
		fault{"STD7", "on_remove is carried out although the action is not allowed", `if !rules.May(op) {
		return d.skip(graphsync.User, link.Source`, `if false {
		return d.skip(graphsync.User, link.Source`},
		fault{"STD8", "an account is deleted before its time", `if d.info.Observed-rec.Since < after {`, `if false {`},
		fault{"STD9", "an account whose time has come is not deleted", `if d.info.Observed-rec.Since < after {`, `if true {`},
		fault{"STD10", "an account is not looked at again when its time of deletion has come", `return d.keepLater(link.Source)`, `return nil`},
		fault{"STD11", "a deactivated account of a leaver is deleted though leavers are deactivated", `if err != nil || after == never {`, `if err != nil {`},
		fault{"STD12", "a deactivation writes other values too", `a.Changes = []plan.Change{{Attribute: "active", Old: true, New: false}}`, `a.Changes = []plan.Change{{Attribute: "active", Old: true, New: false}, {Attribute: "displayName", New: key}}`},
		fault{"STD13", "two new users with one matching value both get an account", `other, err := d.names().claim(kind, id, path, value)`, `other, err := graphsync.ID{}, error(nil)`},
		fault{"STD14", "of two new users with one matching value the first gets the account", `if err := d.names().withdraw(kind, other, path, value, id); err != nil {
			return err
		}`, ``},
		fault{"STD15", "a new user gets the account of a linked user with the same matching value", `if former, err := n.isFormer(kind, other); err != nil || !former {
			return other, err
		}`, ``},
		fault{"STD16", "a value stays reserved for a user who is gone and switched off", `return linked && !link.Active && known && object.Removed != graphsync.NotRemoved, err`, `return false && linked && !link.Active && known && object.Removed != graphsync.NotRemoved, err`},
		fault{"STD17", "a value is free as soon as its user is inactive, deleted or not", `return linked && !link.Active && known && object.Removed != graphsync.NotRemoved, err`, `return linked && !link.Active && (true || known && object.Removed != graphsync.NotRemoved), err`},
		fault{"STD18", "an account that another sync owns by now is changed", `owner, lost, err := dropLost(d.owners, d.opts.records(d.tx, d.sync), d.ledger, &link)`, `_ = link
		owner, lost, err := d.owners.Owner(a.Kind, a.SourceID), false, error(nil)`},
		fault{"STD19", "an object that an expression says to ignore is written", `if result.IgnoreObject {`, `if false {`},
		fault{"STD20", "an object that cannot be mapped is written", `if p := result.Problem; p != nil {`, `if p := result.Problem; p != nil && false {`},
		fault{"STD21", "a user who comes back is updated and stays inactive", `case wanted && !shown.link.Active:
		op = plan.Reactivate
		changes = desired.WithActive(changes, false, true)`, `case wanted && !shown.link.Active && false:`},
		fault{"STD22", "a mapping of active that says false is ignored", `case !wanted && link.Active:
		stand.Why`, `case false:
		stand.Why`},
		fault{"STD23", "an update is carried out although the action is not allowed", `if !d.sync.Users.May(op) {`, `if false {`},
	),
	in("reconcile/draft.go",
		fault{"DRA1", "a changed configuration evaluates no user", `changed := p.info.ConfigHash != p.sync.Hash()`, `changed := false`},
		fault{"DRA2", "what is due again is not planned", `if due(&retry, p.now) || retry.Skipped && !p.opts.Scheduled {`, `if false {`},
		fault{"DRA3", "the plan of the cycle before is not cleared", `[]string{plan.ActionSpace, plan.SkippedSpace, plan.PartHeldSpace`, `[]string{plan.SkippedSpace, plan.PartHeldSpace`},
		fault{"DRA4", "answers outlive the action they were given for", `err = d.forgetDecisions(kind, id)`, `err = nil`},
		fault{"DRA5", "people below a changed group are not looked at", `users = append(users, below...)`, `_ = below`},
		fault{"DRA6", "a full cycle evaluates only what is pending", `(changed || p.opts.Full || tx.Pending(p.sync.Name).Everything())`, `(changed || p.opts.Full)`},
		fault{"DAT6", "objects whose time has come stay as they are", `if err := p.pendReached(); err != nil {`, `if err := error(nil); err != nil {`},
		fault{"DRA7", "what reads the clock is not evaluated when time passes", `!p.sync.readsClock()`, `true`},
	),
	in("reconcile/datetimes.go",
		fault{"DAT2", "a date that was passed while the worker was off is forgotten", `return d.of.Delete(key[8:])`, `return nil`},
		fault{"DAT3", "a plan moves the dates that the next cycle acts on", `case !d.opts.Apply:`, `case false:`},
		fault{"DAT4", "while the clock is wrong dates are taken for passed", `case judged && d.sync.dated() && d.findings.untimely != "":`, `case false:`},
		fault{"DAT11", "while the clock is wrong a date switches an account on", `j.in && !j.active, `, `j.in && !j.linked, `},
		fault{"DAT5", "while the clock is wrong dates create and remove", `if d.findings.untimely == "" || !j.filter.Dated()`, `if true || !j.filter.Dated()`},
		fault{"DAT1", "a user is due at the former date as well", `if err := d.at.Delete(old[:]); err != nil {`, `if err := error(nil); err != nil {`},
	),
	in("reconcile/desired/rules.go",
		fault{"LVR1", "accounts of deleted users are handled as those of unassigned users", `return *r.OnDelete`, `return r.OnRemove`},
		fault{"LVR2", "accounts of unassigned users are handled as those of disabled users", `return *r.OnUnassign`, `return r.OnRemove`},
	),
	in("reconcile/freshness.go",
		fault{"FRE1", "the wait of a removals cycle counts from the last cycle on schedule", `r.opts.AccessRead.After(since)`, `false`},
		fault{"FRE2", "the wait of a direct assignment counts from a removals cycle, which does not read assignments", `if r.opts.Removals && `, `if `},
	),
	in("cmd/internal/web/freshness.go",
		fault{"FRE3", "a removal that fails does not make a sync late", `r.OldestRemoval.Before(since)`, `false`},
	),
	in("reconcile/offrecord.go",
		fault{"LVR3", "a user who was unassigned and is deleted later waits for the approval of a changed configuration", `if r.Reason == reason {`, `if true {`},
		fault{"LVR4", "the days of the deletion count from the day on which the user was unassigned", `since = min(now, r.Since+r.After-after)`, `since = r.Since`},
		fault{"LVR5", "a user who is deleted while nothing is deleted counts as deleted when the configuration is changed", `return renewed, o.put(id, renewed)`, `return renewed, nil`},
	),
	in("reconcile/scope/date.go",
		fault{"DAT8", "a day begins in UTC whatever the time zone is", `return time.ParseInLocation(time.DateOnly, string(text), zone)`, `return time.ParseInLocation(time.DateOnly, string(text), time.UTC)`},
		fault{"DAT9", "days are counted as 24 hours each", `AddDate(0, 0, -m.days).Add(-m.hours)`, `Add(-m.hours - 24*time.Hour*time.Duration(m.days))`},
		fault{"DAT10", "a text that is no date is out of scope", `		return Invalid
	}
	switch op {
	case before:`, `		return Out
	}
	switch op {
	case before:`},
	),
	in("reconcile/draftgroup.go",
		fault{"DRG1", "a group out of scope is deleted although the action is not allowed", `if !d.sync.Groups.May(plan.Delete) {`, `if false {`},
		fault{"DRG2", "members of a group that comes back are not looked at", `|| !link.Active {`, `{`},
		fault{"DRG3", "a failed change of members is not tried again", `failed.Op == string(plan.Members)`, `failed.Op == string(plan.Members) && false`},
		fault{"DRG4", "a group that the filter cannot judge is deleted", `if problem != "" {`, `if false {`},
	),
	in("reconcile/members.go",
		fault{"MBR1", "a membership whose answer was lost is not written again", `last == unsure || last != account`, `last != account && last != unsure`},
		fault{"MBR2", "a member who left the group stays in it", `case !wanted && applied:`, `case false:`},
		fault{"MBR3", "members of a group that waits for an answer are written", `part.live = a.Held == nil
`, `part.live = true
`},
		fault{"MBR4", "a deleted user is put into groups", `return ok && object.Removed == graphsync.NotRemoved, account, false, nil`, `return ok, account, false, nil`},
		fault{"MBR5", "memberships of a group out of scope are written", `if _, in, _ := d.eval.GroupInScope(&object); !in {
		return nil
	}`, ``},
		fault{"MBR6", "who was in an adopted group already is not known", `return account, true, seeds.Put(membershipKey(group, member), []byte(account))`, `return last, applied, seeds.Put(membershipKey(group, member), []byte(account))`},
		fault{"MBR7", "memberships of a user who appears are not looked at", `if !d.sync.Groups.Enabled || d.findings.all && linked {`, `if true {`},
		fault{"MBR8", "a member whose account is another one now stays with the old one", `case wanted && (!applied || last == unsure || last != account):`, `case wanted && !applied:`},
	),
	in("reconcile/references.go",
		fault{"REF1", "a manager who gets an account is not looked at again", `if err := requeue(tx, r.sync.Name, state.PendingKey{Kind: graphsync.User, ID: graphsync.ID(key[16:])}); err != nil {
			return err
		}`, ``},
		fault{"REF2", "a reference to a manager who gets an account is not planned", `if made == nil || made.Op != plan.Create && made.Op != plan.Adopt {`, `if true {`},
	),
	in("reconcile/desired/eligibility.go",
		fault{"SCO4", "members of an excluded group are in scope", `return "member of the excluded group " + facts.Name, "excluded group " + facts.Name, true`,
			`return "member of the excluded group " + facts.Name, "excluded group " + facts.Name, false`},
		fault{"SCO20", "users of no included group are in scope", `return "member of none of the included groups", "left the included groups", true`, `return "", "", false`},
		fault{"SCO21", "users who leave an included group are no cause of their own", `s.Left = link.Via
		}
		return "no longer a member of the included`, `s.Left = graphsync.ID{}
		}
		return "no longer a member of the included`},
		fault{"SCO1", "a disabled user counts as enabled", `s.Disabled = true`, `s.Enabled = true`},
		fault{"SCO2", "a user who was deleted but can be restored stays in scope", `case graphsync.SoftDeleted:
		s.Why, s.Cause, s.Reason = "deleted in Entra (restorable)", "deleted in Entra", Deleted
		return s`, `case graphsync.SoftDeleted:`},
		fault{"SCO3", "guests are in scope whatever the configuration says", `!sc.Guests &&`, `false &&`},
		fault{"SCO5", "a filter that cannot judge a user removes the user", `s.Problem = reason.String()`, `return "", "left the scoping filter", true`},
		fault{"SCO6", "a deleted group still gives its assignment", `if facts := e.Group(id); facts.live {
			c.add`, `if facts := e.Group(id); true {
			c.add`},
		fault{"SCO7", "a disabled app role is given", `if !declared.Enabled {`, `if false {`},
		fault{"SCO8", "nested groups count without being asked for", "direct := slices.Collect(e.tx.Members().GroupsOf(member))\n\tif !e.sync.Scope.Nested {", "direct := slices.Collect(e.tx.Members().GroupsOf(member))\n\tif false {"},
		fault{"SCO9", "a group that a filter cannot judge is removed", `return "", false, reason.String()`, `return "", false, ""`},
		fault{"SCO10", "users excluded by name are in scope", `return "excluded by name in the configuration", "excluded by the configuration", true`, `return "", "", false`},
		fault{"SCO12", "an assignment that was missing for the first time counts like any other", `confirmed: !e.tx.Assignments(e.sync.AppID).Missed(a.ID)`, `confirmed: true`},
		fault{"SCO11", "whom the scoping filter leaves out is in scope", `return "does not pass the scoping filter: " + reason.String(), "left the scoping filter", true`, `return "", "", false`},
	),
)
