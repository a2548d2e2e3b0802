package main

import (
	"errors"
	"fmt"

	"entrasync/cmd/internal/compile"
	"entrasync/state"
)

// A stateError is why the state of one tenant cannot be read. It is said in that tenant's row, and
// hides no other tenant.
type stateError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The codes of a state that cannot be read.
const (
	stateDamaged    = "state_damaged"
	stateUnreadable = "state_unreadable"
)

// stateErrorOf explains an error of reading a tenant's state, nil for none.
func stateErrorOf(err error) *stateError {
	if err == nil {
		return nil
	}
	e := &stateError{stateUnreadable, err.Error()}
	if damaged := (*state.DamagedError)(nil); errors.As(err, &damaged) {
		e.Code, e.Message = stateDamaged, damaged.Error()
	}
	return e
}

// unreadStates collects the tenants of a command whose state cannot be read.
type unreadStates struct{ some bool }

// add takes in what became of reading one, and reports whether it could not be read.
func (u *unreadStates) add(err error) bool {
	u.some = u.some || err != nil
	return err != nil
}

// outcome is the exit code of a command that has shown all that can be read.
func (u *unreadStates) outcome() error {
	if u.some {
		return exitError(exitPartial)
	}
	return nil
}

// sayUnread reports a tenant that a list leaves out.
func (a *app) sayUnread(s *compile.Sync, err error) {
	fmt.Fprintf(a.err, "entrasync: sync %s, tenant %s: %s\n", s.Name, s.TenantName, printable(stateErrorOf(err).Message))
}
