// Package advice attaches to an error what the operator can do next.
//
// It is the one place that knows where errors carry advice. It decides nothing and prints nothing:
// the command line, the pages and the log do.
package advice

import (
	"errors"

	"entrasync/graphsync"
	"entrasync/target"
)

// An Error is an error with advice on what to do next.
type Error struct {
	Err  error
	Hint string // a sentence without its full stop, such as "name one with --tenant"
}

func (e Error) Error() string { return e.Err.Error() }
func (e Error) Unwrap() error { return e.Err }

// With adds advice to an error. It returns err itself where err is nil or there is no advice.
func With(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return Error{err, hint}
}

// Of returns the advice that an error carries: that of [With], of Graph or of a target. It returns ""
// for none.
func Of(err error) string {
	var own Error
	var graph *graphsync.Error
	var application *target.Error
	switch {
	case errors.As(err, &own):
		return own.Hint
	case errors.As(err, &graph):
		return graph.Hint
	case errors.As(err, &application):
		return application.Hint
	}
	return ""
}
