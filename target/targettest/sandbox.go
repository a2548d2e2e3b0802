package targettest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"entrasync/target"
)

// A sandbox lets rules that expect an empty application work in one that is in use. Names get a word that no account
// has, only accounts that were made here are written to or listed, and all of them are deleted at the end.
type sandbox struct {
	inner target.Adapter
	word  string

	mu    sync.Mutex // protects what follows
	made  []target.Ref
	calls []Exchange
}

// An Exchange is one call of an adapter.
type Exchange struct {
	Call     string `json:"call"`
	Sent     any    `json:"sent"`
	Received any    `json:"received,omitempty"`
	Error    string `json:"error,omitempty"`
}

// mostCalls is how many calls of a rule are kept: those before it failed.
const mostCalls = 12

func newSandbox(inner target.Adapter) *sandbox {
	return &sandbox{inner: inner, word: "t" + strings.ToLower(rand.Text()[:8])}
}

// domain is that of the names which rules use (RFC 2606 reserves it).
const domain = "example.com"

// rename gives all texts of a value names of this sandbox, or takes them away again.
func (s *sandbox) rename(value any, from, to string) any {
	switch value := value.(type) {
	case string:
		if at := strings.Index(strings.ToLower(value), "@"+from); at >= 0 {
			return value[:at+1] + to + value[at+1+len(from):]
		}
	case []any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = s.rename(value[i], from, to)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for name := range value {
			object[name] = s.rename(value[name], from, to)
		}
		return object
	}
	return value
}

func (s *sandbox) inside(value any) any  { return s.rename(value, domain, s.word+"."+domain) }
func (s *sandbox) outside(value any) any { return s.rename(value, s.word+"."+domain, domain) }

func (s *sandbox) isGroupName(kind target.Kind, path target.Path) bool {
	return kind == target.Group && strings.EqualFold(path.Canonical(), "displayName")
}

func (s *sandbox) attributes(kind target.Kind, attributes []target.Attribute) []target.Attribute {
	all := make([]target.Attribute, len(attributes))
	for i, a := range attributes {
		all[i] = target.Attribute{Path: a.Path, Value: s.inside(a.Value), Old: s.inside(a.Old)}
		if text, ok := a.Value.(string); ok && s.isGroupName(kind, a.Path) {
			all[i].Value = s.word + " " + text
		}
	}
	return all
}

func (s *sandbox) resource(r *target.Resource) *target.Resource {
	if r == nil {
		return nil
	}
	shown := *r
	shown.Attributes, _ = s.outside(r.Attributes).(map[string]any)
	if name, ok := shown.Attributes["displayName"].(string); ok && r.Kind == target.Group {
		shown.Attributes["displayName"] = strings.TrimPrefix(name, s.word+" ")
	}
	return &shown
}

func (s *sandbox) resources(list []target.Resource) []target.Resource {
	all := make([]target.Resource, len(list))
	for i := range list {
		all[i] = *s.resource(&list[i])
	}
	return all
}

func (s *sandbox) record(call string, sent, received any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	exchange := Exchange{Call: call, Sent: sent, Received: received}
	if err != nil {
		exchange.Received, exchange.Error = nil, err.Error()
	}
	if s.calls = append(s.calls, exchange); len(s.calls) > mostCalls {
		s.calls = slices.Clone(s.calls[1:])
	}
}

func values(attributes []target.Attribute) map[string]any {
	all := map[string]any{}
	for _, a := range attributes {
		all[a.Path.Canonical()] = a.Value
	}
	return all
}

func shown(r *target.Resource) any {
	if r == nil {
		return nil
	}
	return map[string]any{"id": r.ID, "attributes": r.Attributes}
}

func ids(list []target.Resource) any {
	all := []string{}
	for _, r := range list {
		all = append(all, r.ID)
	}
	return map[string]any{"ids": all}
}

// mine reports whether a resource was made here, or is the one that does not exist.
func (s *sandbox) mine(ref target.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ref.ID == noSuchID || slices.Contains(s.made, ref)
}

// refuse is the error of a write to what was not made here.
func (s *sandbox) refuse(ref target.Ref) error {
	if s.mine(ref) {
		return nil
	}
	return &target.Error{Code: target.Rejected, Message: fmt.Sprintf("the test was to write to %s %q, which it did not make; nothing was sent", ref.Kind, ref.ID)}
}

