package main

import "slices"

// Finding the account that exists.
var matching = slices.Concat(
	in("reconcile/evaluate.go",
		fault{"MAT1", "one of several accounts that match is taken", `if len(found) > 1 {`, `if false {`},
		fault{"MAT2", "the account of a user who can be restored is offered to another", `object.Removed == graphsync.Purged`, `object.Removed != graphsync.NotRemoved`},
		fault{"MAT3", "a protected account is adopted", `if m.kind == graphsync.User && m.sync.Scope.Protects(r) {`, `if false {`},
		fault{"MAT5", "an account that another sync owns is adopted", `if !transferable {
			return matchResult{code: "duplicate_target", why: fmt.Sprintf("the account with this %s (%s) is %s; %s"`, `if false {
			return matchResult{code: "duplicate_target", why: fmt.Sprintf("the account with this %s (%s) is %s; %s"`},
		fault{"MAT6", "an account that another sync gave up is taken without an answer", `v.formerOwner, v.hold = owner, guard.Hold(guard.FormerOwner, cause)`, `v.formerOwner, _ = owner, cause`},
		fault{"MAT7", "the account of another user of this sync is adopted", `if !gone {`, `if false {`},
		fault{"MAT8", "the account of a purged user is taken without an answer", `v.former, v.hold = owner.Source, guard.Hold(guard.Adoption, "accounts of people who were deleted in Entra")`, `v.former = owner.Source`},
		fault{"MAT9", "an account with the externalId of another user is taken without an answer", `theirs != "" && ours != "" && theirs != ours`, `false && theirs != ours`},
		fault{"MAT10", "an account in a foreign domain is taken without an answer", `v.hold = guard.ForeignHold(guard.CauseForeignAccount)`, `_ = v`},
		fault{"MAT11", "a group that exists is taken over though takeover is skip", `return matchResult{code: "group_exists", why: "a group of this name exists and takeover is skip"}, nil`, `_ = v`},
		fault{"MAT12", "a group that exists is taken over without an answer", `v.hold = guard.Hold(guard.Takeover, fmt.Sprintf("a group named %q exists", a.Key))`, `_ = v`},
		fault{"MAT13", "an account is made although create is not allowed", `if !m.rules.May(plan.Create) {`, `if false {`},
		fault{"MAT14", "a later matching attribute is tried before an earlier one", `for i, path := range m.paths {
		value := a.Match[i]`, `for i := range m.paths {
		i = len(m.paths) - 1 - i
		path := m.paths[i]
		value := a.Match[i]`},
		fault{"MAT15", "an account is matched by the first attribute alone", `if value == "" {
			continue
		}
		if err := ctx.Err()`, `if i > 0 {
			break
		}
		if err := ctx.Err()`},
		fault{"MAT16", "a look-up that failed counts as nothing found", `return matchResult{retry: err}, nil
		}
		if len(found) > 1`, `continue
		}
		if len(found) > 1`},
		fault{"CRN16", "an account that another sync is making is taken", `if making && !owned {`, `if making && creator.Sync == "" {`},
		fault{"MAT21", "the account of a purged user that is still active is offered", `(!linked || !link.Active)`, `(true || !linked)`},
	),
	in("reconcile/match.go",
		fault{"MAT4", "two users of one plan adopt one account", `if other, taken := m.adopted[v.adopt.ID]; taken {`, `if other, taken := m.adopted[v.adopt.ID]; taken && false {`},
		fault{"MAT17", "of two who match one account the first of the plan takes it, whichever user's id it carries", `for _, byID := range []bool{true, false} {`, `for _, byID := range []bool{false, true} {`},
		fault{"MAT18", "an adopted account that is inactive stays so", "if m.kind == graphsync.User && inactive(r) {\n\t\ta.Changes", "if false {\n\t\ta.Changes"},
		fault{"MAT19", "an adoption that waits for an answer is carried out", `a.Held, a.Former, a.FormerOwner = v.hold, v.former, v.formerOwner`, `a.Former, a.FormerOwner = v.former, v.formerOwner`},
		fault{"MAT20", "adopting overwrites values with the defaults of a creation", `want, err := m.eval.DesireIn(tx, m.kind, a.SourceID, false)`, `want, err := m.eval.DesireIn(tx, m.kind, a.SourceID, true)`},
	),
	in("reconcile/listing.go",
		fault{"LIS1", "a list that was left early counts as complete", `return false, m.clearList()`, `return true, nil`},
		fault{"LIS2", "an account that another sync owns is kept in this tenant's file", `r = &target.Resource{Ref: r.Ref}`, `_ = r`},
		fault{"LIS3", "values of redacted attributes are kept in the state", `if attribute.Redact && r.Attributes != nil {`, `if false {`},
		fault{"LIS4", "an application that was listed counts as empty", `empty = false`, `empty = true`},
	),
	in("reconcile/takeover.go",
		fault{"TAK1", "members of an adopted group whom this sync does not provision are counted as leaving", `case !ours:
			foreign++`, `case !ours:
			leave++`},
		fault{"TAK2", "members of an adopted group who should not be in it stay", `if err := pairs.Put(membershipKey(a.SourceID, source), nil); err != nil {
				return err
			}`, ``},
	),
	in("reconcile/ownership/accounts.go",
		fault{"FOR3", "an account of another sync of the tenant is free", `if slices.Contains(a.TenantSyncs, owner.Sync) {`, `if false && slices.Contains(a.TenantSyncs, owner.Sync) {`},
	),
	in("reconcile/offertransfers.go",
		fault{"FOR1", "an account is given up while it is active", "case !link.Active:\n\t\treturn d.tx", "case true:\n\t\treturn d.tx"},
		fault{"FOR2", "an account that is active is given up in the registry", `if linked && !link.Active {
					accounts`, `if linked {
					accounts`},
		fault{"FOR4", "a link to an account that is another's by now is kept", `return owner, true, in.forgetLink(link.Kind, link.Source)`, `return owner, true, nil`},
		fault{"FOR5", "an account that is to be deleted is given up", `case !d.opts.Apply, removal.Do != plan.Deactivate, removal.After > 0:`, `case !d.opts.Apply, removal.Do != plan.Deactivate:`},
	),
)

