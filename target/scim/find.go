package scim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"entrasync/target"
)

// A search looks resources up by a value: with a filter, or by reading all where filters cannot be used.
type search struct {
	cfg     Config
	learned *learned
	client  *client
	indexes map[target.Kind]*index // of what was read for that
}

// Find implements [target.Adapter]. A server's answer is believed only as far as its
// resources really have the value: Casdoor answers a filter with everyone, Polis with whom it
// knew by that name before. Where filters are refused or ignored, everyone is read instead,
// once a cycle.
func (a *Adapter) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	return a.search.find(ctx, kind, by, value)
}

func (s *search) find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	op := opName("find", kind)
	if value == "" {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "nothing can be found by an empty " + by.String()}
	}
	if by.Schema() == "" && strings.EqualFold(by.Name(), "id") {
		r, err := s.client.get(ctx, target.Ref{Kind: kind, ID: value})
		if missing(err) || errors.Is(err, errNoID) {
			return []target.Resource{}, nil
		}
		if err != nil {
			return nil, err
		}
		return []target.Resource{*r}, nil
	}
	key := strings.ToLower(by.Canonical())
	if s.cfg.NoFilter || s.learned.knows(noFilter, kind, key) {
		return s.findByReading(ctx, kind, by, value)
	}
	matches, strangers, err := s.filter(ctx, op, kind, by, value)
	if err == nil && !strangers {
		s.learned.learn(filterWorks, kind, key)
	}
	switch {
	case err == nil && !strangers && len(matches) > 0:
		return matches, nil
	case err == nil && !strangers:
		exact, err := s.comparesExactly(ctx, op, kind, by)
		if err != nil || !exact {
			return matches, err
		}
	case err == nil: // ignored: a true match may be on any page
		s.learned.learn(noFilter, kind, key)
	case refusesFilter(err) && s.learned.knows(filterWorks, kind, key): // of this value only
	case refusesFilter(err):
		s.learned.learn(noFilter, kind, key)
	case statusOf(err) == http.StatusInternalServerError: // of this value only, perhaps
	case s.ofThisValue(ctx, err):
	default:
		return nil, err
	}
	return s.findByReading(ctx, kind, by, value)
}

// ofThisValue reports whether a filter's failure is about its value, so that the person has to be
// looked for in another way: the response was not SCIM, or was refused by something in between,
// while others are answered.
func (s *search) ofThisValue(ctx context.Context, err error) bool {
	switch target.CodeOf(err) {
	case target.Rejected:
		return true
	case target.Forbidden:
		return s.client.serves(ctx)
	}
	return false
}

// comparesExactly finds out whether a server's filter on a name knows one case only, as
// SCIMMY's and Polis's do; there, nothing found does not mean that no account is there. It asks for
// an account that is there, in the other case.
func (s *search) comparesExactly(ctx context.Context, op string, kind target.Kind, by target.Path) (bool, error) {
	switch strings.ToLower(by.Canonical()) {
	case "username", "displayname", "emails", "emails.value":
	default:
		return false, nil
	}
	key := strings.ToLower(by.Canonical())
	switch {
	case s.learned.knows(exactFilter, kind, key):
		return true, nil
	case s.learned.knows(looseFilter, kind, key), s.learned.knows(emptyFilter, kind, key):
		return false, nil
	}
	c := call{op: op, method: http.MethodGet, path: []string{endpoint(kind)}, query: []string{"startIndex=1", "count=5"}}
	ans, err := s.client.send(ctx, c)
	if err != nil {
		return false, err
	}
	page, err := ans.listing(c, kind)
	if err != nil {
		return false, err
	}
	for i := range page.resources {
		for _, value := range valuesAt(by, &page.resources[i]) {
			other := strings.ToUpper(value)
			if other == value {
				other = strings.ToLower(value)
			}
			if other == value {
				continue
			}
			found, _, err := s.filter(ctx, op, kind, by, other)
			if err != nil {
				return false, err
			}
			if len(found) > 0 {
				s.learned.learn(looseFilter, kind, key)
				return false, nil
			}
			s.learned.learn(exactFilter, kind, key)
			return true, nil
		}
	}
	s.learned.learn(emptyFilter, kind, key) // who is made later in this cycle is known to the caller
	return false, nil
}

