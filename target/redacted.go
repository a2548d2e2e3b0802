package target

import (
	"errors"

	"entrasync/graphsync/redact"
)

// Redacted returns an error whose words do not hold the secrets. The cause of one that held some is left
// out: its words are those of the application.
func Redacted(r redact.Redactor, err error) error {
	if r.IsZero() || err == nil {
		return err
	}
	text := r.Text(err.Error())
	var e *Error
	if !errors.As(err, &e) {
		if text == err.Error() {
			return err
		}
		return errors.New(text)
	}
	clean := *e
	clean.Message, clean.Detail = r.Text(e.Message), r.Text(e.Detail)
	if e.Err != nil && r.Text(e.Err.Error()) != e.Err.Error() {
		clean.Err = nil
	}
	if err == error(e) {
		return &clean
	}
	return &redactedError{text, &clean}
}

// A redactedError is an error around an [Error], without secrets.
type redactedError struct {
	text string
	err  *Error
}

func (e *redactedError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *redactedError) Unwrap() error { return e.err }
