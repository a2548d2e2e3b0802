package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A connection that hangs takes its own time limit and no more; the others are reported, in order.
func TestCheckIsBoundedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &checker{app: &app{out: &out, env: func(string) (string, bool) { return "", false }}}
		began := time.Now()
		c.each(t.Context(), 20, 30*time.Second, func(ctx context.Context, i int, s *section) {
			if i%2 == 1 {
				s.pass("target", "%d answers", i)
				return
			}
			<-ctx.Done()
			s.fail("target", ctx.Err())
		})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("20 targets, 10 of which hang, took %s", took)
		}
		if !strings.Contains(out.String(), "✗ target: no complete answer within 30s") || !strings.Contains(out.String(), "✓ target: 19 answers") {
			t.Errorf("printed %s", out.String())
		}
		if err := c.finish(nil); !errors.Is(err, exitError(exitFailed)) {
			t.Errorf("ended with %v", err)
		}
	})
}
