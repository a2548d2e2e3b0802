package graphsync

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels for the decisions a caller takes.
var (
	// ErrResync: Graph refuses a link that it gave out earlier, because it has expired or was
	// reset, or for another reason; begin again at the first page (delta query overview,
	// "Synchronization reset").
	ErrResync = errors.New("the link is no longer valid")

	// ErrIncomplete: a read ended without an error but not with everything Graph counted.
	// No user is removed because of it.
	ErrIncomplete = errors.New("the read was not complete")

	// ErrForeignLink: a link led away from the configured Graph host or from TLS. No
	// request was sent and no token attached.
	ErrForeignLink = errors.New("the link does not lead to the configured Graph host over TLS")
)

// A Class says who has to act on an error. Every class but Transient stops the
// tenant's cycle, and no user is removed.
type Class string

// The classes. Their words are stable: they are codes in reports and tenant states.
const (
	ConsentMissing    Class = "consent_missing"
	CredentialInvalid Class = "credential_invalid"
	CredentialExpired Class = "credential_expired"
	PermissionMissing Class = "permission_missing"
	AppDisabled       Class = "app_disabled"
	TenantUnknown     Class = "tenant_unknown"
	Policy            Class = "policy"
	Configuration     Class = "configuration"
	Unreachable       Class = "unreachable" // DNS, TCP, TLS
	Throttled         Class = "throttled"
	SubscriptionLimit Class = "subscription_limit" // no further subscription for change notifications
	Transient         Class = "transient"
	BadResponse       Class = "bad_response" // not what Graph documents
)

// An Error is what Graph or the token endpoint answered, in plain words.
type Error struct {
	Class      Class
	Op         string        // what was being done: "token", "users/delta", ...
	Status     int           // HTTP status, 0 when there was no answer
	Code       string        // AADSTS number or Graph error code as sent
	Message    string        // one sentence: what happened
	Quote      string        // Graph's own sentence where Message does not hold it; may be empty
	Hint       string        // one sentence: what to do, may be empty
	RetryAfter time.Duration // what the answer asked for, 0 when nothing
	RequestID  string        // for Microsoft's support
	Err        error         // cause, may be nil; never holds a secret or token
}

// Error returns the sentence, with the code and request id that support will ask for.
func (e *Error) Error() string {
	s := e.Message
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Code != "" {
		s += fmt.Sprintf(" [%s]", e.Code)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
