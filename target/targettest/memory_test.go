package targettest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
)

// memory is an adapter that keeps every rule, and breaks the one it is told to.
type memory struct {
	breaks string
	quirk  Quirk // of the application it is

	mu      sync.Mutex // guards what follows
	records map[target.Ref]map[string]any
	order   []target.Ref // of creation
}

func newMemory(breaks string) *memory {
	return &memory{breaks: breaks, records: map[target.Ref]map[string]any{}}
}

// quirkyMemory is an adapter for an application with a quirk.
func quirkyMemory(breaks string) func(testing.TB, Quirk) App {
	return func(_ testing.TB, quirk Quirk) App {
		m := newMemory(breaks)
		m.quirk = quirk
		return App{Adapter: m, ReadBack: func(tb testing.TB) (users, groups []target.Resource) {
			users, _ = listAll(tb.Context(), &memory{records: m.records, order: m.order}, target.User)
			groups, _ = listAll(tb.Context(), &memory{records: m.records, order: m.order}, target.Group)
			return users, groups
		}}
	}
}

func (m *memory) is(fault string) bool { return m.breaks == fault }

// odd reports a fault in the face of a quirk.
func (m *memory) odd(quirk Quirk, fault string) bool { return m.quirk == quirk && m.is(fault) }

func (m *memory) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil && !m.is("ignores the context") {
		return &target.Error{Code: target.Unavailable, Message: "stopped", Err: err}
	}
	return nil
}

func failed(code target.Code) error { return &target.Error{Code: code, Message: string(code)} }

func deep(v map[string]any) map[string]any {
	var c map[string]any
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		panic(err)
	}
	return c
}

func (m *memory) hand(ref target.Ref) *target.Resource {
	attrs := m.records[ref]
	if !m.is("shares results") {
		attrs = deep(attrs)
	}
	if m.is("forgets the kind") {
		ref.Kind = target.User
	}
	return &target.Resource{Ref: ref, Attributes: attrs}
}

func (m *memory) taken(ref target.Ref, attrs map[string]any) bool {
	name, _ := attrs["userName"].(string)
	for other, a := range m.records {
		same := strings.EqualFold(fmt.Sprint(a["userName"]), name)
		if m.is("compares taken names exactly") {
			same = a["userName"] == name
		}
		if ref.Kind == target.User && other.Kind == target.User && other != ref && same {
			return true
		}
	}
	return false
}

func (m *memory) Probe(ctx context.Context, _ map[target.Kind][]target.Path) (*target.Profile, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.is("probes by writing") {
		for _, a := range m.records {
			a["title"] = "probed"
		}
	}
	return &target.Profile{Kinds: map[target.Kind]bool{target.User: true, target.Group: true}}, nil
}

func (m *memory) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []target.Resource
	for _, ref := range m.order {
		holds := by.Holds(m.records[ref], value)
		switch {
		case m.is("finds everybody"):
			holds = true
		case m.is("finds by half a name"):
			text, _ := by.Get(m.records[ref]).(string)
			holds = strings.Contains(text, value)
		case m.is("finds in exact case"):
			holds = by.Get(m.records[ref]) == value
		}
		if ref.Kind == kind && holds {
			found = append(found, *m.hand(ref))
		}
	}
	return found, nil
}

func (m *memory) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ref := target.Ref{Kind: kind, ID: fmt.Sprintf("id-%d", len(m.order)+1)}
	attrs := map[string]any{}
	for _, a := range attributes {
		m.set(attrs, a)
	}
	if m.taken(ref, attrs) && !m.is("creates twice") {
		if m.is("hides a conflict") {
			return nil, failed(target.Rejected)
		}
		return nil, failed(target.Conflict)
	}
	m.records[ref] = attrs
	m.order = append(m.order, ref)
	if m.is("returns no id") {
		return &target.Resource{Ref: target.Ref{Kind: kind}}, nil
	}
	return m.hand(ref), nil
}

func (m *memory) set(attrs map[string]any, a target.Attribute) {
	switch text, isText := a.Value.(string); {
	case m.is("mangles text") && isText:
		a.Value = strings.ReplaceAll(text, `"`, "")
	case m.is("keeps what is cleared") && (a.Value == nil || fmt.Sprint(a.Value) == "[]"):
		return
	case m.is("shares arguments") && a.Path.String() == "roles":
		attrs["roles"] = a.Value
		return
	case m.is("appends lists") && a.Path.String() == "roles":
		old, _ := attrs["roles"].([]any)
		given, _ := a.Value.([]any)
		a.Value = append(slices.Clone(old), given...)
	case m.is("drops extensions") && a.Path.Schema() != "":
		return
	}
	if m.quirk != DropsTypes || m.is("makes lists longer") {
		a.Path.Set(attrs, a.Value)
	} else if err := a.Path.Place(attrs, a.Old, a.Value); err != nil {
		panic(err)
	}
	list, _ := attrs["emails"].([]any)
	for _, element := range list {
		if m.quirk == DropsTypes {
			delete(element.(map[string]any), "type")
		}
	}
}

