package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
)

// ErrUnknownSubject means that the directory has nobody of that name.
var ErrUnknownSubject = errors.New("not found in the directory")

// A SubjectStep is one step of a provision on demand: connect, import, scope, match, act.
type SubjectStep struct {
	Name   string `json:"step"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Mark returns a sign for people.
func (s SubjectStep) Mark() string {
	if s.OK {
		return "✓"
	}
	return "✗"
}

// draftSubject plans one object only: a user with the memberships in provisioned groups, or a
// group with the accounts of all its members, however many.
func (c *cycle) draftSubject(ctx context.Context) error {
	c.walk("connect", true, "directory read, %d requests", c.Source.Traffic().Requests-c.graph0.Requests)
	id, err := Find(ctx, c.Tenant, *c.opts.Subject)
	if err != nil {
		c.walk("import", false, "%s", err)
		return err
	}
	kind := c.opts.Subject.Kind
	c.walk("import", true, "%s %s", kind, id)
	if err := c.draftObjects(ctx, kind, []graphsync.ID{id}); err != nil {
		return err
	}
	if kind == graphsync.Group {
		var members []graphsync.ID
		err := c.Tenant.View(func(tx *state.Tx) error {
			for member := range tx.Members(id) {
				if member.Kind == graphsync.User {
					members = append(members, member.ID)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.draftObjects(ctx, graphsync.User, members); err != nil {
			return err
		}
	}
	return c.Tenant.Update(func(tx *state.Tx) error {
		object, _ := tx.Object(kind, id)
		if kind == graphsync.Group {
			why, in, problem := c.eval.in(tx).groupInScope(&object)
			c.walk("scope", in, "%s", why+problem)
			return markMembers(tx, c.Sync.Name, id)
		}
		link, linked, err := tx.Link(c.Sync.Name, graphsync.User, id)
		if err != nil {
			return err
		}
		var last *state.Link
		if linked {
			last = &link
		}
		stand := c.eval.in(tx).standing(&object, last)
		c.walk("scope", stand.InScope, "%s", stand.Why)
		return nil
	})
}

func (c *cycle) walk(name string, ok bool, format string, args ...any) {
	c.report.Steps = append(c.report.Steps, SubjectStep{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
}

// walkMatch and walkAct tell the last two steps from the plan and from what came of it.
func (c *cycle) walkMatch() {
	if c.opts.Subject == nil {
		return
	}
	detail := "nothing to match"
	for action, err := range planOf(c.Sync, c.Tenant, &c.report).Actions() {
		switch {
		case err != nil:
			detail = err.Error()
		case action.Op == Create:
			detail = "no account exists"
		case action.TargetID != nil:
			detail = "account " + *action.TargetID
		}
	}
	ok := true
	for skipped, err := range planOf(c.Sync, c.Tenant, &c.report).Skipped() {
		if err == nil {
			detail, ok = skipped.Why, false
		}
	}
	c.walk("match", ok, "%s", detail)
}

func (c *cycle) walkAct() {
	if c.opts.Subject == nil {
		return
	}
	var done []string
	for action, err := range planOf(c.Sync, c.Tenant, &c.report).Actions() {
		if err == nil {
			done = append(done, string(action.Op)+" "+action.Kind.String()+" "+action.Key)
		}
	}
	switch {
	case len(c.report.Errors) > 0:
		c.walk("act", false, "%s", c.report.Errors[0].Message)
	case c.counts.Held > 0:
		c.walk("act", false, "held, waits for approval")
	case len(done) == 0:
		c.walk("act", true, "nothing to do")
	default:
		c.walk("act", true, "%s", strings.Join(done, ", "))
	}
}

// Find returns the object a key names: an object id, or a user's user principal name or
// address, or a group's display name. Names are compared in any case. An object that exists comes
// before those that were deleted; a name that fits several is an error.
func Find(ctx context.Context, tenant *state.Tenant, s Subject) (graphsync.ID, error) {
	if id, err := graphsync.ParseID(s.Key); err == nil {
		err := tenant.View(func(tx *state.Tx) error {
			if _, ok := tx.Object(s.Kind, id); !ok {
				return fmt.Errorf("%s %s: %w", s.Kind, s.Key, ErrUnknownSubject)
			}
			return nil
		})
		return id, err
	}
	names := []string{"userPrincipalName", "mail"}
	if s.Kind == graphsync.Group {
		names = []string{"displayName"}
	}
	var found, deleted []graphsync.ID
	err := tenant.View(func(tx *state.Tx) error {
		n := 0
		for object := range tx.Objects(s.Kind, graphsync.ID{}) {
			if n++; n%10000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			for _, name := range names {
				if !strings.EqualFold(stringProperty(&object, name), s.Key) {
					continue
				}
				if object.Removed == graphsync.NotRemoved {
					found = append(found, object.ID)
				} else {
					deleted = append(deleted, object.ID)
				}
				break
			}
		}
		return nil
	})
	if len(found) == 0 {
		found = deleted
	}
	switch {
	case err != nil:
		return graphsync.ID{}, err
	case len(found) == 0:
		return graphsync.ID{}, fmt.Errorf("%s %q: %w", s.Kind, s.Key, ErrUnknownSubject)
	case len(found) > 1:
		return graphsync.ID{}, fmt.Errorf("%s %q fits %d objects, such as %s and %s: name one by its object id", s.Kind, s.Key, len(found), found[0], found[1])
	}
	return found[0], nil
}
