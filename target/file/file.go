// Package file keeps an application's accounts in a JSON Lines file: one user or group a line,
// in its SCIM representation. It is the embedded target: for a first look, for tests, and for
// applications that read a file. It is not a database: the whole file is held in memory, about
// a kilobyte for an account.
//
// # The file
//
// A line is the resource as SCIM has it (RFC 7643), id first, then meta, then the attributes
// by name, members by id. Lines stand in the order in which their resources were made; a user's
// line that nothing changed is written back byte for byte. Deactivated people stay, with active false. A userName
// is taken by one user at most, in any case; groups may share a displayName.
//
// # What is promised
//
// A change that was reported as done is on disk: it is in the journal (the file's name with
// .journal behind it) and synced. A crash or a power failure at any instant loses none of them.
// The file itself changes at Close, from one complete content to the next by a rename; a reader
// never sees half of it. What a crash left in the journal is taken up by the next use.
//
// Another process that uses the same file meanwhile is refused. Within a process, all that use
// a path have to share one [Adapter]. A file that somebody else edited is noticed and read again
// before the next call; where the edit and an unfinished cycle changed one resource, the cycle's
// change stays.
package file

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"entrasync/target"

	"github.com/google/uuid"
)

// Config says where the file is.
type Config struct {
	Path string // it and its directory are made when they are missing, for the owner only
}

// An Adapter is one file. It is safe for concurrent use.
type Adapter struct {
	path string

	mu    sync.Mutex // guards all below
	store *store     // nil until first needed, and after a failed write
	seen  stamp      // the file as it was read
	log   *journal   // nil when no cycle is under way
}

var (
	_ target.Adapter      = (*Adapter)(nil)
	_ target.Lister       = (*Adapter)(nil)
	_ target.Getter       = (*Adapter)(nil)
	_ target.MemberWriter = (*Adapter)(nil)
	_ target.MemberReader = (*Adapter)(nil)
	_ target.Closer       = (*Adapter)(nil)
	_ target.Limited      = (*Adapter)(nil)
)

// New returns the adapter of a file. Nothing is read or made yet.
func New(cfg Config) (*Adapter, error) {
	if cfg.Path == "" {
		return nil, errors.New("open file target: the path is missing; write path: people.jsonl")
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open file target: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // so that the rename replaces the file and not the link to it
	}
	return &Adapter{path: path}, nil
}

// Concurrency implements [target.Limited]. Calls that come while the disk is busy share the next sync of the
// journal, so that more calls at a time need fewer syncs.
func (a *Adapter) Concurrency() int { return 32 }

// Probe reads the file and looks whether it could be written.
func (a *Adapter) Probe(ctx context.Context, _ map[target.Kind][]target.Path) (*target.Profile, error) {
	const op = "probe file"
	if err := begun(ctx, op); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	note, err := probe(a.path)
	if err != nil {
		return nil, unavailable(op, err)
	}
	profile := &target.Profile{
		Name: a.path, Patch: true, Filter: true,
		Kinds: map[target.Kind]bool{target.User: true, target.Group: true},
	}
	if note != "" {
		profile.Notes = []string{note}
	}
	return profile, nil
}

// Find looks the value up in an index that the first question about an attribute builds.
func (a *Adapter) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	found := []target.Resource{}
	err := a.read(ctx, "find "+string(kind), func(s *store) {
		for _, e := range s.find(kind, by, value) {
			found = append(found, e.resource(false))
		}
	})
	return found, err
}

// List yields the resources in the file's order, without members.
func (a *Adapter) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	op := "list " + string(kind) + "s"
	var all []*entry
	if err := a.read(ctx, op, func(s *store) { all = s.list(kind) }); err != nil {
		return err
	}
	const pageSize = 1000
	for len(all) > 0 {
		if err := begun(ctx, op); err != nil {
			return err
		}
		n := min(pageSize, len(all))
		page := make([]target.Resource, n)
		a.mu.Lock() // an entry changes in place
		for i, e := range all[:n] {
			page[i] = e.resource(false)
		}
		a.mu.Unlock()
		if err := yield(page); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// Get returns a resource; a group comes with its members.
func (a *Adapter) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	op := "get " + string(ref.Kind)
	var got *target.Resource
	err := a.read(ctx, op, func(s *store) {
		if e := s.get(ref); e != nil {
			r := e.resource(true)
			got = &r
		}
	})
	if err == nil && got == nil {
		err = missing(op, ref)
	}
	return got, err
}

