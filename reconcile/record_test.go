package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// Results that come in one after the other share a commit; none of them waits longer than recordDelay, and
// the last ones do not wait at all.
func TestResultsShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{results: make(chan *result)}
		go func() {
			for range 5 {
				r.results <- &result{}
				time.Sleep(recordDelay / 4)
			}
			time.Sleep(time.Hour)
			for range recordBatch + 1 {
				r.results <- &result{}
			}
			close(r.results)
		}()
		for _, want := range []struct {
			results int
			after   time.Duration
			open    bool
		}{{4, recordDelay, true}, {1, recordDelay, true}, {recordBatch, time.Hour - 3*recordDelay/4, true}, {1, 0, false}, {0, 0, false}} {
			began, looked := time.Now(), 0
			batch, open := r.gather(func(*result) { looked++ })
			took := time.Since(began)
			if len(batch) != want.results || looked != want.results || open != want.open || took > want.after+recordDelay {
				t.Errorf("%d results (%d looked at) after %s, open %t; want %+v", len(batch), looked, took, open, want)
			}
		}
	})
}

// An application that has stopped answering is sent no more calls while its results wait for their commit.
func TestADeadApplicationIsNotedBeforeTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{sync: &Sync{TargetName: "people"}, results: make(chan *result), unwritable: true}
		ctx, stop := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.run(stop) }()
		began := time.Now()
		for range maxFailures {
			r.results <- &result{err: &target.Error{Code: target.Unavailable}, action: &plan.StoredAction{}, link: &state.Link{}}
		}
		<-ctx.Done()
		if took := time.Since(began); took >= recordDelay {
			t.Errorf("the calls were stopped after %s", took)
		}
		close(r.results)
		var open *breakerOpenError
		if err := <-ended; !errors.As(err, &open) || !errors.As(context.Cause(ctx), &open) {
			t.Errorf("ended with %v, stopped because of %v", err, context.Cause(ctx))
		}
	})
}
