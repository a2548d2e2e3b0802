package reconcile_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/target"
)

// limitedTarget is a slow application that takes some requests at a time, as an adapter with a concurrency does.
type limitedTarget struct {
	benchTarget
	slots chan struct{}
}

func (t *limitedTarget) Concurrency() int { return cap(t.slots) }

func (t *limitedTarget) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	time.Sleep(50 * time.Millisecond)
	return t.benchTarget.Create(ctx, kind, attributes)
}

// A first cycle keeps as many requests in flight as the application takes.
func TestConcurrencyOfTheApplicationIsUsed(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 4, 16, 64} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				users := 100 * concurrency
				w := newBenchWorker(t, users)
				defer w.close(t)
				w.syncer.Target = &limitedTarget{slots: make(chan struct{}, concurrency)}
				began := time.Now()
				report := w.cycle(t)
				took, least := time.Since(began), time.Duration(users)*50*time.Millisecond/time.Duration(concurrency)
				if report.Summary.Create != users {
					t.Fatalf("%d created, want %d", report.Summary.Create, users)
				}
				if used := float64(least) / float64(took); used < 0.95 {
					t.Errorf("%d users at %d requests at a time took %s, which uses %.0f %% of what the application takes", users, concurrency, took, 100*used)
				}
			})
		})
	}
}

// sizedTarget is an application that tells its size and counts how it is read.
type sizedTarget struct {
	benchTarget
	size          int
	lists, looked atomic.Int64
}

func (t *sizedTarget) Size(context.Context, target.Kind) (int, bool, error) {
	return t.size, t.size > 0, nil
}

func (t *sizedTarget) List(context.Context, target.Kind, func([]target.Resource) error) error {
	t.lists.Add(1)
	return nil
}

func (t *sizedTarget) Find(context.Context, target.Kind, target.Path, string) ([]target.Resource, error) {
	t.looked.Add(1)
	return nil, nil
}

// An application that has many more accounts than are looked for is not listed: pages that are read and
// then given up are requests for nothing.
func TestALargeApplicationIsNotListed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size  int
		lists bool
	}{{0, true}, {1_000, true}, {100_000, false}} {
		w := newBenchWorker(t, 300)
		application := &sizedTarget{size: tt.size}
		w.syncer.Target = application
		w.cycle(t)
		if lists, looked := application.lists.Load() > 0, application.looked.Load() > 0; lists != tt.lists || looked == tt.lists {
			t.Errorf("of %d accounts: listed %t, looked up one by one %t; want listed %t", tt.size, lists, looked, tt.lists)
		}
		w.close(t)
	}
}
