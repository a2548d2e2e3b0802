package exit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"entrasync/cmd/internal/advice"
	"entrasync/configs"
	"entrasync/reconcile"
	"entrasync/state"
)

// Each kind of error has its exit code and is printed once; an outcome is not printed.
func TestCodeOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err     error
		code    int
		printed string
	}{
		"nothing":        {nil, Done, ""},
		"an outcome":     {fmt.Errorf("sync a: %w", Code(Held)), Held, ""},
		"stopped":        {fmt.Errorf("read: %w", context.Canceled), Failed, "entrasync: stopped; the next run resumes here\n"},
		"an error":       {errors.New("no such file"), Failed, "entrasync: no such file\n"},
		"with advice":    {advice.With(errors.New("no such file"), "make it"), Failed, "entrasync: no such file\n  → make it\n"},
		"faults":         {configs.Faults{{Message: "bad"}}, Failed, configs.Faults{{Message: "bad"}}.Error() + "\n"},
		"in use":         {&state.InUseError{Dir: "d"}, InUse, ""},
		"held elsewhere": {fmt.Errorf("open: %w", &state.HeldError{}), InUse, ""},
	} {
		var out bytes.Buffer
		if code := CodeOf(tt.err, &out); code != tt.code {
			t.Errorf("%s: exit code %d, want %d", name, code, tt.code)
		}
		if tt.printed != "" && out.String() != tt.printed || tt.code == Done && out.Len() > 0 {
			t.Errorf("%s: printed %q, want %q", name, out.String(), tt.printed)
		}
		if errors.As(tt.err, new(Code)) && out.Len() > 0 {
			t.Errorf("%s: an outcome was printed: %q", name, out.String())
		}
	}
}

// A cycle that could not run comes before failed records, these before holds, whatever their order.
func TestWorst(t *testing.T) {
	t.Parallel()
	order := []int{Done, Pending, Held, Partial, Failed, InUse}
	for i, a := range order {
		for j, b := range order {
			if got := Worst(a, b); got != order[max(i, j)] {
				t.Errorf("the worst of %d and %d is %d, want %d", a, b, got, order[max(i, j)])
			}
		}
	}
	if With(Done) != nil || CodeOf(With(Partial), &bytes.Buffer{}) != Partial {
		t.Error("a code does not survive as an error")
	}
}

// What a cycle's report says is what its exit code says.
func TestOf(t *testing.T) {
	t.Parallel()
	for result, want := range map[reconcile.Result]int{reconcile.OK: Done, reconcile.Partial: Partial, reconcile.Waiting: Held, reconcile.Failed: Failed} {
		if got := Of(&reconcile.Report{Result: result}); got != want {
			t.Errorf("%s: exit code %d, want %d", result, got, want)
		}
	}
}