// Whether a link is still of the account: after a change of the target, after a crash, in a full
// cycle.
var locating = slices.Concat(
	in("reconcile/adoptedorphan.go",
		fault{"ADO1", "an account is offered for adoption and for removal at once", `return planned.Delete(removal)`, `return nil`},
		fault{"ADO2", "an account whose adoption was rejected is no longer offered for removal", `d.Verdict == guard.Rejected`, `d.Verdict == guard.Approved`},
	),
	in("reconcile/locate.go",
		fault{"LOC3", "links of another application are used as they are", `another := m.info.Moving || was.ID != "" && !was.Same(here)`, `another := false && was.ID == ""`},
		fault{"LOC4", "a dry run looks for the accounts and changes links", `if !m.opts.Apply {
		if anything`, `if false {
		if anything`},
		fault{"LOC5", "a mistyped address loses all links", `if _, err := m.target.Probe(ctx, m.sync.Paths()); err != nil {
		return err
	}`, ``},
		fault{"LOC6", "what was begun in another application is looked for here", `if err := m.forgetIntents(); err != nil {
		return err
	}`, ``},
		fault{"LOC7", "an interrupted move is not resumed", `info.Moving = true; return nil`, `return nil`},
		fault{"LOC8", "links that were set aside are not taken up again", `return m.restore(ctx)`, `return nil`},
		fault{"LOC9", "an account that another owns is linked after a move", `if present[link.TargetID] != m.owners.Owner(link.Kind, link.Source) {
				if err := m.opts.records(tx, m.sync).forgetLink`, `if false {
				if err := m.opts.records(tx, m.sync).forgetLink`},
		fault{"LOC10", "links that are set aside are lost", `if err := tx.Space(m.sync.Name, parkedSpace).Put(parkedKey(link), plan.Encode(link)); err != nil {
			return err
		}`, ``},
		fault{"LOC11", "after a move no user is evaluated", `return tx.Pending(m.sync.Name).SetEverything(true)
	})`, `return nil
	})`},
	),
	in("reconcile/recover.go",
		fault{"REC1", "one of several accounts is linked after a lost answer", `if len(found) != 1 {`, `if len(found) == 0 {`},
		fault{"REC2", "an account with the externalId of another is linked after a lost answer", `|| !wasIntended(r.sync.rules(intent.Kind), intent, &found[0]) {`, `{`},
		fault{"REC14", "an account that a failed adoption did not reach is linked", `return a.CarriesExternalID(shown)
	}
	return a.Evaluate(shown) != desired.Foreign`, `_ = a.CarriesExternalID(shown)
	}
	return a.Evaluate(shown) != desired.Foreign`},
		fault{"REC3", "a protected account is linked after a lost answer", `if intent.Kind == graphsync.Group || !r.sync.Scope.Protects(&found[0]) {`, `if true {`},
		fault{"REC4", "an account that another owns is linked after a lost answer", `if owned && owner != r.owners.Owner(intent.Kind, intent.Source) ||`, `if owned && owner.Sync == "" ||`},
		fault{"REC6", "a membership whose answer was lost is not marked", `if err := tx.AppliedMembers(l.sync.Name).Put(a.SourceID, member, unsure); err != nil {
						return err
					}`, `_ = member`},
		fault{"REC7", "what was read again is not compared", `			}
		}
		if err := tx.Pending(r.sync.Name).Add(state.PendingKey{Kind: link.Kind, ID: link.Source}); err != nil {
			return err
		}
		return r.opts.records(tx, r.sync).deleteIntent`, `			}
		}
		return r.opts.records(tx, r.sync).deleteIntent`},
		fault{"REC8", "an account read again keeps the activity that the link has", `link.Active = !inactive(resource)`, `_ = resource`},
		fault{"REC9", "an account that is gone keeps its link after a lost answer", `gone := target.CodeOf(err) == target.NotFound && err != nil`, `gone := false`},
		fault{"REC10", "an account whose look-up fails is gone", `gone := target.CodeOf(err) == target.NotFound && err != nil`, `gone := err != nil`},
		fault{"REC11", "one record that cannot be looked into stops the cycle", `return r.unread(intent, r.nameOfIntent(intent), err) // one record never stops the rest`, `return err`},
		fault{"REC12", "a claim of another is ignored when an intent is resolved", `err != nil || present != owner {`, `err != nil || false && present != owner {`},
		fault{"CRN15", "what was looked for after a lost answer is still being made", `return r.opts.records(tx, r.sync).deleteIntent(intent.Kind, intent.Source)
	})
	if err != nil || !r.opts.Apply {`, `return r.opts.records(tx, r.sync).deleteIntent(intent.Kind, intent.Source)
	})
	if true {`},
		fault{"REC13", "an account found after a lost answer is linked but not looked at", `if err := tx.Pending(r.sync.Name).Add(state.PendingKey{Kind: intent.Kind, ID: intent.Source}); err != nil {
				return err
			}`, ``},
		fault{"REC21", "a recovered account that is off and shown as active stays off", `return strings.EqualFold(path, "active") })`, `return false })`},
		fault{"REC20", "a value of a recovered account that is no longer wanted stays", `updateShown(r.sync.rules(intent.Kind), r.now, &link, found)`, ``},
	),
	in("reconcile/compare.go",
		fault{"CMP1", "an account that cannot be asked for counts as gone", `return nil, false, c.recovery.unread(state.Intent{Kind: link.Kind, Source: link.Source, Op: string(Compare), At: c.now}, link.Key, err)`, `return nil, true, nil`},
		fault{"CMP2", "an account that is gone keeps its link", `case shown == nil:
		m.Gone = true
		return c.opts.records(tx, c.sync).putMismatch`, `case shown == nil:
		m.Gone = true
		return nil
	case shown == nil:
		return c.opts.records(tx, c.sync).putMismatch`},
		fault{"CMP3", "a part of the people is enough to compare the whole", `case c.findings.moved || !gets || c.opts.partial() && !c.opts.Drift:`, `case c.findings.moved || !gets:`},
		fault{"CMP4", "an account that was switched on by hand is not noticed", `told && link.Kind == graphsync.User && link.Active == inactive(resource)`, `told && link.Active && link.Kind == graphsync.User && link.Active == inactive(resource)`},
		fault{"CMP5", "a value the target does not show counts as changed", `!written || shown == nil ||`, `!written ||`},
		fault{"CMP6", "an account that is another one by now is taken for ours, and its values are put right", `case identityIn(tx, c.sync, c.now, link, shown, nil) == desired.Foreign:`, `case false:`},
		fault{"CMP7", "values changed by hand are not noticed", `link.Applied[path] = desired.Canonical(link.Source, attribute, shown)
		changed = true`, `_ = raw`},
	),
	in("reconcile/identify.go",
		fault{"IDN1", "an account is not read before it is removed", `for _, p := range []plan.Phase{plan.LeavePhase, plan.UserPhase, plan.GroupPhase} {
			err`, `for _, p := range []plan.Phase{plan.UserPhase, plan.GroupPhase} {
			err`},
		fault{"IDN2", "an account is not read before its name changes", `for _, p := range []plan.Phase{plan.LeavePhase, plan.UserPhase, plan.GroupPhase} {
			err`, `for _, p := range []plan.Phase{plan.LeavePhase, plan.GroupPhase} {
			err`},
		fault{"IDN3", "a link that did not fit is not read again", `if err := i.again(ctx); err != nil {
			return err
		}`, ``},
	),
	in("reconcile/mismatch.go",
		fault{"IDN6", "accounts that are others now are dropped, however many", `if !m.Gone {
				r.foreign++
			}`, ``},
	),
	in("reconcile/plan/link.go",
		fault{"IDN7", "a blocked link is planned like any other", `return link, true, tx.Space(sync, MismatchSpace).Has(key), nil`, `return link, true, false, nil`},
		fault{"IDN8", "a link that the plan drops is planned with", `if tx.Space(sync, DetachedSpace).Has(key) {`, `if false {`},
	),
	in("reconcile/survey.go",
		fault{"SUR1", "accounts that the list leaves out are not asked for", `if err := s.lookUpRest(ctx); err != nil {
		return err
	}`, ``},
		fault{"SUR2", "an account that did not answer counts as gone", `if known[i] {
			found`, `if true {
			found`},
		fault{"SUR3", "accounts beyond the first of a list are read without bound", `worth = linked * listWorth`, `worth = linked * 1e9`},
	),
)