// refusesFilter tells "I do not know this filter" from other errors.
func refusesFilter(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusNotImplemented, http.StatusUnprocessableEntity:
		return true
	}
	return typeOf(err) == invalidFilter
}

// filter asks by filter and verifies. strangers is true when the response holds resources that
// do not have the value in any spelling.
func (s *search) filter(ctx context.Context, op string, kind target.Kind, by target.Path, value string) (matches []target.Resource, strangers bool, err error) {
	matches = []target.Resource{}
	enough := errors.New("strangers")
	asked := by
	if by.Filtered() && by.Sub() != "" { // few servers take a path filter in a filter
		if asked, err = target.ParsePath(by.Whole().String() + "." + by.Sub()); err != nil {
			return nil, false, err
		}
	}
	err = s.client.list(ctx, kind, op, asked.Canonical()+" eq "+quote(value), func(page []target.Resource) error {
		for i := range page {
			r := &page[i]
			if r.Value(asked) == nil { // some list resources without all attributes
				full, err := s.client.get(ctx, r.Ref)
				if missing(err) {
					continue
				}
				if err != nil {
					return err
				}
				r = full
			}
			switch {
			case by.Holds(r.Attributes, value):
				matches = append(matches, *r)
			case !holdsAnyCase(asked, r, value):
				strangers = true
				return enough
			}
		}
		return nil
	})
	if errors.Is(err, enough) || statusOf(err) == http.StatusNotFound {
		err = nil // 404 to a filter is no match
	}
	if len(matches) > 0 {
		s.learned.learn(filterFinds, kind, strings.ToLower(asked.Canonical()))
	}
	return matches, strangers, err
}

// holdsAnyCase is Holds for servers that compare identifiers in any case: their answer is no
// match, but the filter was not ignored.
func holdsAnyCase(by target.Path, r *target.Resource, value string) bool {
	return slices.ContainsFunc(valuesAt(by, r), func(s string) bool { return strings.EqualFold(s, value) })
}

// refusesQuery reports whether a read may have failed for what its query asks: with 400 as it should,
// or with an error of the application's own.
func refusesQuery(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusNotImplemented:
		return true
	}
	return false
}

// findByReading looks a value up among everyone, and reads whom it finds as they are now.
func (s *search) findByReading(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	ids, err := s.indexes[kind].lookup(ctx, s.client, kind, by, value)
	if err != nil {
		return nil, err
	}
	found := []target.Resource{}
	for _, id := range ids {
		r, err := s.client.get(ctx, target.Ref{Kind: kind, ID: id})
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if by.Holds(r.Attributes, value) {
			found = append(found, *r)
		}
	}
	return found, s.markSwitchedOff(ctx, found)
}

// Get implements [target.Getter]. Groups are read without their members.
func (a *Adapter) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	return a.client.get(ctx, ref)
}

func (cl *client) get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	c := call{op: opName("read", ref.Kind), method: http.MethodGet, path: []string{endpoint(ref.Kind), ref.ID}}
	if ref.Kind == target.Group && !cl.learned.knows(noExclude, ref.Kind, "") {
		c.query = []string{"excludedAttributes=members"}
	}
	return cl.read(ctx, c, ref)
}

// read reads a resource and makes sure that it is the one asked for.
func (cl *client) read(ctx context.Context, c call, ref target.Ref) (*target.Resource, error) {
	ans, err := cl.send(ctx, c)
	if c.query != nil && refusesQuery(err) {
		c.query = nil
		var again error
		if ans, again = cl.send(ctx, c); again == nil {
			cl.learned.learn(noExclude, ref.Kind, "")
		}
		err = again
	}
	if err != nil {
		return nil, err
	}
	r := ans.resource(ref.Kind)
	if r == nil {
		return nil, cl.onlyThis(ctx, c, notSCIM(c, ans.status, nil, ans.object))
	}
	if !strings.EqualFold(r.ID, ref.ID) {
		return nil, &target.Error{Op: c.op, Code: target.Rejected, Message: "the application answered with another resource, " + quote(target.Clean(r.ID))}
	}
	r.ID = ref.ID
	return r, nil
}
