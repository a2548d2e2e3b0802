package main

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

// The exit codes of the contract.
const (
	exitDone    = 0 // done
	exitFailed  = 1 // could not run: configuration, credentials, source or target
	exitPending = 2 // plan --exit-code: changes are pending
	exitPartial = 3 // ran, some records failed
	exitHeld    = 4 // something is held and waits for approval
	exitInUse   = 5 // the state is in use by a process that cannot be reached
)

const exitCodesHelp = `Exit codes:
  0  done
  1  could not run (configuration, credentials, source or target unreachable)
  2  with plan --exit-code: changes are pending
  3  ran, but some records failed or wait for a retry, the target is paused, or most of the scope is skipped
  4  something is held and waits for approval
  5  the state is in use by another process that cannot be reached
`

// exitError is an outcome that is not an error to print: the command has said all there is.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// exitCode maps a command's error to its exit code and prints the error to w.
func exitCode(err error, w io.Writer) int {
	var done exitError
	var faults configs.Faults
	var inUse *state.InUseError
	var held *state.HeldError
	var hinted advice.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &done):
		return int(done)
	case errors.As(err, &faults):
		fmt.Fprintln(w, faults.Error())
		return exitFailed
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "entrasync: stopped; the next run resumes here")
		return exitFailed
	}
	fmt.Fprintf(w, "entrasync: %v\n", err)
	if errors.As(err, &hinted) {
		fmt.Fprintf(w, "  → %s\n", hinted.Hint)
	}
	if errors.As(err, &inUse) || errors.As(err, &held) {
		return exitInUse
	}
	return exitFailed
}

// worst keeps the exit code that needs most attention: a cycle that could not run, then failed
// records, then holds.
func worst(a, b int) int {
	rank := map[int]int{exitDone: 0, exitPending: 1, exitHeld: 2, exitPartial: 3, exitFailed: 4, exitInUse: 5}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

func exitOf(r *reconcile.Report) int {
	switch r.Result {
	case reconcile.Partial:
		return exitPartial
	case reconcile.Waiting:
		return exitHeld
	case reconcile.Failed:
		return exitFailed
	}
	return exitDone
}
