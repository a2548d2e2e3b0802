// Package state is what entrasync remembers between cycles: which tenants there are and who
// owns which account of a target; per tenant the directory snapshot with its delta links; and
// per sync the links to accounts, the work that is pending, retries, holds and runs.
//
// It decides nothing and sends no request: it neither reads Graph nor knows a target, and time
// always comes in as an argument.
//
// It promises that a transaction is all or nothing and on disk when it returns (one fsync), so
// that a page's objects, its link and the work it causes move together; that memory does not
// grow with the directory; that no user but the owner can read the files; and that a damaged
// file is an error that names it, never a panic. Losing the files loses no account: links are
// found again by matching, and the registry's claims on accounts are rebuilt from the links.
//
// # What a page does not say
//
// Graph leaves out a property without a value that was never set before ("If the property was never set
// before it won't be included in the response at all", delta query overview), and gives null for one
// that was cleared. So in an incremental round a property that is absent keeps what was known, and null
// takes it away. A full round tells the present state: the first entry of an object replaces what was
// known of it, so that an absent property, directory extension or manager has no value; further entries
// of the same round add to it. See [Tx.PutPage].
//
// # Transactions
//
// A [Tenant] has one writer at a time and any number of readers. Three rules follow from the
// store below it (bbolt):
//
//   - What an iterator or getter yields as bytes is valid until the transaction ends.
//   - Do not write to what is being iterated: collect a chunk, write, continue with after.
//   - Do not wait inside a View for an Update of the same tenant, such as by feeding workers
//     that write: a writer that must grow the file waits for the readers.
package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/state/bolt"
	"entrasync/state/postgres"
	"entrasync/state/sealed"
)

// A Store is a state directory, held exclusively by this process. Its methods may be called
// concurrently.
type Store struct {
	dir      string
	opts     Options
	home     home
	ring     sealed.Ring // the keys of the state
	registry *database
	accounts *Accounts
	shared   *postgres.Server // nil: the state is in files, of this process alone

	sequences sequences

	mu      sync.Mutex // protects all fields below
	tenants map[opening]*opened
	commits map[graphsync.ID]*atomic.Uint64 // of tenants, open or not
	closed  bool
}

// An opening is how a tenant is open.
type opening struct {
	id  graphsync.ID
	own bool
}

// opened is a tenant's database while it is in use.
type opened struct {
	at   opening
	file *database
	uses int
}

// lost reports whether this process no longer owns the tenant.
func (o *opened) lost() bool { return o.at.own && o.file.ctx.Err() != nil }

// A Tenant is one tenant's state. Handles on the same tenant share its file, which is open
// while at least one handle is. Its methods may be called concurrently.
type Tenant struct {
	store  *Store
	id     graphsync.ID
	opened *opened
	file   *database
	once   sync.Once
}

// Close gives the directory free, after the transactions that are under way. Tenants still
// open fail from then on.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for at, o := range s.tenants {
		errs = append(errs, s.stamp(at.id, o.file), o.file.close())
	}
	return errors.Join(append(errs, s.accounts.writeClaims(), s.registry.close(), s.home.close())...)
}

// Dir returns the directory as it was given to Open; for a state in a database the folder of this process.
func (s *Store) Dir() string { return s.dir }

// Accounts returns who owns which account of a target.
func (s *Store) Accounts() *Accounts { return s.accounts }

// Invitations returns the invitations to join by consent.
func (s *Store) Invitations() Invitations { return Invitations{s.registry} }

// TenantRecords returns what is known of tenants in addition to the configuration.
func (s *Store) TenantRecords() TenantRecords { return TenantRecords{s.registry} }

// Tenant opens a tenant's state, creating it when there is none. Close it when done: an idle
// tenant then costs neither memory nor a file descriptor.
func (s *Store) Tenant(id graphsync.ID) (*Tenant, error) { return s.open(id, false) }

// Own is Tenant for a cycle, which works on the tenant alone: see [Tenant.Context]. While a worker of another machine
// has the tenant, the error is a *[HeldError].
func (s *Store) Own(id graphsync.ID) (*Tenant, error) { return s.open(id, true) }

func (s *Store) open(id graphsync.ID, own bool) (*Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("open state of tenant %s: the store is closed", id)
	}
	at := opening{id, own && s.accounts.direct} // a file is this process's own
	o := s.tenants[at]
	if o == nil || o.lost() { // who has it open learns that from its context
		f, err := s.home.tenant(id, own, s.committed(s.path(id), s.counter(id)))
		if err != nil {
			return nil, err
		}
		f.tenant = id
		if !s.accounts.direct { // in a database the tenants and the registry go together
			if err := (auditHeads{s.registry}).check(id, f); err != nil {
				return nil, errors.Join(err, f.close())
			}
		}
		if at.own {
			if err := s.matchCreations(id, f); err != nil {
				return nil, errors.Join(err, f.close())
			}
		}
		o = &opened{at: at, file: f}
		s.tenants[at] = o
	}
	o.uses++
	return &Tenant{store: s, id: id, opened: o, file: o.file}, nil
}