func (s *sandbox) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	profile, err := s.inner.Probe(ctx, paths)
	s.record("probe", nil, profile, err)
	return profile, err
}

func (s *sandbox) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	asked := s.inside(value).(string)
	if s.isGroupName(kind, by) {
		asked = s.word + " " + value
	}
	found, err := s.inner.Find(ctx, kind, by, asked)
	s.record("find "+string(kind), map[string]any{"attribute": by.Canonical(), "value": asked}, ids(found), err)
	return s.resources(found), err
}

// Create takes a resource for its own only when it bears the name that was sent: an application that answers with
// another account must not have that one deleted.
func (s *sandbox) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	sent := s.attributes(kind, attributes)
	r, err := s.inner.Create(ctx, kind, sent)
	s.record("create "+string(kind), values(sent), shown(r), err)
	if err != nil || r == nil || r.ID == "" {
		return s.resource(r), err
	}
	held := r
	if getter, ok := s.inner.(target.Getter); ok {
		if held, err = getter.Get(ctx, r.Ref); err != nil {
			return nil, fmt.Errorf("could not read what it had just made (%s %q): %w", kind, r.ID, err)
		}
	}
	for _, a := range sent {
		if name := strings.ToLower(a.Path.Canonical()); (name == "username" || kind == target.Group && name == "displayname") && !a.Path.Same(a.Value, held.Value(a.Path)) {
			return nil, fmt.Errorf("answered Create of %q with the %s %q, which has another name; it is left alone", a.Value, kind, r.ID)
		}
	}
	s.mu.Lock()
	s.made = append(s.made, r.Ref)
	s.mu.Unlock()
	return s.resource(r), nil
}

func (s *sandbox) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	if err := s.refuse(ref); err != nil {
		return nil, err
	}
	sent := s.attributes(ref.Kind, attributes)
	r, err := s.inner.Update(ctx, ref, sent)
	s.record("update "+string(ref.Kind)+" "+ref.ID, values(sent), shown(r), err)
	return s.resource(r), err
}

func (s *sandbox) Delete(ctx context.Context, ref target.Ref) error {
	if err := s.refuse(ref); err != nil {
		return err
	}
	err := s.inner.Delete(ctx, ref)
	s.record("delete "+string(ref.Kind)+" "+ref.ID, nil, nil, err)
	return err
}

// List implements [target.Lister] with those that were made here.
func (s *sandbox) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	n := 0
	err := s.inner.(target.Lister).List(ctx, kind, func(page []target.Resource) error {
		n += len(page)
		own := slices.DeleteFunc(slices.Clone(page), func(r target.Resource) bool { return !s.mine(r.Ref) })
		if len(own) == 0 {
			return nil
		}
		return yield(s.resources(own))
	})
	s.record("list "+string(kind)+"s", nil, map[string]int{"listed": n}, err)
	return err
}

func (s *sandbox) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	r, err := s.inner.(target.Getter).Get(ctx, ref)
	s.record("get "+string(ref.Kind)+" "+ref.ID, nil, shown(r), err)
	return s.resource(r), err
}

func (s *sandbox) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) ([]target.MemberError, error) {
	if err := s.refuse(group); err != nil {
		return nil, err
	}
	refused, err := s.inner.(target.MemberWriter).ChangeMembers(ctx, group, add, remove)
	s.record("change members of "+group.ID, map[string]any{"add": add, "remove": remove}, map[string]any{"refused": len(refused)}, err)
	return refused, err
}

func (s *sandbox) Members(ctx context.Context, group target.Ref) ([]string, bool, error) {
	members, ok, err := s.inner.(target.MemberReader).Members(ctx, group)
	s.record("members of "+group.ID, nil, map[string]any{"members": members, "shown": ok}, err)
	return members, ok, err
}

func (s *sandbox) Close(ctx context.Context) error {
	err := s.inner.(target.Closer).Close(ctx)
	s.record("close", nil, nil, err)
	return err
}

// clean deletes what was made and returns what could not be deleted.
func (s *sandbox) clean(ctx context.Context) (left []target.Ref, err error) {
	s.mu.Lock()
	made := slices.Clone(s.made)
	s.mu.Unlock()
	slices.Reverse(made) // groups before their members
	for _, ref := range made {
		if failure := s.inner.Delete(ctx, ref); failure != nil {
			left, err = append(left, ref), errors.Join(err, failure)
		}
	}
	return left, err
}