// Calls that change accounts.
var writing = slices.Concat(
	in("reconcile/apply.go",
		fault{"APL1", "a refused deletion counts as done", `done.drop = done.err == nil`, `done.drop = true`},
		fault{"APL2", "held actions are carried out", `if actions[i].Held != nil || plan.IsEarly(keys[i]) != of.Early {`, `if plan.IsEarly(keys[i]) != of.Early {`},
		fault{"APL9", "what a call may have done is not written down before it", `if err := ap.intents.recordIntents(due); err != nil {`, `if err := error(nil); err != nil {`},
		fault{"APL3", "a dry run changes accounts", `if !ap.opts.Apply {
		return nil
	}
	total`, `if false {
		return nil
	}
	total`},
		fault{"APL4", "a refused credential does not stop the cycle", `if target.CodeOf(done.err).Stops() {`, `if false {`},
		fault{"APL5", "parts of one group's change are written at once", `if len(run) > 0 && run[0].Key.ID != s.Key.ID {`, `if len(run) > 0 {`},
		fault{"APL6", "an interrupted call counts as failed", `if ctx.Err() != nil && errors.Is(done.err, ctx.Err()) {`, `if false && errors.Is(done.err, ctx.Err()) {`},
		fault{"APL7", "what was tried as a probe is done twice", `rest.From = tried.To`, `rest.From = 0`},
		fault{"APL8", "a reference is written for an account that was not made", `if done.err = x.resolve(a); done.err != nil || a.TargetID == nil {`, `if done.err = x.resolve(a); done.err != nil {`},
	),
	in("reconcile/write.go",
		fault{"WRT1", "a create that meets an account takes it over without the answer it needs", `case v.hold != nil || !m.made(a, v.adopt):`, `case false:`},
		fault{"WRT2", "an account that is shown as active in the response counts as switched off", `case active:
			return x.unlessOff(ctx, after)`, `case active:
			return nil`},
		fault{"WRT15", "an account that is read as active counts as switched off", `if active, told := activity(shown); told && active {
			return x.unlessOff(ctx, shown)
		}
		return nil`, `return nil`},
		fault{"WRT19", "a leaver whom a change of memberships switched on stays on", `done.err = x.keepOff(ctx, off, done)`, ``},
		fault{"WRT20", "an account that a complete compare shows as active and that is off is switched off again", `inactive.Attributes[name] = false`, ``},
		fault{"WRT21", "a deleted account that is kept and active counts as deleted", `done.err = x.confirmDeleted(ctx, ref, done)`, ``},
		fault{"WRT16", "an account that stays inactive counts as switched on", `return &target.Error{Code: target.Rejected, Op: string(a.Op) + " user",
			Message: fmt.Sprintf("the target answered success but active is still %v", got),`, `_ = &target.Error{Code: target.Rejected, Op: string(a.Op) + " user",
			Message: fmt.Sprintf("the target answered success but active is still %v", got),`},
		fault{"WRT3", "an account that another has claimed meanwhile is written", `if err == nil && present != x.owners.Owner(a.Kind, a.SourceID) {`, `if false {`},
		fault{"WRT4", "a create that meets a protected, ambiguous or foreign account takes it over", `case v.code != "":
		done.doubt`, `case false:
		done.doubt`},
		fault{"WRT5", "a refused member removal counts as done", `done.removed = slices.DeleteFunc(done.removed, func(id graphsync.ID) bool { return id == member })`, ``},
		fault{"WRT6", "a refused member addition counts as done", `delete(done.added, member)`, `_ = member`},
		fault{"WRT8", "an account that is gone keeps its link", `case target.CodeOf(err) == target.NotFound:
		done.drop = true`, `case target.CodeOf(err) == target.NotFound:`},
		fault{"WRT9", "a deactivation of an account that is gone fails for ever", `case target.CodeOf(err) == target.NotFound && a.Op == plan.Deactivate && a.Kind == graphsync.User:`, `case false:`},
		fault{"WRT10", "values of others in a shared list are overwritten", `attributes[i].Value = mapped.Merge(attributes[i].Value, r.Value(mapped.Path))`, `_ = r`},
		fault{"WRT11", "a lost answer to a create makes another account", `failure.Code != target.Conflict && !failure.Indeterminate`, `failure.Code != target.Conflict`},
		fault{"WRT12", "a conflict of a create is a failure for ever", `failure.Code != target.Conflict && !failure.Indeterminate`, `!failure.Indeterminate`},
		fault{"WRT13", "a user without an account is put into groups", `if !ok {
				done.waiting = append(done.waiting, member)
				continue
			}`, `_ = ok`},
		fault{"WRT14", "an account that another sync gave up is written before it is claimed", `if adopting || a.Op == plan.Reactivate {`, `if adopting {`},
	),
	in("reconcile/intents.go",
		fault{"CRN12", "no other sync learns about an account that is being made", `if intents = append(intents, intent); a.Op == plan.Create {`, `if intents = append(intents, intent); false {`},
		fault{"INT1", "a reference hides that an account may have been made", `return !linked, err
}

// recordMemberships`, `return !linked && false, err
}

// recordMemberships`},
	),
)

