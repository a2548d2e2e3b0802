package reconcile

import (
	"testing"
	"time"

	"entrasync/reconcile/plan"
)

// A fast application gets larger chunks up to a bound, a slow one small ones.
func TestNextChunk(t *testing.T) {
	t.Parallel()
	size := plan.ActionChunk
	for _, want := range []int{512, 1024, 2048, 2048} {
		if size = nextChunk(size, 50*time.Millisecond); size != want {
			t.Errorf("after a fast chunk %d, want %d", size, want)
		}
	}
	for _, want := range []int{1024, 512, 256, 256} {
		if size = nextChunk(size, 3*time.Second); size != want {
			t.Errorf("after a slow chunk %d, want %d", size, want)
		}
	}
}
