package state

import (
	"errors"
	"fmt"

	"entrasync/state/kv"
)

var errPanicked = errors.New("the function of a batch panicked")

// A batched is one caller's part of a shared commit.
type batched struct {
	fn       func(*Tx) error
	done     bool
	err      error
	panicked any
}

// maxBatch bounds how many callers share a commit, and so what a failure has to repeat.
const maxBatch = 256

// batch commits the callers that wait for the disk together. It has no delay: a caller that comes
// while a commit is under way is part of the next one, so that a single caller loses no time
// (bbolt's own Batch waits 10 ms for company, and a panic in its timer ends the process).
func (d *database) batch(fn func(*Tx) error) error {
	mine := &batched{fn: fn}
	d.queueMu.Lock()
	d.queue = append(d.queue, mine)
	d.queueMu.Unlock()

	d.commit.Lock()
	for !mine.done {
		d.commitQueue()
	}
	d.commit.Unlock()
	if mine.panicked != nil {
		panic(mine.panicked)
	}
	return mine.err
}

// commitQueue commits those that wait. One that fails is taken out and the rest tried again.
func (d *database) commitQueue() {
	d.queueMu.Lock()
	n := min(len(d.queue), maxBatch)
	calls := append([]*batched(nil), d.queue[:n]...)
	d.queue = append(d.queue[:0:0], d.queue[n:]...)
	d.queueMu.Unlock()

	for len(calls) > 0 {
		failed := -1
		err := d.update(func(tx *Tx) error {
			failed = -1
			for i, c := range calls {
				if err := c.call(tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed < 0 {
			for _, c := range calls {
				c.err, c.done = err, true
			}
			return
		}
		calls[failed].err, calls[failed].done = err, true
		calls = append(calls[:failed], calls[failed+1:]...)
	}
}

// call runs one caller's function. Its panic is kept for its own goroutine, so that it does
// not hit a bystander.
func (c *batched) call(tx *Tx) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		switch fault, ok := p.(kv.Fault); {
		case ok:
			panic(fault)
		case tx.db.db.IsFault(p):
			panic(kv.BadRecord{What: fmt.Sprint(p)})
		}
		c.panicked, err = p, errPanicked
	}()
	return c.fn(tx)
}