// Create makes a resource with a random UUID for its id.
func (a *Adapter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	op := "create " + string(kind)
	var made target.Resource
	err := a.write(ctx, op, func(s *store) (any, error) {
		e := &entry{ref: target.Ref{Kind: kind, ID: uuid.NewString()}}
		written, err := s.put(op, e, attributes)
		if err != nil {
			return nil, err
		}
		made = e.with(written, true)
		return putRecord{Put: e.line()}, nil
	})
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// Update writes the given attributes. A change that changes nothing writes nothing.
func (a *Adapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	op := "update " + string(ref.Kind)
	var changed target.Resource
	err := a.write(ctx, op, func(s *store) (any, error) {
		e := s.get(ref)
		if e == nil {
			return nil, missing(op, ref)
		}
		before := string(e.raw)
		written, err := s.put(op, e, attributes)
		if err != nil {
			return nil, err
		}
		changed = e.with(written, false)
		if string(e.raw) == before && !touchesMembers(attributes) {
			return nil, nil
		}
		return putRecord{Put: e.line()}, nil
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// Delete removes a resource, and with it its memberships.
func (a *Adapter) Delete(ctx context.Context, ref target.Ref) error {
	return a.write(ctx, "delete "+string(ref.Kind), func(s *store) (any, error) {
		e := s.get(ref)
		if e == nil {
			return nil, nil
		}
		s.remove(e)
		return deleteRecord{Delete: ref.ID}, nil
	})
}

// ChangeMembers refuses ids that are neither a user nor a group of the file.
func (a *Adapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) ([]target.MemberError, error) {
	const op = "change members"
	var refused []target.MemberError
	err := a.write(ctx, op, func(s *store) (any, error) {
		e := s.get(group)
		if e == nil || group.Kind != target.Group {
			return nil, missing(op, group)
		}
		change := memberChange{ID: group.ID}
		for _, id := range add {
			switch _, in := e.members[id]; {
			case in:
			case s.byID[id] == nil:
				refused = append(refused, target.MemberError{ID: id, Err: &target.Error{
					Code: target.Rejected, Op: op, Message: fmt.Sprintf("no user or group has the id %q", id),
					Hint: "provision the member first",
				}})
			default:
				change.Add = append(change.Add, id)
			}
		}
		for _, id := range remove {
			if _, in := e.members[id]; in {
				change.Remove = append(change.Remove, id)
			}
		}
		if len(change.Add)+len(change.Remove) == 0 {
			return nil, nil
		}
		e.changeMembers(change)
		return memberRecord{Members: change}, nil
	})
	if err != nil {
		return nil, err
	}
	return refused, nil
}

// Members returns the ids of a group's members, sorted.
func (a *Adapter) Members(ctx context.Context, group target.Ref) (ids []string, ok bool, err error) {
	const op = "read members"
	found := false
	err = a.read(ctx, op, func(s *store) {
		if e := s.get(group); e != nil && group.Kind == target.Group {
			ids, found = e.memberIDs(), true
		}
	})
	if err == nil && !found {
		err = missing(op, group)
	}
	return ids, err == nil, err
}

func missing(op string, ref target.Ref) error {
	return &target.Error{Code: target.NotFound, Op: op, Message: fmt.Sprintf("the file has no %s with the id %q", ref.Kind, ref.ID)}
}

func unavailable(op string, err error) error {
	var e *target.Error
	if errors.As(err, &e) {
		return err
	}
	return &target.Error{Code: target.Unavailable, Op: op, Message: err.Error(), Err: err}
}

// begun reports a context that ended before the call.
func begun(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &target.Error{Code: target.Unavailable, Op: op, Message: "stopped before it began", Err: err}
	}
	return nil
}
