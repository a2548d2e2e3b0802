// Package exit has the exit codes of the commands, and says which one a command ends with.
//
// It ends no process: only the command's function main does. It promises that every error is printed once with what to do
// next, unless it is a code: then the command has printed all there is.
package exit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"entrasync/cmd/internal/advice"
	"entrasync/configs"
	"entrasync/reconcile"
	"entrasync/state"
)

// The exit codes.
const (
	Done    = 0 // done
	Failed  = 1 // could not run: configuration, credentials, source or target
	Pending = 2 // plan --exit-code: changes are pending
	Partial = 3 // ran, some records failed
	Held    = 4 // something is held and waits for approval
	InUse   = 5 // the state is in use by a process that cannot be reached
)

// Help lists the exit codes for people.
const Help = `Exit codes:
  0  done
  1  could not run (configuration, credentials, source or target unreachable)
  2  with plan --exit-code: changes are pending
  3  ran, but some records failed or wait for a retry, the target is paused, or most of the scope is skipped
  4  something is held and waits for approval
  5  the state is in use by another process that cannot be reached
`

// A Code is an outcome that is not an error to print: the command has said all there is.
type Code int

func (c Code) Error() string { return fmt.Sprintf("exit %d", int(c)) }

// With returns the error with which a command ends with a code, nil for [Done].
func With(code int) error {
	if code == Done {
		return nil
	}
	return Code(code)
}

// CodeOf maps a command's error to its exit code and prints the error to w.
func CodeOf(err error, w io.Writer) int {
	var code Code
	var faults configs.Faults
	var inUse *state.InUseError
	var held *state.HeldError
	var hinted advice.Error
	switch {
	case err == nil:
		return Done
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &faults):
		fmt.Fprintln(w, faults.Error())
		return Failed
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "entrasync: stopped; the next run resumes here")
		return Failed
	}
	fmt.Fprintf(w, "entrasync: %v\n", err)
	if errors.As(err, &hinted) {
		fmt.Fprintf(w, "  → %s\n", hinted.Hint)
	}
	if errors.As(err, &inUse) || errors.As(err, &held) {
		return InUse
	}
	return Failed
}

// Worst keeps the exit code that needs most attention: a cycle that could not run, then failed
// records, then holds.
func Worst(a, b int) int {
	rank := map[int]int{Done: 0, Pending: 1, Held: 2, Partial: 3, Failed: 4, InUse: 5}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Of is the exit code of one cycle.
func Of(r *reconcile.Report) int {
	switch r.Result {
	case reconcile.Partial:
		return Partial
	case reconcile.Waiting:
		return Held
	case reconcile.Failed:
		return Failed
	}
	return Done
}
