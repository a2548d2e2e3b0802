package main

import "slices"

// The state: snapshot, cursors, claims, links.
var keeping = slices.Concat(
	in("state/auditread.go",
		fault{"AUD1", "an altered line passes verify", `if sound && !bytes.Equal(prev[:auditMarkSize]`, `if false && !bytes.Equal(prev[:auditMarkSize]`},
		fault{"AUD2", "lines that are missing pass verify", `case seq != next:`, `case false:`},
		fault{"AUD3", "lines of the open blocks are not found by their object", `after = auditKey(h.open - 1)`, `after = auditKey(h.seq)`},
	),
	in("state/auditnote.go",
		fault{"AUD4", "a state that was restored from a copy is not reported", `case n.head.seq < n.seq:
			n.forked = true`, `case n.head.seq < n.seq:
			n.forked = false`},
	),
	in("state/page.go",
		fault{"PAG1", "an incremental round drops the sweep of a full one", `c.Sweep = c.Sweep || c.Full`, `c.Sweep = c.Full`},
		fault{"PAG2", "a page after a completed round does not begin an incremental one", `c.Full, c.Complete, c.Started, c.Objects, c.Pages = false, false, now.UTC(), 0, 0`, `c.Complete, c.Started, c.Objects, c.Pages = false, now.UTC(), 0, 0`},
		fault{"PAG3", "the link of a page is not kept", `c.Link = last.Next
	if last.Delta`, `if last.Delta`},
		fault{"PAG4", "a full round does not count what it sees as seen", `default: // seen for the first time in this round, and as it was
		return w.objects.Put(w.key[:], rec)`, `default: // seen for the first time in this round, and as it was
		return nil`},
		fault{"PAG5", "a member who left is not pending", `return w.pending.member(group, member)
	}
	if stamp`, `return nil
	}
	if stamp`},
		fault{"PAG6", "members of a restored group are not pending", `|| !restored || c.Kind != graphsync.Group {`, `|| !restored || true {`},
		fault{"PAG7", "a member seen again in a full round does not count as seen", `return w.members.Put(key, w.stamp)
	}
	w.stats.MembersAdded++`, `return nil
	}
	w.stats.MembersAdded++`},
		fault{"PAG8", "of a property given twice the first counts", `if i+1 == len(p) || p[i+1].index != p[i].index {`, `if i == 0 || p[i-1].index != p[i].index {`},
		fault{"PAG10", "memberships of a first round are not kept by member", `c.Unindexed = false
	return putMemberIndex(tx, pairs)`, `c.Unindexed = false
	return nil`},
		fault{"PAG9", "a changed object is not pending", `if err := w.pending.add(PendingKey{Kind: c.Kind, ID: c.ID}); err != nil || !restored`, `if err := error(nil); err != nil || !restored`},
	),
	in("state/objects.go",
		fault{"OBJ1", "candidates for an absence are asked about while a full round is under way", `if c.Full && !c.Complete {
			return
		}`, `_ = c`},
		fault{"OBJ2", "an object that exists is removed", `case graphsync.Present:
		if old`, `case graphsync.Presence(99):
		if old`},
		fault{"OBJ3", "an answer that says nothing removes", `case graphsync.InDeletedItems, graphsync.Absent:
		reason`, `default:
		reason`},
		fault{"OBJ4", "a restorable object counts as purged", `if presence == graphsync.InDeletedItems {`, `if false {`},
		fault{"OBJ5", "a removed object is not pending", `if err := p.add(PendingKey{Kind: kind, ID: id}); err != nil || kind != graphsync.Group {
		return true, err
	}`, `if kind != graphsync.Group {
		return true, nil
	}`},
		fault{"OBJ6", "members of a removed group are not pending", `return true, t.pendMembers(p, id)`, `return true, nil`},
		fault{"OBJ7", "properties that a page leaves out are lost", `rec = append(rec, rest[:len(rest)-len(next)]...)`, `_ = next`},
		fault{"OBJ8", "an object that comes back in a sweep is not pending", `tx.counts.add(liveCounter(kind), 1)
			if err := p.add(PendingKey{Kind: kind, ID: id}); err != nil {
				return err
			}`, `tx.counts.add(liveCounter(kind), 1)`},
	),
	in("state/assignmentround.go",
		fault{"ASG1", "assignments that were not read stay", `case missed, presence != graphsync.Unknown && !twice:
		return rowGoes`, `case missed, presence != graphsync.Unknown && !twice:
		return rowStays`},
		fault{"ASG2", "rows that were read twice hide rows that are missing", `if r.seen[row.number/64]&bit == 0 {
		r.seen`, `if true {
		r.seen`},
		fault{"ASG3", "two readings are committed over each other", `if g := tx.Assignments(r.appID).generation(); g != r.base {`, `if g := tx.Assignments(r.appID).generation(); false && g != r.base {`},
		fault{"ASG5", "members of a group that lost its assignment are not pending", `for member := range p.tx.Members().Of(m.ID) {
		if member.Kind`, `for member := range p.tx.Members().Of(graphsync.ID{}) {
		if member.Kind`},
		fault{"ASG6", "rows staged by a reading that was dropped count", `inState := row.generation <= r.base`, `inState := true`},
		fault{"ASG7", "a changed row is not taken", `if row.a != a {`, `if false {`},
	),
	in("state/registry.go",
		fault{"RGS1", "a claim overwrites the owner there is", `if present = decodeOwner(rec); present != owner {
				return nil
			}`, `present = owner
			if err := tx.kv.put(key, owner.encode(), bucketOwners); err != nil {
				return err
			}`},
		fault{"RGS2", "claiming several overwrites the owners there are", `present[id] = decodeOwner(rec)
			} else {`, `present[id], fresh[string(key)] = owner, owner
			} else {`},
		fault{"RGS20", "a claim in memory does not hold", `if known, ok := a.recent.owner(key); ok {`, `if known, ok := a.recent.owner(key); ok && false {`},
		fault{"RGS21", "claims in memory are not announced before they are lost", `if err := a.advanceOnce(tenants); err != nil {`, `if err := error(nil); err != nil {`},
		fault{"RGS22", "claims of a later cycle are not announced", `delete(a.recent.advanced, tenant)`, `_ = tenant`},
		fault{"RGS23", "closing a tenant leaves its claims in memory", `errors.Join(f.writeIndexes(), s.accounts.settleClaims(id), auditHeads{s.registry}.note(id, f))`, `f.writeIndexes()`},
		fault{"RGS3", "an account is released by one who does not own it", `if !bytes.Equal(tx.kv.get(key, bucketOwners), owner.encode()) {
				continue
			}`, ``},
		fault{"RGS4", "an account is given up by one who does not own it", `if !bytes.Equal(tx.kv.get(key, bucketOwners), owner.encode()) || tx.kv.get(key, bucketGiven) != nil {`, `if tx.kv.get(key, bucketGiven) != nil {`},
		fault{"RGS5", "an account that was not given up passes to another tenant", `former.Tenant != owner.Tenant && tx.kv.get(key, bucketGiven) == nil`, `false`},
		fault{"RGS6", "an account passes on although its owner changed meanwhile", `if present != former || former.Tenant`, `if former.Tenant`},
		fault{"RGS7", "taking an account back leaves it given up", `given, err := tx.kv.delete(key, bucketGiven)`, `given, err := false, error(nil)`},
		fault{"RGS8", "an account that passed on is still given up", `if _, err := tx.kv.delete(key, bucketGiven); err != nil {
			return err
		}
		present = owner`, `present = owner`},
		fault{"RGS9", "removing a tenant releases accounts of others", `if decodeOwner(rec).Tenant != tenant {
					continue
				}`, ``},
		fault{"RGS10", "an account is released with what it was given up for", "if _, err := tx.kv.delete(key, bucketOwners); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t\tif _, err := tx.kv.delete(key, bucketGiven); err != nil {\n\t\t\t\treturn err\n\t\t\t}", "if _, err := tx.kv.delete(key, bucketOwners); err != nil {\n\t\t\t\treturn err\n\t\t\t}"},
		fault{"RGS11", "a user and a group with one id are one account", `return append(append([]byte(target), 0, byte(kind)), resourceID...)`, `return append(append([]byte(target), 0, 1), resourceID...)`},
	),
	in("state/generation.go",
		fault{"GEN1", "a change of claims does not advance their generation", `g.count++`, `_ = g.count`},
		fault{"GEN2", "two files that went apart have one line", `rand.Read(next.line[:]) // never fails`, `next.line = g.line`},
		fault{"GEN3", "a tenant's file does not take over the generation of its claims", `return f.update(func(tx *Tx) error { return tx.kv.put(keyClaims`, `return f.view(func(tx *Tx) error { return nil })
	return f.update(func(tx *Tx) error { return tx.kv.put(keyClaims`},
	),
	in("state/registry.go",
		fault{"GEN4", "a claim does not advance the generation", `return errors.Join(c.kv.put(key, owner.encode(), bucketOwners), c.advance(owner.Tenant))`, `return errors.Join(c.kv.put(key, owner.encode(), bucketOwners))`},
		fault{"GEN5", "a release does not advance the generation", `if err := claimsOf(tx).advance(owner.Tenant); err != nil {
				return err
			}
			if _, err := tx.kv.delete(key, bucketOwners)`, `if _, err := tx.kv.delete(key, bucketOwners)`},
		fault{"GEN6", "the generation of who made an account over does not advance", `if err := claimsOf(tx).advance(former.Tenant); err != nil {
				return err
			}`, ``},
		fault{"GEN7", "taking an account back does not advance the generation", `if given && err == nil {
				err = claimsOf(tx).advance(owner.Tenant)
			}`, `_ = given`},
		fault{"GEN8", "of a tenant that was removed the generation stays", `_, err := tx.kv.delete(tenant[:], bucketGenerations)
				errs = append(errs, err)`, `_ = bucketGenerations`},
	),
	in("state/creations.go",
		fault{"CRN1", "an account that is being made is not known by its values", `c.byValue[key] = append(c.byValue[key], of.Owner)`, `_ = key`},
		fault{"CRN2", "an account that is being made is not known in another case", `return application + "\x00" + string(byte(kind)) + strings.ToLower(value)`, `return application + "\x00" + string(byte(kind)) + strings.Clone(value)`},
		fault{"CRN3", "what is made in one application is made in all", `return application + "\x00"`, `return "\x00"`},
		fault{"CRN4", "what was made is still being made", `if other != owner {
				rest = append(rest, other)
			}`, `rest = append(rest, other)`},
		fault{"CRN5", "who ends a creation ends those of others with its values", `if other != owner {
				rest = append(rest, other)
			}`, `_ = other`},
		fault{"CRN6", "a sync does not take what it makes itself", `if other != owner {
				return other, true`, `if true {
				return other, true`},
		fault{"CRN7", "a creation that begins again is known by the former values too", `c.end(of.Owner)
	if c.byOwner == nil`, `if c.byOwner == nil`},
		fault{"CRN8", "removing a tenant ends the creations of others", `if owner.Tenant == tenant {
			c.end(owner)`, `if true {
			c.end(owner)`},
	),
	in("state/state.go",
		fault{"CRN9", "a tenant that was removed is still making accounts", `s.accounts.endCreationsOf(id)`, `error(nil)`},
	),
	in("state/rebuild.go",
		fault{"CRN10", "what was being made is forgotten with the process", `r.store.accounts.creations.begin(c.application, Creation{c.owner, c.values})`, `_ = c`},
		fault{"CRN11", "what was being changed is taken for being made", `if intent.Op != "create" {
				continue
			}`, ``},
		fault{"GEN9", "files that went apart and have seen as much go together", `r.lost || t.known != claims || t.linked`, `r.lost || t.known.count != claims.count || t.linked`},
		fault{"GEN10", "links of a tenant without any claim are not looked at", `|| t.linked && t.known == (generation{}):`, `:`},
		fault{"GEN11", "a tenant's file that is newer does not count as newer", `t.ahead = t.known.line == claims.line && t.known.count > claims.count`, `t.ahead = false`},
		fault{"GEN12", "a tenant's file from a backup counts as newer", `t.ahead = t.known.line == claims.line && t.known.count > claims.count`, `t.ahead = true`},
		fault{"GEN13", "claims that were brought in line keep their generation", `next := claimsOf(tx).generation(t.id).after(t.known)
			if err := tx.kv.put(t.id[:], next.encode(), bucketGenerations); err != nil {
				return err
			}`, `_ = t`},
		fault{"RCL1", "claims that a lost or older registry lacks are not rebuilt", `if err != nil || len(apart) == 0 && !r.lost {`, `if true {`},
		fault{"RCL2", "a tenant file that the system refuses is left out of a rebuilt registry", `errors.As(err, &refused) {`, `errors.As(err, &refused) && false {`},
		fault{"RCL3", "a damaged tenant file stops the start", `err = nil
	} else if err == nil {
		r.done`, `_ = damaged
	} else if err == nil {
		r.done`},
		fault{"RCL4", "of two links to one account the older one owns it", `if linked && !c.link.Since.After(other.Since)`, `if linked && c.link.Since.After(other.Since)`},
		fault{"RCL5", "claims beyond the first chunk of links are not rebuilt", `if more = len(links) == rebuildChunk; err == nil`, `if more = false; err == nil`},
		fault{"RCL6", "a rebuilt registry is rebuilt by every start", `return tx.kv.put(keyComplete, []byte{1}, kv.Meta)
	})
	for _, t := range r.done`, `return nil
	})
	for _, t := range r.done`},
	),
	in("state/links.go",
		fault{"LNK1", "a renamed user is still indexed under the former name", `if slices.Contains(next.Keys, k) {
			continue
		}
		if _, err := t.tx.kv.delete(append(matchKey(old.Kind, k)`, `if true {
			continue
		}
		if _, err := t.tx.kv.delete(append(matchKey(old.Kind, k)`},
		fault{"LNK2", "a link that is replaced counts twice", `t.tally(old, -1)
		if err := t.unindex(old, l)`, `if err := t.unindex(old, l)`},
		fault{"LNK3", "an inactive link is read as active", `Active: flags&flagActive != 0,`, `Active: true,`},
		fault{"LNK4", "dropping a link drops the account of who took it over", `source != nil && parseID(source) == old.Source && old.TargetID != next.TargetID`, `source != nil && parseID(source) != old.Source || old.TargetID != next.TargetID`},
		fault{"LNK20", "a link is not marked for its index", `return t.mark(l.Kind, l.Source, target)`, `return nil`},
		fault{"LNK21", "a view does not find what is being written to the index", `written == 0 || tx.kv.tx.Number() < written`, `written == 1`},
		fault{"LNK22", "a hint counts although its link has changed", `ok && link.TargetID == targetID {`, `ok && link.TargetID != "" {`},
		fault{"LNK23", "a link is not found by the id of its source", `err == nil && isSourceID(key, source)`, `err == nil && !isSourceID(key, source)`},
	),
	in("state/pending.go",
		fault{"PND1", "more than fits makes nothing pending", `if err := p.tx.Pending(sync).SetEverything(true); err != nil {`, `if err := error(nil); err != nil {`},
		fault{"PND2", "a membership that changed does not make its member pending", `if err := p.add(PendingKey{Kind: m.Kind, ID: m.ID}); err != nil {
		return err
	}
	return p.add(Membership`, `return p.add(Membership`},
		fault{"PND3", "a full round makes nothing pending for syncs that wait for keys", `if !sparing || !tx.Pending(name).Everything() {`, `if !sparing {`},
	),
	in("state/work.go",
		fault{"WRK1", "a retry that is replaced counts twice", `if err := t.Delete(r.Key); err != nil {
		return err
	}
	t.tx.counts.add`, `t.tx.counts.add`},
	),
	in("state/sealed/db.go",
		fault{"SLD1", "a value is not bound to its key", `return append(b.bound[:len(b.bound):len(b.bound)], key...)`, `return b.bound`},
		fault{"SLD2", "a value is not bound to its bucket", `bound := append(binary.AppendUvarint(nil, uint64(len(path))), path...)`, `bound := []byte{0}`},
		fault{"SLD3", "an unencrypted state is read although a key is configured", `if ring.Current == nil || ring.Plain || empty {`, `if true {`},
	),
	in("state/sealed/key.go",
		fault{"SLD4", "a key file that others can read is accepted", `if mode := info.Mode().Perm(); mode&^allowed != 0 {`, `if mode := info.Mode().Perm(); false {`},
	),
	in("state/hiddenkeys.go",
		fault{"SLD5", "ids of accounts stay readable in the registry", `bucketOwners: {Hides: true, Name: true},`, `bucketOwners: {},`},
	),
	in("state/rekey.go",
		fault{"SLD6", "a state that is being encrypted does not read tenants that are yet to follow", `Plain: s.ring.Plain || s.ring.Current == nil}`, `Plain: s.ring.Plain}`},
		fault{"SLD7", "the former key is forgotten before all tenants have the new one", `next.Others = append([]*Key{s.ring.Current}, next.Others...)`, `next.Others = next.Others[:0]`},
	),
)
