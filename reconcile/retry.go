package reconcile

import (
	"errors"
	"time"

	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// retryWait grows from "next cycle" to a day.
func retryWait(attempts int) time.Duration {
	switch attempts {
	case 1:
		return 0
	case 2:
		return time.Hour
	case 3:
		return 6 * time.Hour
	}
	return longestWait
}

const longestWait = 24 * time.Hour

// due tells whether a record is to be tried again. A time further off than any wait is of a
// clock that has been put back since.
func due(r *state.Retry, now time.Time) bool {
	return !r.Next.After(now) || r.Next.Sub(now) > longestWait
}

func codeOf(err error) string {
	var failed *target.Error
	if errors.As(err, &failed) {
		return string(failed.Code)
	}
	var mapped *mapping.Problem
	if errors.As(err, &mapped) {
		return mapped.Code
	}
	return string(target.Unavailable)
}

// asksTarget are the codes of skips that only the application can end: a scheduled cycle looks
// again with exponential backoff, because each look is a request.
var asksTarget = map[string]bool{"ambiguous_match": true, "duplicate_target": true, "protected": true, "group_exists": true}
