// Package file keeps an application's accounts in a JSON Lines file: one user or group a line,
// in its SCIM representation. It is the embedded target: for a first look, for tests, and for
// applications that read a file. It is not a database, and does not hold the file in memory: where lines are takes
// about four bytes for an account and a few for one that a cycle makes or changes. The groups whose members a cycle
// changes are in memory, up to 262,144 members or one group.
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
// never sees half of it. What a crash left in the journal is taken up by the next use. Lines that did not change are
// copied in blocks; a cycle without a change writes nothing.
//
// From a megabyte on, an index (the file's name with .index behind it) says where the lines are, so that a change
// reads its own lines only. It can be removed at any time: without it, and when it is not that of the file as it is,
// the file is read once.
//
// Another process that uses the same file meanwhile is refused. Within a process, all that use
// a path have to share one [Adapter]. A file that another program edited is noticed and read again
// before the next call; where the edit and an unfinished cycle changed one resource, the cycle's
// change stays.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	path  string
	sizes sizes

	mu    sync.Mutex // guards all below
	store *store     // nil until first needed, and after a failed write
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
	_ target.Versioned    = (*Adapter)(nil)
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
	return &Adapter{path: path, sizes: usualSizes()}, nil
}

// Concurrency implements [target.Limited]. Calls that come while the disk is busy share the next sync of the
// journal, so that more calls at a time need fewer syncs.
func (a *Adapter) Concurrency() int { return 32 }

// Version implements [target.Versioned]: the file's inode, size and time of modification. It is unknown while a
// journal is there.
func (a *Adapter) Version(context.Context) (version string, known bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := os.Lstat(a.path + ".journal"); !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	s, err := stampOf(a.path)
	if err != nil {
		return "", false, unavailable("read file", err)
	}
	return fmt.Sprintf("%d/%d/%d", s.inode, s.size, s.modified), true, nil
}

// Probe reads the file and looks whether it could be written.
func (a *Adapter) Probe(ctx context.Context, _ map[target.Kind][]target.Path) (*target.Profile, error) {
	const op = "probe file"
	if err := begun(ctx, op); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.check(); err != nil {
		return nil, unavailable(op, err)
	}
	note, err := canWrite(a.path)
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
	err := a.read(ctx, "find "+string(kind), func(s *store) error {
		entries, err := s.find(kind, by, value)
		for _, e := range entries {
			found = append(found, e.resource(false))
		}
		return err
	})
	return found, err
}

// List yields the resources in the file's order, without members.
func (a *Adapter) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	op := "list " + string(kind) + "s"
	var s *store
	err := a.read(ctx, op, func(current *store) error {
		s = current
		s.readers++
		return nil
	})
	if err != nil {
		return err
	}
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if s.readers--; s.dropped {
			s.close()
		}
	}()
	const pageSize = 1000
	for w := new(walk); ; {
		if err := begun(ctx, op); err != nil {
			return err
		}
		a.mu.Lock()
		page, err := s.page(w, kind, pageSize)
		a.mu.Unlock()
		if err != nil {
			return unavailable(op, err)
		}
		if len(page) == 0 {
			return nil
		}
		if err := yield(page); err != nil {
			return err
		}
	}
}

// Get returns a resource; a group comes with its members.
func (a *Adapter) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	op := "get " + string(ref.Kind)
	var got *target.Resource
	err := a.read(ctx, op, func(s *store) error {
		e, err := s.get(ref)
		if e != nil {
			r := e.resource(true)
			got = &r
		}
		return err
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
	err := a.write(ctx, op, func(s *store) (int, error) {
		e := &entry{ref: target.Ref{Kind: kind, ID: uuid.NewString()}, where: nowhere()}
		n, written, err := s.put(op, e, attributes)
		made = e.with(written, true)
		return n, err
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
	err := a.write(ctx, op, func(s *store) (int, error) {
		e, err := s.get(ref)
		if err != nil {
			return 0, err
		}
		if e == nil {
			return 0, missing(op, ref)
		}
		n, written, err := s.put(op, e, attributes)
		changed = e.with(written, false)
		return n, err
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// Delete removes a resource, and with it its memberships.
func (a *Adapter) Delete(ctx context.Context, ref target.Ref) error {
	return a.write(ctx, "delete "+string(ref.Kind), func(s *store) (int, error) {
		e, err := s.get(ref)
		if err != nil || e == nil {
			return 0, err
		}
		return s.remove(e)
	})
}

// ChangeMembers refuses ids that are neither a user nor a group of the file.
func (a *Adapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) ([]target.MemberError, error) {
	const op = "change members"
	var refused []target.MemberError
	err := a.write(ctx, op, func(s *store) (int, error) {
		if group.Kind != target.Group {
			return 0, missing(op, group)
		}
		e, err := s.openGroup(group)
		if err != nil {
			return 0, err
		}
		if e == nil {
			return 0, missing(op, group)
		}
		change := memberChange{ID: group.ID}
		for _, id := range add {
			if _, in := e.members[id]; in {
				continue
			}
			known, err := s.exists(id)
			if err != nil {
				return 0, err
			}
			if known {
				change.Add = append(change.Add, id)
				continue
			}
			refused = append(refused, target.MemberError{ID: id, Err: &target.Error{
				Code: target.Rejected, Op: op, Message: fmt.Sprintf("no user or group has the id %q", id),
				Hint: "provision the member first",
			}})
		}
		for _, id := range remove {
			if _, in := e.members[id]; in {
				change.Remove = append(change.Remove, id)
			}
		}
		if len(change.Add)+len(change.Remove) == 0 {
			return 0, nil
		}
		n, _ := s.log.append(memberRecord{Members: change})
		s.change(e, change)
		return n, nil
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
	err = a.read(ctx, op, func(s *store) error {
		e, err := s.get(group)
		if e != nil && group.Kind == target.Group {
			ids, found = e.memberIDs(), true
		}
		return err
	})
	if err == nil && !found {
		err = missing(op, group)
	}
	return ids, err == nil, err
}

// check reads the file, unless it was read since it changed.
func (a *Adapter) check() error {
	now, err := stampOf(a.path)
	if err != nil || a.store != nil && a.store.base.stamp == now {
		return err
	}
	s, err := openStore(a.path, a.sizes)
	if err != nil {
		return err
	}
	if a.log != nil {
		s.close() // the next call takes it up with the journal
		return nil
	}
	a.drop()
	a.store = s
	return nil
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
