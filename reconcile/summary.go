package reconcile

import (
	"entrasync/graphsync"

	"entrasync/reconcile/plan"
)

// Changes is the number of actions that would be applied.
func (s Summary) Changes() int {
	return s.Create + s.Adopt + s.Update + s.Deactivate + s.Reactivate + s.Delete + s.Members + s.Unlink
}

// of returns the figures of a kind.
func (s *Summary) of(kind graphsync.Kind) *Counts {
	if kind == graphsync.Group {
		return &s.Groups
	}
	return &s.Users
}

// count adds to the figure of an operation; by is negative when an action leaves the plan.
func (s *Summary) count(kind graphsync.Kind, op plan.Op, by int) {
	if n := s.of(kind).field(op); n != nil {
		*n += by
		s.total()
	}
}

func (c *Counts) field(op plan.Op) *int {
	switch op {
	case plan.Create:
		return &c.Create
	case plan.Adopt:
		return &c.Adopt
	case plan.Update:
		return &c.Update
	case plan.Deactivate:
		return &c.Deactivate
	case plan.Reactivate:
		return &c.Reactivate
	case plan.Delete:
		return &c.Delete
	case plan.Members:
		return &c.Members
	case plan.Unlink:
		return &c.Unlink
	}
	return nil
}

// total sets the figures of the summary to the sums of both kinds.
func (s *Summary) total() {
	u, g := &s.Users, &s.Groups
	s.Create, s.Adopt, s.Update = u.Create+g.Create, u.Adopt+g.Adopt, u.Update+g.Update
	s.Deactivate, s.Reactivate, s.Delete = u.Deactivate+g.Deactivate, u.Reactivate+g.Reactivate, u.Delete+g.Delete
	s.Members, s.Unlink = u.Members+g.Members, u.Unlink+g.Unlink
	s.Held, s.Rejected, s.Skipped, s.Unchanged = u.Held+g.Held, u.Rejected+g.Rejected, u.Skipped+g.Skipped, u.Unchanged+g.Unchanged
}

// countHeld counts an action that waits for an approval; linked says that its object has an account
// or a group.
func (s *Summary) countHeld(kind graphsync.Kind, linked bool) {
	c := s.of(kind)
	c.Held++
	if linked {
		c.heldLinked++
	}
	s.total()
}

func (s *Summary) countRejected(kind graphsync.Kind, linked bool) {
	c := s.of(kind)
	c.Rejected++
	if linked {
		c.heldLinked++
	}
	s.total()
}

func (s *Summary) countSkipped(kind graphsync.Kind) {
	s.of(kind).Skipped++
	s.total()
}

// applied returns what was done of what was planned: the operations of done, and what plan says of
// the rest.
func (planned Summary) applied(done Summary) Summary {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		for _, op := range plan.Ops {
			*planned.of(kind).field(op) = *done.of(kind).field(op)
		}
	}
	planned.total()
	return planned
}

// unchanged returns how many of linked objects of a kind nothing is done to. done is what was carried
// out of the plan, nil when it was not applied: those that were made are among the linked ones then,
// and those that were deleted are not.
func (c *Counts) unchanged(linked int, done *Counts) int {
	touched := c.Update + c.Deactivate + c.Reactivate + c.Delete
	if done != nil {
		touched += done.Create + done.Adopt - done.Delete
	}
	return max(0, linked-touched-c.heldLinked)
}
