package snapshot

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"entrasync/graphsync"
)

// readLists reads users, groups and assignments side by side: each list is a chain of pages, and the time
// of a first read is that of the longest chain. Each has a cursor of its own and is read by one goroutine, so
// that a page is always applied to the round it was read in. The first error ends the others; what they
// have committed stays.
//
// Where the result depends on the order of two lists, one waits for the other:
//   - groups begin when the first page of users has come, assignments when groups have begun: where the
//     tenant cannot be read, one request is refused, and each cycle reports the same error;
//   - members and principals of a type that is not known are placed when users and groups have been read;
//   - assignments are read after the last member has left a group. Read before, they would lack
//     the assignment of a user who was assigned first and taken out of the group then, and who has
//     never been without access. When a full round of groups finds such a loss, they are read again.
func (r *Reader) readLists(ctx context.Context, took *tally) error {
	order := newReadOrder()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return r.stream(graphsync.Users, took, order).bringUpToDate(ctx)
	})
	group.Go(func() error {
		if len(r.Requirements.GroupProperties) == 0 {
			return order.skipGroups(ctx)
		}
		if err := order.users.begun.wait(ctx); err != nil {
			return err
		}
		return r.stream(graphsync.Groups, took, order).bringUpToDate(ctx)
	})
	if r.Assignments {
		group.Go(func() error {
			return r.assignments(took, order).bringUpToDate(ctx)
		})
	}
	return group.Wait()
}

// stream is the reader of a delta stream.
func (r *Reader) stream(stream graphsync.Stream, took *tally, order *readOrder) *streamReader {
	return &streamReader{
		stream: stream, properties: r.Requirements.of(stream), source: r.Source, tenant: r.Tenant, tenantID: r.TenantID, sync: r.Sync,
		tenantSyncs: r.TenantSyncs, full: r.Full, now: r.Now, log: r.Log, took: took, order: order, progress: order.of(stream),
	}
}

// assignments is the reader of the application and its assignments.
func (r *Reader) assignments(took *tally, order *readOrder) *assignmentReader {
	return &assignmentReader{
		source: r.Source, tenant: r.Tenant, tenantID: r.TenantID, sync: r.Sync, appID: r.AppID, tenantSyncs: r.TenantSyncs,
		twice: r.Requirements.Deletes, apply: r.Apply, took: took, order: order,
	}
}

// A readOrder is how far the lists of one read have come.
type readOrder struct {
	users, groups listProgress
	losses        atomic.Int64 // groups and memberships that this read has taken out of the snapshot
	ahead         *semaphore.Weighted
}

// A listProgress is how far one list has come.
type listProgress struct {
	begun     milestone // its first page has come
	read      milestone // its last page is committed
	confirmed milestone // its doubts are resolved and its absences proven
	objects   int       // committed in this read; only the goroutine that commits uses it
}

func newReadOrder() *readOrder {
	progress := func() listProgress {
		return listProgress{begun: newMilestone(), read: newMilestone(), confirmed: newMilestone()}
	}
	return &readOrder{users: progress(), groups: progress(), ahead: semaphore.NewWeighted(bytesAhead)}
}

// skipGroups is for a read without groups.
func (o *readOrder) skipGroups(ctx context.Context) error {
	if err := o.users.begun.wait(ctx); err != nil {
		return err
	}
	o.groups.begun.reach()
	o.groups.read.reach()
	o.groups.confirmed.reach()
	return nil
}

// of is the progress of a delta stream.
func (o *readOrder) of(stream graphsync.Stream) *listProgress {
	if stream == graphsync.Groups {
		return &o.groups
	}
	return &o.users
}

// A milestone is reached once; others wait for it.
type milestone struct {
	once    *sync.Once
	reached chan struct{}
}

func newMilestone() milestone { return milestone{new(sync.Once), make(chan struct{})} }

func (m milestone) reach() { m.once.Do(func() { close(m.reached) }) }

func (m milestone) wait(ctx context.Context) error {
	select {
	case <-m.reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
