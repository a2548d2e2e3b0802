package targettest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"entrasync/target"
)

var demandingRules = []rule{
	{"cancelled-first", "with a context that has ended no call writes anything, and every call says so by an error", cancelledFirst},
	{"cancelled-later", "a context that ends between calls stops the next one; what was done before stays done", cancelledLater},
	{"concurrency", "calls for different resources may run at once (run this with go test -race)", concurrency},
	{"close", "Close makes everything last, and the adapter can be used after it: it is called at the end of every cycle", closePersists},
}

// refusesToWrite makes every writing call with an ended context and looks that none succeeds.
func (t *trial) refusesToWrite(ctx context.Context, user target.Ref) error {
	calls := []struct {
		name string
		call func() error
	}{
		{"Create", func() error {
			_, err := t.a.Create(ctx, target.User, t.person("late@example.com"))
			return err
		}},
		{"Update", func() error {
			_, err := t.a.Update(ctx, user, t.attrs("title", "Late"))
			return err
		}},
		{"Delete", func() error { return t.a.Delete(ctx, user) }},
		{"Find", func() error {
			_, err := t.a.Find(ctx, target.User, at("userName"), "ada@example.com")
			return err
		}},
	}
	if w, ok := ability[target.MemberWriter](t.a); ok {
		calls = append(calls, struct {
			name string
			call func() error
		}{"ChangeMembers", func() error {
			_, err := w.ChangeMembers(ctx, target.Ref{Kind: target.Group, ID: noSuchID}, []string{user.ID}, nil)
			return err
		}})
	}
	for _, c := range calls {
		err := c.call()
		if err == nil {
			return fmt.Errorf("returned no error from %s with a context that had ended", c.name)
		}
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("returned an error from %s that does not wrap the context's own, so that a stop looks like a failure: %w", c.name, err)
		}
	}
	return nil
}

func cancelledFirst(t *trial) error {
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if err := t.refusesToWrite(ctx, ada.Ref); err != nil {
		return err
	}
	if err := t.count(target.User, 1, "after calls with a context that had ended"); err != nil {
		return err
	}
	return t.holds(ada.Ref, t.person("ada@example.com"))
}

func cancelledLater(t *trial) error {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	ada, err := t.a.Create(ctx, target.User, t.person("ada@example.com"))
	if err != nil {
		return fmt.Errorf("could not create an ordinary user: %w", err)
	}
	changed := t.attrs("title", "Countess")
	if _, err := t.a.Update(ctx, ada.Ref, changed); err != nil {
		return fmt.Errorf("could not update a user: %w", err)
	}
	cancel()
	if err := t.refusesToWrite(ctx, ada.Ref); err != nil {
		return err
	}
	if err := t.count(target.User, 1, "after the context had ended"); err != nil {
		return err
	}
	return t.holds(ada.Ref, overlay(t.person("ada@example.com"), changed))
}

func concurrency(t *trial) error {
	const workers, each = 8, 5
	made := make([][]*target.Resource, workers)
	failures := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				r, err := t.create(fmt.Sprintf("user%d-%d@example.com", w, i))
				if err == nil {
					_, err = t.a.Update(t.ctx, r.Ref, t.attrs("title", fmt.Sprintf("Title %d-%d", w, i)))
				}
				if err == nil {
					_, err = t.a.Find(t.ctx, target.User, at("userName"), fmt.Sprintf("user%d-%d@example.com", (w+1)%workers, i))
				}
				if err != nil {
					failures[w] = err
					return
				}
				made[w] = append(made[w], r)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("could not serve %d callers at once: %w", workers, err)
	}
	for w := range workers {
		for i, r := range made[w] {
			want := overlay(t.person(fmt.Sprintf("user%d-%d@example.com", w, i)), t.attrs("title", fmt.Sprintf("Title %d-%d", w, i)))
			if err := t.holds(r.Ref, want); err != nil {
				return err
			}
		}
	}
	return t.count(target.User, workers*each, "after callers at once")
}

func closePersists(t *trial) error {
	ada, err := t.create("ada@example.com")
	if err != nil {
		return err
	}
	if err := t.finish(); err != nil {
		return err
	}
	if err := t.holds(ada.Ref, t.person("ada@example.com")); err != nil {
		return fmt.Errorf("after Close %w", err)
	}

	changed := t.attrs("title", "Countess")
	if _, err := t.a.Update(t.ctx, ada.Ref, changed); err != nil {
		return fmt.Errorf("could not be used for a next cycle after Close: %w", err)
	}
	if _, err := t.create("bob@example.com"); err != nil {
		return fmt.Errorf("could not be used for a next cycle after Close: it %w", err)
	}
	if err := t.finish(); err != nil {
		return err
	}
	if t.reopen != nil {
		t.a = t.reopen()
	}
	if err := t.holds(ada.Ref, overlay(t.person("ada@example.com"), changed)); err != nil {
		return fmt.Errorf("after Close and opening again %w", err)
	}
	if err := t.count(target.User, 2, "after Close and opening again"); err != nil {
		return err
	}
	if _, ok := ability[target.Closer](t.a); !ok {
		return notOffered("Closer")
	}
	return nil
}

func (t *trial) finish() error {
	if c, ok := ability[target.Closer](t.a); ok {
		if err := c.Close(t.ctx); err != nil {
			return fmt.Errorf("returned an error from Close: %w", err)
		}
	}
	return nil
}
