// Package target says what an application must offer to have its accounts provisioned: a small
// Adapter interface, abilities as separate interfaces, SCIM attribute paths, and the HTTP
// transport that paces and retries.
//
// It knows nothing of Microsoft Entra ID, of plans or of state. Nothing wraps an Adapter:
// pacing, retry and counting live in the transport an adapter is given, and a dry run is a
// run that stops before the adapter is asked to write.
package target

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Kind is the type of a resource.
type Kind string

// The kinds of resources.
const (
	User  Kind = "user"
	Group Kind = "group"
)

// A Ref names a resource of the application by the application's own id.
type Ref struct {
	Kind Kind
	ID   string
}

// A Resource is an account or group as the application holds it. Attributes is its SCIM
// representation as decoded JSON: nested maps, []any lists, string, bool, float64, and json.Number where a float64 would lose digits.
type Resource struct {
	Ref
	Attributes map[string]any
	Version    string // ETag, when the application gives one
}

// Value returns the resource's value at a path, nil when there is none.
func (r *Resource) Value(p Path) any { return p.Get(r.Attributes) }

// An Attribute is one value to write. Value is a string, bool, int64, float64, []any or
// map[string]any in the form the path's end has; nil clears. Old is what was last written there,
// nil for nothing: it tells which element of a list is meant where the application does not keep
// what the path's filter asks for.
type Attribute struct {
	Path  Path
	Value any
	Old   any
}

// A Profile is what a probe learned about an application.
type Profile struct {
	Name       string          // how the application calls itself, may be empty
	Kinds      map[Kind]bool   // which kinds it keeps
	Notes      []string        // sentences for `check`: what is missing or odd
	Patch      bool            // changes single attributes
	Statements []string        // what it will be sent, for `check` to show: for targets whose requests a configuration makes
	Filter     bool            // finds by attribute value
	PageSize   int             // resources it returns at once, 0 when unknown
	Unknown    map[string]bool // mapped paths the application's schema does not have
	Complex    map[string]bool // mapped paths that its schema has as objects with sub-attributes

	// Values are the canonical values of mapped paths by kind and path. Those of the sub-attributes of
	// a mapped complex attribute have the sub-attribute's name behind the path: roles.value.
	Values map[Kind]map[string]CanonicalValues
}

// An Adapter provisions one application. Methods may be called concurrently for different
// resources; the caller never calls two at once for the same one. They honour cancellation:
// after it no request is begun. Errors are or wrap *[Error]; a nil error means done, not
// accepted. The caller owns arguments and results.
type Adapter interface {
	// Probe tests connection and credential without changing anything. paths are the
	// attribute paths that will be written, by kind.
	Probe(ctx context.Context, paths map[Kind][]Path) (*Profile, error)

	// Find returns the resources whose attribute equals value, compared as the attribute's
	// schema has it (userName: any case). Results really have that value: an answer that
	// does not match its own filter is left out. None is an empty slice, not an error.
	Find(ctx context.Context, kind Kind, by Path, value string) ([]Resource, error)

	// Create makes a resource and returns it with its id. When the application says that
	// one exists already, the error is of code Conflict. A create whose answer was lost is
	// never repeated by the adapter: the error is of code Unavailable with Indeterminate set.
	Create(ctx context.Context, kind Kind, attributes []Attribute) (*Resource, error)

	// Update writes the given attributes and no others. It returns the resource as it is
	// afterwards where the application says so, else nil. A resource that does not exist
	// is an error of code NotFound. Attributes that are refused or did not take are named
	// in the error (several are joined); the others are written all the same, and the
	// resource is returned with the error. What was accepted but is not shown as it was
	// written is an error with a Remark: to write it again is of no use.
	Update(ctx context.Context, ref Ref, attributes []Attribute) (*Resource, error)

	// Delete removes a resource. One that is already gone is success.
	Delete(ctx context.Context, ref Ref) error
}

// A Lister can enumerate every resource of a kind, in pages. An error means that what was
// yielded is not everything and must not be taken for it. Members of groups may be left out.
type Lister interface {
	List(ctx context.Context, kind Kind, yield func([]Resource) error) error
}

// A Sized target tells how many resources of a kind it has, about, without listing them. known is false
// where it does not tell.
type Sized interface {
	Size(ctx context.Context, kind Kind) (n int, known bool, err error)
}

// A Versioned target tells its content from every other that it had, by a text. known is false while it cannot, such as
// during a cycle.
type Versioned interface {
	Version(ctx context.Context) (version string, known bool, err error)
}

// A Getter can read one resource by id. One that does not exist is an error of code NotFound.
type Getter interface {
	Get(ctx context.Context, ref Ref) (*Resource, error)
}

