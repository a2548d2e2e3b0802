package inspect

import (
	"errors"

	"entrasync/state"
)

// A StateError is why the state of one tenant cannot be read. It is said in that tenant's row, and
// hides no other tenant.
type StateError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The codes of a state that cannot be read.
const (
	StateDamaged    = "state_damaged"
	StateUnreadable = "state_unreadable"
)

// StateErrorOf explains an error of reading a tenant's state, nil for none.
func StateErrorOf(err error) *StateError {
	if err == nil {
		return nil
	}
	e := &StateError{StateUnreadable, err.Error()}
	if damaged := (*state.DamagedError)(nil); errors.As(err, &damaged) {
		e.Code, e.Message = StateDamaged, damaged.Error()
	}
	return e
}
