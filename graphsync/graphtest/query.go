package graphtest

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"entrasync/graphsync"
)

// options refuses query options other than those named, and repeated ones.
func (c *call) options(allowed ...string) *graphError {
	for name, values := range c.query {
		switch {
		case len(values) > 1:
			return badRequest("Query option '%s' was specified more than once, but it must be specified at most once.", name)
		case slices.Contains(allowed, name):
		case strings.HasPrefix(name, "$"):
			return unsupportedQuery("The query option '%s' is not supported for this request.", name)
		default:
			return badRequest("The query parameter '%s' is not known.", name)
		}
	}
	return nil
}

// A selection is the properties a response carries.
type selection struct {
	names   []string // as in $select, nil for the default set
	wanted  []bool   // by property index
	members bool     // groups: members@delta
	manager bool     // users: manager@delta
}

func (sel *selection) has(index uint16) bool {
	return int(index) < len(sel.wanted) && sel.wanted[index]
}

// selection compiles a $select. In delta, relations can be selected too, and are when a
// group's $select is absent (group: delta).
func (d *directory) selection(s *schema, names []string, delta bool) (*selection, *graphError) {
	sel := &selection{names: names, wanted: make([]bool, len(s.properties)+len(d.extensions))}
	if names == nil {
		for i, p := range s.properties {
			sel.wanted[i] = p.byDefault
		}
		sel.members = delta && s == groupSchema
		return sel, nil
	}
	var outside []string
	for _, name := range names {
		index := s.find(name)
		if index < 0 && s == userSchema {
			if e := slices.IndexFunc(d.extensions, func(p property) bool { return strings.EqualFold(p.name, name) }); e >= 0 {
				index = len(s.properties) + e
			}
		}
		switch {
		case name == "id":
		case index >= 0:
			sel.wanted[index] = true
		case delta && slices.Contains(s.relations, name):
			sel.members = sel.members || name == "members"
			sel.manager = sel.manager || name == "manager"
		case delta && slices.Contains(s.outside, name):
			outside = append(outside, name)
		default:
			return nil, badRequest("Parsing OData Select and Expand failed: Could not find a property named '%s' on type '%s'.",
				name, strings.TrimPrefix(s.odataType, "#"))
		}
	}
	if outside != nil {
		return nil, badRequest("Invalid request for delta query: for this entity set, $expand/$select is not supported for the following properties: %s",
			strings.Join(outside, ","))
	}
	return sel, nil
}

// selected reads $select; nil when there is none.
func (c *call) selected() ([]string, *graphError) {
	values, ok := c.query["$select"]
	if !ok {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(values[0], ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, badRequest("Parsing OData Select and Expand failed: Term '%s' is not valid in a $select or $expand expression.", values[0])
		}
		names = append(names, name)
	}
	return names, nil
}

// top reads $top, between 1 and limit.
func (c *call) top(byDefault, limit int) (int, *graphError) {
	values, ok := c.query["$top"]
	if !ok {
		return byDefault, nil
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < 1 || n > limit {
		return 0, badRequest("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", values[0], limit)
	}
	return n, nil
}

// counting reads $count, which on directory objects needs ConsistencyLevel: eventual
// (advanced query capabilities).
func (c *call) counting() (bool, *graphError) {
	values, ok := c.query["$count"]
	if !ok || values[0] == "false" {
		return false, nil
	}
	if values[0] != "true" {
		return false, badRequest("Invalid value '%s' for $count query option found. Valid values are 'true', 'false'.", values[0])
	}
	if !strings.EqualFold(c.r.Header.Get("ConsistencyLevel"), "eventual") {
		return false, unsupportedQuery("Request with $count query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	}
	return true, nil
}

var (
	idTerm     = regexp.MustCompile(`^\(?\s*id\s+eq\s+'([^']*)'\s*\)?$`)
	orOperator = regexp.MustCompile(`\s+or\s+`)
	equalsTerm = regexp.MustCompile(`^(\w+)\s+eq\s+'?((?:[^']|'')*)'?$`)
	startsTerm = regexp.MustCompile(`^(?i:startswith)\(\s*(\w+)\s*,\s*'((?:[^']|'')*)'\s*\)$`)
)

// filterLimit is how many objects a delta $filter may name.
const filterLimit = 50

// filteredIDs reads the one $filter delta knows: id eq 'a' or id eq 'b', up to 50.
func (c *call) filteredIDs() ([]graphsync.ID, *graphError) {
	values, ok := c.query["$filter"]
	if !ok {
		return nil, nil
	}
	var ids []graphsync.ID
	for _, term := range orOperator.Split(strings.TrimSpace(values[0]), -1) {
		m := idTerm.FindStringSubmatch(term)
		if m == nil {
			return nil, unsupportedQuery("Unsupported Query.")
		}
		id, err := graphsync.ParseID(m[1])
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid object identifier '%s'.", m[1])
		}
		ids = append(ids, id)
	}
	if len(ids) > filterLimit {
		return nil, unsupportedQuery("The number of objects in a delta $filter exceeds %d.", filterLimit)
	}
	return ids, nil
}

// A comparison is a $filter of one term.
type comparison struct {
	Property string `json:"p"`
	Value    string `json:"v"`
	Prefix   bool   `json:"s,omitempty"`
}

func (f comparison) holds(value string) bool {
	if f.Prefix {
		return len(value) >= len(f.Value) && strings.EqualFold(value[:len(f.Value)], f.Value)
	}
	return strings.EqualFold(value, f.Value)
}

// filter reads a $filter of one term over the properties named, nil when there is none.
// Those in prefixed may also be used in startswith.
func (c *call) filter(properties, prefixed []string) (*comparison, *graphError) {
	values, ok := c.query["$filter"]
	if !ok {
		return nil, nil
	}
	given := strings.TrimSpace(values[0])
	if m := startsTerm.FindStringSubmatch(given); m != nil && slices.Contains(prefixed, m[1]) {
		return &comparison{m[1], strings.ReplaceAll(m[2], "''", "'"), true}, nil
	}
	if m := equalsTerm.FindStringSubmatch(given); m != nil && slices.Contains(properties, m[1]) {
		return &comparison{m[1], strings.ReplaceAll(m[2], "''", "'"), false}, nil
	}
	return nil, unsupportedQuery("Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.",
		strings.FieldsFunc(given+" ", func(r rune) bool { return r == ' ' || r == '(' })[0], c.r.URL.Path)
}