func (m *memory) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[ref] == nil {
		if m.is("updates the missing") {
			return nil, nil
		}
		return nil, failed(target.NotFound)
	}
	attrs := m.records[ref]
	if !m.is("shares results") {
		attrs = deep(attrs)
	}
	if m.is("replaces on update") {
		attrs = map[string]any{"userName": attrs["userName"]}
	}
	if m.odd(HidesTitle, "writes back what is shown") {
		delete(attrs, "title")
	}
	for _, a := range attributes {
		switch text, _ := a.Value.(string); {
		case m.odd(OddForEve, "stops at one odd answer") && text == "eve":
			return nil, failed(target.NotSCIM)
		case m.quirk == OddForEve && text == "eve":
			return nil, failed(target.Rejected)
		case m.odd(Respells, "fails for a spelling") && strings.TrimSpace(text) != text:
			return nil, failed(target.Rejected)
		case m.odd(Busy, "fails when it is to wait"):
			return nil, failed(target.Unavailable)
		}
		if m.is("cannot reactivate") && a.Path.String() == "active" && a.Value == true {
			continue
		}
		if m.is("cannot rename") && a.Path.String() == "userName" {
			continue
		}
		m.set(attrs, a)
	}
	if m.taken(ref, attrs) {
		if m.is("renames to a taken name") {
			m.records[ref] = attrs
		}
		return nil, failed(target.Conflict)
	}
	m.records[ref] = attrs
	return m.hand(ref), nil
}

func (m *memory) Delete(ctx context.Context, ref target.Ref) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[ref] == nil && m.is("fails to delete twice") {
		return failed(target.NotFound)
	}
	if m.is("deletes by deactivating") {
		m.records[ref]["active"] = false
		return nil
	}
	delete(m.records, ref)
	m.order = slices.DeleteFunc(m.order, func(r target.Ref) bool { return r == ref })
	m.order = append(m.order, target.Ref{}) // keeps ids apart
	for _, group := range m.records {
		if ids, ok := group["members"].([]any); ok && !m.is("keeps deleted members") {
			group["members"] = slices.DeleteFunc(ids, func(v any) bool { return v.(map[string]any)["value"] == ref.ID })
		}
	}
	return nil
}

func (m *memory) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	var all []target.Resource
	for _, ref := range m.order {
		if ref.Kind == kind || m.is("lists every kind") && ref.Kind != "" {
			all = append(all, *m.hand(ref))
		}
	}
	m.mu.Unlock()
	for start := 0; start < len(all); start += 100 {
		if m.odd(SmallPages, "gives up on small pages") && len(all) > 20 {
			return failed(target.Rejected)
		}
		if start > 0 && m.is("lists one page") {
			return nil
		}
		if m.is("lists overlapping pages") {
			start = max(0, start-1)
		}
		if err := m.begin(ctx); err != nil {
			if m.is("hides a cut list") {
				return nil
			}
			return err
		}
		if err := yield(all[start:min(start+100, len(all))]); err != nil && !m.is("ignores yield") {
			return err
		}
	}
	return nil
}

func (m *memory) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[ref] == nil {
		if m.is("gets the missing with a plain error") {
			return nil, fmt.Errorf("no %s", ref.ID)
		}
		return nil, failed(target.NotFound)
	}
	return m.hand(ref), nil
}

func (m *memory) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[group] == nil {
		if m.is("gives members to no group") {
			return nil, nil
		}
		return nil, failed(target.NotFound)
	}
	if m.odd(LateGroups, "loses a new group") {
		return nil, failed(target.NotFound)
	}
	in := map[string]int{}
	list, _ := m.records[group]["members"].([]any)
	if m.odd(WholeGroups, "leaves new groups empty") && len(list) == 0 {
		return nil, failed(target.Unsupported)
	}
	for _, v := range list {
		in[v.(map[string]any)["value"].(string)]++
	}
	for i, id := range add {
		switch {
		case m.odd(StrictMembers, "fails for who is there") && in[id] > 0:
			return nil, failed(target.Conflict)
		case m.is("writes a hundred members") && i >= 100:
		case m.records[target.Ref{Kind: target.User, ID: id}] == nil && m.is("fails for one member"):
			return nil, failed(target.Rejected)
		case m.records[target.Ref{Kind: target.User, ID: id}] == nil && m.is("drops all for one member"):
			return []target.MemberError{{ID: id, Err: failed(target.Rejected)}}, nil
		case m.records[target.Ref{Kind: target.User, ID: id}] == nil:
			refused = append(refused, target.MemberError{ID: id, Err: failed(target.Rejected)})
		case m.is("adds members twice"):
			in[id]++
		default:
			in[id] = 1
		}
	}
	for _, id := range remove {
		if delete(in, id); m.is("empties the group") {
			clear(in)
		}
	}
	members := []any{}
	for _, id := range slices.Sorted(maps.Keys(in)) {
		for range in[id] {
			members = append(members, map[string]any{"value": id})
		}
	}
	m.records[group]["members"] = members
	return refused, nil
}

func (m *memory) Members(ctx context.Context, group target.Ref) (ids []string, ok bool, err error) {
	r, err := m.Get(ctx, group)
	if err != nil {
		return nil, false, err
	}
	list, _ := r.Attributes["members"].([]any)
	for _, v := range list {
		ids = append(ids, v.(map[string]any)["value"].(string))
	}
	return ids, true, nil
}

func (m *memory) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.is("forgets on close") {
		clear(m.records)
		m.order = nil
	}
	return nil
}
