package importschema

import (
	"strconv"
	"strings"

	"entrasync/reconcile/mapping"
	"entrasync/reconcile/scope"
)

// A group is clauses of a scoping filter that must all hold.
type group struct {
	name    string
	clauses []scope.Clause
}

// passNone is a filter that no object passes: every object has an id.
var passNone = group{clauses: []scope.Clause{{Attribute: "objectId", Operator: "IS NULL"}}}

// filter converts a scoping filter. A group with a clause that cannot be carried over is left
// out as a whole: without the clause it would let people in whom Entra keeps out. When none is
// left, no object passes: an empty filter would let every object pass.
func (c *converter) filter(label string, f *filter) []group {
	if f == nil {
		return nil
	}
	place := label + ": scope"
	if n := len(f.InputGroups); n > 0 {
		c.note(LeftOut, place, "inputFilterGroups (%d) are experimental in Graph; they are not looked at here, so more people may be in scope than in Entra", n)
	}
	if n := len(f.CategoryGroups); n > 0 {
		c.note(LeftOut, place, "categoryFilterGroups (%d) are experimental in Graph; they are not looked at here, so more people may be in scope than in Entra", n)
	}
	var groups []group
	lost, patterns := false, false
	for i, in := range f.Groups {
		name := or(in.Name, "group "+strconv.Itoa(i+1))
		if len(in.Clauses) == 0 {
			c.note(LeftOut, place+", "+name, "it has no clauses")
			continue
		}
		g := group{name: in.Name}
		for _, clause := range in.Clauses {
			out, reason := clause.convert()
			if reason == "" {
				g.clauses = append(g.clauses, out)
				patterns = patterns || strings.Contains(out.Operator, "REGEX")
				continue
			}
			c.note(LeftOut, place+", "+name, "%s: the whole group of clauses is left out, so that no user enters through it", reason)
			g.clauses, lost = nil, true
			break
		}
		if g.clauses != nil {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 && lost {
		c.note(Changed, place, "no group of clauses could be carried over, so a filter is written that no object passes; put your own in its place")
		return []group{passNone}
	}
	if patterns {
		c.note(Advice, place, "a pattern of REGEX MATCH must match the whole value here, as Entra's examples imply; write .*text.* to search")
	}
	return groups
}

// convert returns the clause, or the reason why it cannot be carried over.
func (in clause) convert() (out scope.Clause, reason string) {
	out = scope.Clause{Attribute: strings.TrimSpace(in.Source), Operator: strings.ToUpper(strings.TrimSpace(in.Operator))}
	shown := strings.TrimSpace(out.Attribute + " " + in.Operator)
	if strings.HasPrefix(out.Operator, "IS") {
		in.Target = nil // unary: Graph sends none, the portal an empty one
	}
	if in.Target != nil && len(in.Target.Values) > 0 {
		if len(in.Target.Values) > 1 {
			return out, shown + " compares with several values, which is not documented"
		}
		var err error
		if out.Value, err = scalarText(in.Target.Values[0]); err != nil {
			return out, shown + ": its value " + err.Error()
		}
		shown += " " + quote(out.Value)
	}
	if _, computed := mapping.GraphProperty(out.Attribute); computed {
		return out, shown + " asks about an attribute that is worked out, not stored"
	}
	if _, faults := scope.Compile([][]scope.Clause{{out}}, nil); len(faults) > 0 {
		return out, shown + ": " + faults[0].Message
	}
	return out, ""
}
