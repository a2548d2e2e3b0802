package reconcile

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/drift"
	"entrasync/state"
	"entrasync/target"
)

// groupChunk is how many groups are asked for their members between two commits.
const groupChunk = 50

// compareMembers makes a complete compare complete for memberships, where the application shows
// members: a member who was removed there by hand is added again, and an account of this sync that was
// added by hand is removed, unless the directory says that they belong. Members that are not
// accounts of this sync are left in the group, as they are when a group is taken over.
//
// It writes scratch spaces only, so that a dry run shows the same as a cycle that is applied.
func (c *comparer) compareMembers(ctx context.Context) error {
	reader, reads := c.target.(target.MemberReader)
	compares := c.opts.Drift || c.opts.Full && !c.opts.partial()
	switch {
	case !c.sync.Groups.Enabled:
		return nil
	case !reads || !compares || c.findings.moved:
		return c.seedMembers(false)
	}
	look := memberLook{sync: c.sync.Name, tenant: c.tenant, reader: reader, concurrency: c.workers}
	if c.notesDrift() {
		entry := c.opts.auditEntry(c.sync, c.runID, driftEvent, "found")
		entry.At = c.now
		look.note = &memberNote{at: drift.Compare{Since: c.now, Run: c.runID}, audit: c.opts.auditsDrift(), entry: entry}
	}
	if err := look.run(ctx); err != nil {
		return fmt.Errorf("read members of groups in target %s: %w", c.sync.TargetName, err)
	}
	for _, unread := range look.unread {
		c.ledger.note("the members of group %s could not be read and are left as they are: %v", unread.key, unread.err)
	}
	decide := look.doubt
	if look.shown || len(look.bare) == 0 {
		decide = func(remember bool) error { return look.believe(look.shown && remember) }
	}
	if err := decide(c.opts.Apply); err != nil || look.note == nil {
		return err
	}
	c.ledger.drifted(look.note.news)
	return c.seedMembers(true)
}

// A memberLook reads the members of every group that a sync keeps in an application.
type memberLook struct {
	sync        string
	tenant      *state.Tenant
	reader      target.MemberReader
	concurrency int

	note   *memberNote    // how what differs is kept; nil: it is put right
	shown  bool           // some group shows a member
	bare   []graphsync.ID // groups that show none, although members were written
	unread []unreadGroup
}

type unreadGroup struct {
	key string
	err error
}

// A groupMembers is a group with the accounts it shows.
type groupMembers struct {
	link     state.Link
	accounts []string
	told     bool
	err      error
}

func (l *memberLook) run(ctx context.Context) error {
	var after graphsync.ID
	for {
		var groups []groupMembers
		err := l.tenant.View(func(tx *state.Tx) error {
			for link, err := range tx.Links(l.sync).All(graphsync.Group, after) {
				if err != nil {
					return err
				}
				if after = link.Source; link.Active { // in scope
					groups = append(groups, groupMembers{link: link})
				}
				if len(groups) == groupChunk {
					break
				}
			}
			return nil
		})
		if err != nil || len(groups) == 0 {
			return err
		}
		if err := l.read(ctx, groups); err != nil {
			return err
		}
		err = l.tenant.Update(func(tx *state.Tx) error {
			for i := range groups {
				if err := l.mark(tx, &groups[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(groups) < groupChunk {
			return err
		}
	}
}

// read asks for the members of some groups. An error of one group is about that group, unless it
// concerns the whole application.
func (l *memberLook) read(ctx context.Context, groups []groupMembers) error {
	var mu sync.Mutex // guards unread
	workers, wctx := errgroup.WithContext(ctx)
	workers.SetLimit(l.concurrency)
	for i := range groups {
		workers.Go(func() error {
			g := &groups[i]
			g.accounts, g.told, g.err = l.reader.Members(wctx, target.Ref{Kind: target.Group, ID: g.link.TargetID})
			switch code := target.CodeOf(g.err); {
			case g.err == nil, code == target.NotFound: // the comparison of groups has it
				return nil
			case ctx.Err() != nil:
				return ctx.Err()
			case code.Stops():
				return g.err
			}
			g.told = false
			mu.Lock()
			defer mu.Unlock()
			l.unread = append(l.unread, unreadGroup{g.link.Key, g.err})
			return nil
		})
	}
	return workers.Wait()
}

// mark notes how a group's members differ from what was last written, for the plan of memberships.
func (l *memberLook) mark(tx *state.Tx, g *groupMembers) error {
	if !g.told || g.err != nil {
		return nil
	}
	group := g.link.Source
	if len(g.accounts) == 0 {
		switch {
		case tx.AppliedMembers(l.sync).Count(group) > 0:
			l.bare = append(l.bare, group)
		case l.note != nil:
			return l.noteMembers(tx, group, nil, nil)
		}
		return nil
	}
	l.shown = true
	there, added := make(map[string]bool, len(g.accounts)), map[graphsync.ID]string{}
	current, pairs := tx.Space(l.sync, shownMemberSpace), tx.Space(l.sync, membershipSpace)
	for _, account := range g.accounts {
		there[account] = true
		source, ours := tx.Links(l.sync).ByTarget(graphsync.User, account)
		if !ours {
			continue
		}
		if _, applied := tx.AppliedMembers(l.sync).Get(group, source); applied {
			continue
		}
		if added[source] = account; l.note != nil {
			continue
		}
		if err := current.Put(append(append([]byte(nil), group[:]...), account...), nil); err != nil {
			return err
		}
		if err := pairs.Put(membershipKey(group, source), nil); err != nil {
			return err
		}
	}
	return l.absent(tx, group, there, added)
}

// absent notes the members that were written to a group and are not there.
func (l *memberLook) absent(tx *state.Tx, group graphsync.ID, there map[string]bool, added map[graphsync.ID]string) error {
	absent := map[graphsync.ID]string{}
	for member, account := range tx.AppliedMembers(l.sync).Of(group) {
		if account != unsure && !there[account] {
			absent[member] = account
		}
	}
	if l.note != nil {
		return l.noteMembers(tx, group, added, absent)
	}
	for _, member := range sortedIDs(absent) {
		for _, space := range []string{absentSpace, membershipSpace} {
			if err := tx.Space(l.sync, space).Put(membershipKey(group, member), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyBare is where it is kept that groups which show no members were written once on that word.
var keyBare = []byte("members\x00bare")

// believe takes the groups that show no members for empty, because others show theirs.
func (l *memberLook) believe(remember bool) error {
	return l.tenant.Update(func(tx *state.Tx) error {
		if told := tx.Space(l.sync, toldSpace); remember && told.Has(keyBare) {
			if err := told.Delete(keyBare); err != nil {
				return err
			}
		}
		return l.emptied(tx)
	})
}

// doubt decides about an application of which no group shows a member. That may be so, or it hides
// them: the members are written once, and when none is shown the next time either, they are hidden.
func (l *memberLook) doubt(remember bool) error {
	return l.tenant.Update(func(tx *state.Tx) error {
		told := tx.Space(l.sync, toldSpace)
		if told.Has(keyBare) {
			return nil
		}
		if remember {
			if err := told.Put(keyBare, nil); err != nil {
				return err
			}
		}
		return l.emptied(tx)
	})
}

func (l *memberLook) emptied(tx *state.Tx) error {
	for _, group := range l.bare {
		if err := l.absent(tx, group, nil, nil); err != nil {
			return err
		}
	}
	return nil
}