// FindByID is a search by id for an adapter that reads by id: none is found where the resource does not exist.
func FindByID(ctx context.Context, in Getter, kind Kind, id string) ([]Resource, error) {
	r, err := in.Get(ctx, Ref{Kind: kind, ID: id})
	switch {
	case err == nil:
		return []Resource{*r}, nil
	case CodeOf(err) == NotFound:
		return []Resource{}, nil
	}
	return nil, err
}

// An OffChecker can find out whether a user who is shown as active is switched off all the same: some
// applications show every account as active. False where it cannot be told.
type OffChecker interface {
	SwitchedOff(ctx context.Context, shown *Resource) (off bool, err error)
}

// A MemberWriter keeps groups with members. Adding a member that is there and removing one
// that is not are success. Members that the application refuses are named in the result; the
// others are written all the same.
type MemberWriter interface {
	ChangeMembers(ctx context.Context, group Ref, add, remove []string) (refused []MemberError, err error)
}

// A MemberReader can tell who is in a group. ok is false where the application hides members;
// that is not an empty group.
type MemberReader interface {
	Members(ctx context.Context, group Ref) (ids []string, ok bool, err error)
}

// A Closer has something to finish at the end of a cycle, such as a file to write. It is
// called once after the last write of a cycle, also after a failed one.
type Closer interface {
	Close(ctx context.Context) error
}

// Traffic counts what an adapter's transport did; numbers only grow.
type Traffic struct {
	Requests  int64
	Throttled int64
	// ServerEnds is when the certificate ends that the server showed last; zero where none was shown.
	ServerEnds time.Time
}

// An End is when something ends that an application needs, such as a token or a certificate.
type End struct {
	What string // such as "bearer token"
	At   time.Time
}

// A TrafficReporter counts the requests of its adapter.
type TrafficReporter interface{ Traffic() Traffic }

// A Limited adapter says how many requests its application takes at a time. More calls than that wait in
// the adapter.
type Limited interface{ Concurrency() int }

// A Sharer keeps to its part of what an application may be asked, when several processes write to it with the same limits. Share
// says how many they are.
type Sharer interface{ Share(processes int) }

// A MemberError is a member an application refused, in its own words.
type MemberError struct {
	ID  string
	Err error
}

// A Code says what a caller can do about an error.
type Code string

// The codes. Their words are stable: reports carry them.
const (
	Rejected     Code = "target_rejected"     // this record as it is; others are written
	Conflict     Code = "duplicate_target"    // exists already: look it up
	NotFound     Code = "target_missing"      // the resource is gone
	Unsupported  Code = "target_unsupported"  // the application cannot do this at all
	Unavailable  Code = "target_unavailable"  // try later
	Unauthorized Code = "target_unauthorized" // the credential is refused: stop
	Forbidden    Code = "target_forbidden"    // the credential may not do this; plan or scope too small
	NotSCIM      Code = "target_not_scim"     // whatever answers there does not speak the protocol
	Untrusted    Code = "target_untrusted"    // TLS
	Unverified   Code = "target_unverified"   // done as far as can be told, but not shown
)

// Stops reports whether errors of this code concern the whole application, not one record.
func (c Code) Stops() bool {
	return c == Unauthorized || c == NotSCIM || c == Untrusted
}

// A Remark says how what an application shows differs from a write that it accepted.
type Remark string

// The remarks.
const (
	NotShown Remark = "not_shown" // it shows nothing there, so it cannot be compared
	Spelled  Remark = "respelled" // it keeps a spelling of its own
	NotTaken Remark = "not_taken" // it shows another value
	Kept     Remark = "kept"      // it keeps an account that it was told to delete, switched off
	NoRemark Remark = ""
)

// An Error is what an application answered, with its own words kept.
type Error struct {
	Code          Code
	Op            string        // "create user", ...
	Status        int           // HTTP status, 0 when there was none
	Message       string        // one sentence: what happened
	Detail        string        // the application's own words, shortened, control characters removed
	Hint          string        // what to do
	Indeterminate bool          // the write may have happened: look before trying again
	RetryAfter    time.Duration // what the application asked for
	Attribute     string        // the path it blamed, when it said so
	Remark        Remark        // the write was accepted; "" when it was not
	Err           error         // cause; never holds a secret
}

// Error returns the sentence and the application's own words.
func (e *Error) Error() string {
	s := e.Message
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Detail != "" {
		s += fmt.Sprintf(" (the target says: %s)", e.Detail)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code an error carries, or Unavailable for an error without one.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unavailable
}
