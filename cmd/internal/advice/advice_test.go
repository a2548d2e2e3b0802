package advice_test

import (
	"errors"
	"fmt"
	"testing"

	"entrasync/cmd/internal/advice"
	"entrasync/graphsync"
	"entrasync/target"
)

func TestOf(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"none":               {nil, ""},
		"no advice":          {plain, ""},
		"empty advice":       {advice.With(plain, ""), ""},
		"wrapped":            {fmt.Errorf("load: %w", advice.With(plain, "correct it")), "correct it"},
		"Graph":              {fmt.Errorf("read: %w", &graphsync.Error{Hint: "grant it"}), "grant it"},
		"target":             {fmt.Errorf("write: %w", &target.Error{Hint: "ask there"}), "ask there"},
		"the outermost wins": {advice.With(&graphsync.Error{Hint: "grant it"}, "correct it"), "correct it"},
	} {
		if got := advice.Of(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if advice.With(nil, "correct it") != nil {
		t.Error("no error has become one")
	}
	if err := advice.With(plain, "correct it"); !errors.Is(err, plain) || err.Error() != "plain" {
		t.Errorf("the error is hidden: %v", err)
	}
}
