package desired

import (
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/scope"
	"entrasync/state"
)

// excluded tells whether the configuration keeps the person out.
func (e *Evaluator) excluded(user *state.Object, link *state.Link, s *Eligibility) (why, cause string, out bool) {
	sc := &e.sync.Scope
	if !sc.Guests && IsGuest(user) {
		return "guests are not in scope", "guests are not in scope", true
	}
	for _, name := range sc.ExcludeUsers {
		if strings.EqualFold(name, user.ID.String()) || strings.EqualFold(name, StringProperty(user, "userPrincipalName")) ||
			strings.EqualFold(name, StringProperty(user, "mail")) {
			return "excluded by name in the configuration", "excluded by the configuration", true
		}
	}
	if _, facts := e.memberOfOne(user.ID, sc.ExcludeGroups); facts != nil {
		return "member of the excluded group " + facts.Name, "excluded group " + facts.Name, true
	}
	if why, cause, out = e.notIncluded(user, link, s); out {
		return why, cause, true
	}
	if sc.Filter != nil {
		verdict, reason := sc.Filter.Match(filterLookup(user), e.now)
		switch verdict {
		case scope.Invalid: // the filter cannot judge this value: that is no reason to remove a user
			s.Problem = reason.String()
		case scope.Out:
			s.Filtered = true
			return "does not pass the scoping filter: " + reason.String(), "left the scoping filter", true
		}
	}
	return "", "", false
}

// notIncluded tells whether the user is in none of the groups of which the configuration wants one. Where every user of
// the tenant is in scope, the group is what gives access, and leaving it is told as leaving an assigned one.
func (e *Evaluator) notIncluded(user *state.Object, link *state.Link, s *Eligibility) (why, cause string, out bool) {
	sc := &e.sync.Scope
	if len(sc.IncludeGroups) == 0 {
		return "", "", false
	}
	id, facts := e.memberOfOne(user.ID, sc.IncludeGroups)
	switch {
	case facts == nil && sc.All && link != nil && !link.Via.IsZero():
		via := e.Group(link.Via)
		if via.live {
			s.Left = link.Via
		}
		return "no longer a member of the included group " + via.Name, "left group " + via.Name, true
	case facts == nil:
		return "member of none of the included groups", "left the included groups", true
	case sc.All:
		s.Via, s.Why = id, "member of the included group "+facts.Name
	}
	return "", "", false
}

// memberOfOne returns the first group of a user that is on a list; nil when there is none.
func (e *Evaluator) memberOfOne(user graphsync.ID, list GroupList) (graphsync.ID, *GroupFacts) {
	if len(list) == 0 {
		return graphsync.ID{}, nil
	}
	for _, id := range e.groupsOf(user) {
		if facts := e.Group(id); facts.live && list.Has(id, facts.Name) {
			return id, facts
		}
	}
	return graphsync.ID{}, nil
}
