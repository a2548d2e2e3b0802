package web

import (
	"encoding/json"

	"entrasync/reconcile"
	"entrasync/state"
)

// A driftLine is one way in which the application holds something else than what was applied.
type driftLine struct{ reconcile.Drift }

// driftLines returns the first page of them.
func driftLines(tx *state.Tx, sync *reconcile.Sync) (lines []driftLine, err error) {
	for d, err := range reconcile.Drifts(tx, sync) {
		if err != nil {
			return nil, err
		}
		if lines = append(lines, driftLine{d}); len(lines) == pageSize {
			break
		}
	}
	return lines, nil
}

// What says what differs.
func (l driftLine) What() string {
	switch {
	case l.Member != nil:
		return "member " + l.Member.Key
	case l.Difference == "missing":
		return "gone from the application"
	}
	return l.Attribute
}

// Before is what was applied, and Now what the application has.
func (l driftLine) Before() string { return l.text(l.Applied) }

// Now is described at Before.
func (l driftLine) Now() string { return l.text(l.Shown) }

func (l driftLine) text(raw json.RawMessage) string {
	var value any
	switch _ = json.Unmarshal(raw, &value); v := value.(type) {
	case nil:
		return "none"
	case bool:
		switch {
		case l.Member == nil && l.Difference != "missing":
		case v:
			return "yes"
		default:
			return "no"
		}
	case string:
		return v
	}
	return string(raw)
}