// What is remembered of a call.
var recording = slices.Concat(
	in("reconcile/record.go",
		fault{"AUD5", "actions are not in the audit log", `return tx.Audit().Append(r.audited...)`, `return nil`},
		fault{"RCD1", "what a failed write may have done is not looked into", `halfway = done.err != nil // whatever`, `_ = halfway // whatever`},
		fault{"RCD2", "an id that the application gave out twice links two users to one account", `if owner := present[done.link.TargetID]; owner != r.owners.Owner(kind, done.link.Source) {`, `if owner := present[done.link.TargetID]; false {`},
		fault{"RCD3", "a link is forgotten but its claim stays", `if !done.drop || done.action.TargetID == nil {`, `if true {`},
		fault{"RCD4", "an account that is gone is not made again", `if err := requeue(tx, r.sync.Name, key); err != nil {
			return err
		}
	} else if`, `_ = key
		} else if`},
		fault{"RCD5", "the link of a former owner stays", `if !done.former.IsZero() {`, `if false {`},
		fault{"RCD6", "a failed record counts as done", `failure := r.ledger.fail(tx, key, a, done.err)`, `failure := plan.Failure{}`},
		fault{"RCD7", "a record that fails is tried again in every cycle", `retry.Next = l.now.Add(wait)`, `retry.Next = l.now`},
		fault{"RCD8", "a refused member is not tried again", `r.ledger.fail(tx, key, done.action, refused.err)`, `_ = key`},
		fault{"RCD9", "an application that stopped answering is sent the rest", `r.unavailable++; r.unavailable >= maxFailures`, `r.unavailable++; false`},
		fault{"RCD10", "what waits for a member's account is forgotten", `First: r.now, Next: r.now, Skipped: true})`, `First: r.now, Next: r.now.Add(longestWait), Skipped: true})`},
		fault{"RCD11", "a wait asked for by the application is ignored", `if errors.As(cause, &failed) && failed.RetryAfter > wait {`, `if errors.As(cause, &failed) && false {`},
		fault{"RCD12", "a record that waits is never due when the clock was put back", `|| r.Next.Sub(now) > longestWait`, ``},
		fault{"RCD13", "a deactivated account counts as active", `link.Active, link.InactiveSince, link.Cause = false, b.now, a.Cause`, `link.InactiveSince, link.Cause = b.now, a.Cause`},
		fault{"RCD14", "the time since when an account is inactive is not kept", `link.Active, link.InactiveSince, link.Cause = false, b.now, a.Cause`, `link.Active, link.Cause = false, a.Cause`},
		fault{"RCD15", "a renamed user is still found by the former name", `rekey(b.sync.rules(link.Kind), &link, path, text)`, `_ = text`},
		fault{"RCD16", "an answer to a hold is used again", `if err := guard.DecisionsIn(tx, r.sync.Name).Delete(done.key.Bytes()); err != nil {`, `if err := error(nil); err != nil {`},
		fault{"RCD17", "a member removal that was carried out is not remembered", `if err := tx.AppliedMembers(r.sync.Name).Delete(group, member); err != nil {
			return err
		}
		if err := recordMember(member)`, `if err := recordMember(member)`},
		fault{"RCD18", "a member removal of an account that is gone stays", `for _, group := range slices.Collect(tx.Members().GroupsOf(source)) {`, `for _, group := range slices.Collect(tx.Members().GroupsOf(graphsync.ID{})) {`},
		fault{"RCD19", "an intent is dropped although the answer was lost", `halfway := done.partly || errors.As(done.err, &failed) && failed.Indeterminate`, `halfway := done.partly || errors.As(done.err, &failed) && false`},
		fault{"CRN13", "an account whose creation had no answer is no longer being made", `if done.action.Op == plan.Create && !done.halfway {`, `if done.action.Op == plan.Create {`},
		fault{"CRN14", "what was made, or could not be, is still being made", `if done.action.Op == plan.Create && !done.halfway {`, `if false {`},
		fault{"RCD21", "a reference from an account that was not made counts as done", `if done.void {`, `if false {`},
		fault{"RCD20", "an application's fault counts as the record's", `if done.stop != nil {
		r.line(done, line)`, `if false {
		r.line(done, line)`},
	),
	in("reconcile/settle.go",
		fault{"SET1", "an on-demand run settles what it did not look at", `if f.opts.Subject != nil {
		return nil
	}
	if err := f.offerTransfers`, `if err := f.offerTransfers`},
		fault{"SET2", "removals of a cycle that fails afterwards do not count for removals_per_day", `if n := f.ledger.unapproved; n > 0 && !f.remembered {`, `if n := f.ledger.unapproved; n > 0 && !f.remembered && f.findings.applied {`},
		fault{"SET3", "removals are not remembered for removals_per_day", `f.info.Removals = append(f.info.Removals, state.Removals{At: f.now, Count: n})`, `_ = n`},
		fault{"SET4", "everything stays pending", `if err := tx.Pending(f.sync.Name).SetEverything(false); err != nil {`, `if err := tx.Pending(f.sync.Name).SetEverything(true); err != nil {`},
		fault{"SET5", "held actions are no longer pending", `kept.Has(pendingBytes(key))`, `false`},
		fault{"SET6", "the first run is never over", `f.info.FirstRun = f.now`, `_ = f.now`},
		fault{"SET7", "a retry that failed again is forgotten", `if !looked || failed.Has(pendingBytes(retry.Key)) ||`, `if !looked ||`},
		fault{"SET8", "a skipped record is asked about in every cycle", `retry.Next = f.now.Add(retryWait(retry.Attempts))`, `_ = retry`},
		fault{"SET9", "members that an adopted group had are not known", `return tx.AppliedMembers(ap.sync.Name).Put(group, member, string(value))`, `return nil`},
		fault{"SET11", "a retry that a removals cycle left to the schedule is forgotten", `f.opts.Removals && postponed.Has(pendingBytes(retry.Key))`, `false`},
		fault{"SET10", "the configuration that was applied is not remembered", `f.info.ConfigHash = f.sync.Hash()`, `_ = f.sync.Hash()`},
	),
	in("reconcile/removals.go",
		fault{"REM1", "a removals cycle runs after the configuration changed", `case info.ConfigHash != g.sync.Hash():`, `case false:`},
		fault{"REM2", "what a removals cycle leaves to the schedule is forgotten", `return requeue(tx, g.sync.Name, pending)`, `return nil`},
		fault{"REM3", "a removals cycle drops what was held", `tx.Space(g.sync.Name, g.opts.heldSpace()).Has(key) ||`, `false ||`},
		fault{"REM6", "members whom removals cycles removed are not added up", `space.Put(group[:], binary.AppendUvarint(nil, before+uint64(n)))`, `space.Put(group[:], binary.AppendUvarint(nil, uint64(n)))`},
		fault{"REM4", "a removals cycle creates and updates accounts", `if takesOrReturnsAccess(op) ||`, `if true ||`},
	),
	in("reconcile/syncer.go",
		fault{"SYN1", "a plan that moved since it was reviewed is applied", "\t\tc.reporter.verifyPlan,", "\t\tfunc(context.Context) error { return nil },"},
		fault{"SYN2", "a failed cycle does not remember its removals", `r.finalizer.rememberRemovals()
	if !r.opts.Apply {`, `if !r.opts.Apply {`},
		fault{"SYN3", "accounts that scope.protect names are not looked at", `		unlessKept(c.protector.protect),`, `		func(context.Context) error { return nil },`},
		fault{"SYN4", "the result of a cycle with failures is ok", `case r.ledger.failures+r.ledger.unlinked > 0 || len(attention) > 0:
		r.ledger.report.Result = Partial`, ``},
		fault{"SYN5", "the result of a cycle with holds is ok", `case r.ledger.counts.Held > 0:
		r.ledger.report.Result = Waiting`, ``},
		fault{"SYN6", "a full cycle does not compare", `		unlessKept(c.comparer.compare),`, `		func(context.Context) error { return nil },`},
		fault{"SYN8", "a dry run keeps what it changed", `err = r.finalizer.putBack(context.Background())
	case r.worthKeeping():`, `err = nil
	case r.worthKeeping():`},
		fault{"SYN7", "what an interrupted cycle did is not looked into", `		c.recovery.recover,                      // accounts`, `		func(context.Context) error { return nil }, // accounts`},
	),
	in("reconcile/notedrift.go",
		fault{"DRI1", "a compare for drift takes what it finds for applied", `func (c *comparer) notesDrift() bool { return c.sync.Drift != nil || c.opts.Drift }`, `func (c *comparer) notesDrift() bool { return false }`},
		fault{"DRI2", "an account that was switched off by hand is treated like any value", `case link.Active:
		return p.SwitchedOff()`, `case link.Active:
		return p.SwitchedOn()`},
	),
	in("reconcile/draftdrift.go",
		fault{"DRI3", "what is only reported is put right", `case mode == drift.Report, off`, `case off`},
		fault{"DRI4", "what is to be held is put right at once", `if mode == drift.Hold {`, `if false {`},
		fault{"DRI5", "what is held keeps back what the directory changes", `case len(waits) == len(changes):`, `case len(waits) > 0:`},
	),
	in("reconcile/driftmembers.go",
		fault{"DRI6", "memberships that are to be held are put right at once", `return d.sync.Drift.Member() == drift.Hold && `, `return false && `},
	),
	in("reconcile/keptplan.go",
		fault{"KEP1", "a plan is applied although the state has changed since", `p.State == now.State && `, ``},
		fault{"KEP2", "a plan is applied although the application has changed since", ` && p.Target == now.Target`, ``},
		fault{"KEP3", "a plan of the future is applied", `age >= 0 && `, ``},
		fault{"KEP4", "a plan for other accounts than there are is applied", `if linked, _ := tx.Links(sync).Count(kind); linked > 0 {`, `if false {`},
	),
	in("reconcile/desired/identity.go",
		fault{"LOC1", "an account with the externalId of another counts as ours", `case !anyCase: // an application may change the case of what it stores: then it decides nothing
			return Foreign`, `case !anyCase: // an application may change the case of what it stores: then it decides nothing`},
		fault{"LOC2", "an account that no value identifies counts as ours", `case shows:
		return Foreign`, `case false:
		return Foreign`},
		fault{"IDN4", "a removal changes no identity", `case plan.Deactivate, plan.Delete, plan.Reactivate:
		return true`, `case plan.Delete, plan.Reactivate:
		return true`},
		fault{"IDN5", "a common name makes an account with another externalId ours", `case !k.decides:
			shows`, `case true:
			shows`},
	),
	in("reconcile/desired/rules.go",
		fault{"DES1", "two spellings of a name are two values", `return state.MatchKey{Attribute: path, Value: strings.ToLower(value)}`, `return state.MatchKey{Attribute: path, Value: value}`},
	),
	in("reconcile/desired/attributes.go",
		fault{"DES2", "a mapping of active as text counts as true", `return strings.EqualFold(fmt.Sprint(d.Value), "true")`, `return d.Value != false`},
		fault{"DES3", "redacted values are in the plan", `case change.Attribute.Redact:
			if shown.Old`, `case false:
			if shown.Old`},
		fault{"DES4", "redacted values are in the state", `if a.Redact {
		return digestOf`, `if false {
		return digestOf`},
	),
)