// HasTenant reports whether there is a state of a tenant.
func (s *Store) HasTenant(id graphsync.ID) (bool, error) { return s.home.has(id) }

// Inspect reads what the syncs of a tenant say of themselves, and returns the error that a command on the
// tenant would meet, such as a *[DamagedError]. A tenant without a state is fine, and gets none.
func (s *Store) Inspect(id graphsync.ID) error {
	if has, err := s.home.has(id); err != nil || !has {
		return err
	}
	tenant, err := s.Tenant(id)
	if err != nil {
		return err
	}
	defer tenant.Close()
	return tenant.View(func(tx *Tx) error {
		for _, sync := range tx.Syncs() {
			tx.SyncInfo(sync)
			tx.Retries(sync).Count()
			tx.Runs(sync).Latest(1)
		}
		return nil
	})
}

// Commits changes with what is written to a tenant's state: at once by this process, within two seconds by others that share
// it. While it stays the same nothing has changed. It opens no file.
func (s *Store) Commits(id graphsync.ID) uint64 {
	s.mu.Lock()
	own := s.counter(id).Load()
	s.mu.Unlock()
	if s.shared == nil {
		return own
	}
	return own + s.sequences.last(s.shared, id)
}

func (s *Store) counter(id graphsync.ID) *atomic.Uint64 {
	if s.commits[id] == nil {
		s.commits[id] = new(atomic.Uint64)
	}
	return s.commits[id]
}

// RemoveTenant forgets a tenant: its file, and its claims on accounts. One that is open is an
// error; one that does not exist is not. Accounts stay as they are.
func (s *Store) RemoveTenant(id graphsync.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tenants[opening{id, false}] != nil || s.tenants[opening{id, true}] != nil {
		return fmt.Errorf("remove state of tenant %s: a cycle is using it; pause the tenant and try again", id)
	}
	s.counter(id).Add(1)
	// The claims first: ended in between, the next start makes them again from the file.
	if err := errors.Join(s.accounts.releaseAll(id), auditHeads{s.registry}.forget(id)); err != nil {
		return err
	}
	if err := s.accounts.endCreationsOf(id); err != nil {
		return err
	}
	return s.home.remove(id)
}

// committed returns what is to be done after each commit to a file, whose commits are counted.
func (s *Store) committed(path string, count *atomic.Uint64) func() {
	return func() {
		if count != nil {
			count.Add(1)
		}
		if s.opts.OnCommit != nil {
			s.opts.OnCommit(path)
		}
	}
}

func registryPath(dir string) string { return filepath.Join(dir, bolt.RegistryFile) }

func (s *Store) path(id graphsync.ID) string { return filepath.Join(s.dir, id.String()+".db") }

// ID returns the tenant's id.
func (t *Tenant) ID() graphsync.ID { return t.id }

// Context ends, with a *[LostError] as its cause, when this process no longer owns the tenant: what it asks of others
// must be asked with it. The state in files has no such end.
func (t *Tenant) Context() context.Context { return cmp.Or(t.file.ctx, context.Background()) }

// While returns a context that ends with ctx, and when this process no longer owns the tenant: its cause is then a
// *[LostError].
func (t *Tenant) While(ctx context.Context) (while context.Context, end context.CancelFunc) {
	if t.file.ctx == nil {
		return ctx, func() {}
	}
	while, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.file.ctx, func() { cancel(context.Cause(t.file.ctx)) })
	return while, func() { stop(); cancel(nil) }
}

// Close releases the handle. Closing it again does nothing.
func (t *Tenant) Close() error {
	var err error
	t.once.Do(func() {
		t.store.mu.Lock()
		defer t.store.mu.Unlock()
		o := t.opened
		if t.store.closed {
			return
		}
		if o.uses--; o.uses == 0 {
			if t.store.tenants[o.at] == o {
				delete(t.store.tenants, o.at)
			}
			err = errors.Join(t.store.stamp(t.id, o.file), o.file.close())
		}
	})
	return err
}

// View runs fn on the state as it stands; later writes do not show in it.
func (t *Tenant) View(fn func(*Tx) error) error { return t.file.view(fn) }

// Update runs fn and commits what it wrote when it returns nil; otherwise nothing happened.
func (t *Tenant) Update(fn func(*Tx) error) error {
	defer t.file.indexWhenDue()
	return t.file.update(fn)
}

// Batch is Update for many concurrent callers: those waiting share one commit. fn may run
// more than once, and another caller's writes may be visible to it before they are on disk.
func (t *Tenant) Batch(fn func(*Tx) error) error {
	defer t.file.indexWhenDue()
	return t.file.batch(fn)
}

// Check reads the whole file and reports the first inconsistency, for tests and diagnosis.
func (t *Tenant) Check() error { return t.file.db.Check() }
