// Package graphsync is the directory's vocabulary: what Microsoft Graph tells about
// users, groups and app-role assignments, in terms the rest of entrasync works with.
//
// It holds words only. It sends no request (graphsync/msgraph does), remembers nothing
// (state does) and decides nothing (reconcile does). It promises that an explicit null and
// an absent property stay different things from the wire to the snapshot, because Graph
// means different things by them (delta query overview, "Properties").
package graphsync

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An ID is the object id of a user, group or service principal, or a tenant id: a GUID in
// its sixteen bytes, in the order it is written, so that sorting ids sorts their text.
type ID [16]byte

// ParseID reads the 8-4-4-4-12 form Graph writes, in either case. Anything else is an error.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("%.60q is not an object id (want a GUID such as 11111111-2222-3333-4444-555555555555)", s)
	}
	compact := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return ID{}, fmt.Errorf("%.60q is not an object id: %w", s, err)
	}
	return id, nil
}

// String returns the lower-case 8-4-4-4-12 form.
func (id ID) String() string {
	var buf [36]byte
	hex.Encode(buf[0:8], id[0:4])
	buf[8] = '-'
	hex.Encode(buf[9:13], id[4:6])
	buf[13] = '-'
	hex.Encode(buf[14:18], id[6:8])
	buf[18] = '-'
	hex.Encode(buf[19:23], id[8:10])
	buf[23] = '-'
	hex.Encode(buf[24:36], id[10:16])
	return string(buf[:])
}

// IsZero reports whether the id is all zeros, which Graph uses for "default access" app roles.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText and UnmarshalText make ids strings in JSON and YAML.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// A Kind says which type of directory object something is. Its values are part of the state
// file's keys: do not renumber.
type Kind byte

// The kinds of objects that are read and provisioned.
const (
	User  Kind = 1
	Group Kind = 2
)

// String returns "user" or "group", as the contract's JSON has it.
func (k Kind) String() string {
	switch k {
	case User:
		return "user"
	case Group:
		return "group"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// MarshalText makes kinds words in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (k *Kind) UnmarshalText(text []byte) error {
	switch string(text) {
	case "user":
		*k = User
	case "group":
		*k = Group
	default:
		return fmt.Errorf("%q is not a kind of directory object", text)
	}
	return nil
}

// TypeProperty is the name under which a property tells the type of an object that is a subtype of
// user or group, such as "agentUser" (@odata.type, without its namespace). Plain users and groups
// have no such property.
const TypeProperty = "odataType"

// A Removal is the reason Graph gives in an @removed annotation.
type Removal string

// The reasons a delta response can give, and none.
const (
	NotRemoved  Removal = ""
	SoftDeleted Removal = "changed" // in deletedItems, restorable for 30 days
	Purged      Removal = "deleted" // gone for good
)

// A Property is one property of an object as Graph sent it. Value is the JSON text, "null"
// when Graph said null; a property that was absent has no Property at all.
type Property struct {
	Name  string
	Value []byte
}

// A Change is one entry of a delta page: the present state of an object, or part of it (a
// large group arrives in several entries), or its removal.
type Change struct {
	Kind       Kind
	ID         ID
	Removed    Removal
	Properties []Property     // without id, @-annotations and members
	Members    []MemberChange // of a group: entries of members@delta, in arrival order
}

// A MemberChange is one entry of a group's members@delta. Devices, contacts and service principals
// are not reported.
type MemberChange struct {
	// Kind is zero when the entry gives no type, or one that Graph has added: it may be a user or
	// a group all the same.
	Kind    Kind
	ID      ID
	Removed bool
}

// A Page is one response of a delta stream. Exactly one of Next and Delta is set.
type Page struct {
	Changes []Change
	Next    string // where the round continues
	Delta   string // the round is complete; the next one starts there
	Bytes   int    // size of the body, for reports
	Skipped []BadRecord
}

// A BadRecord is an entry that could not be understood. It is named and the rest of the page is
// used without it; an object known before keeps the state it had.
type BadRecord struct {
	Object ID     // the object that the entry is about or belongs to, zero when that is not known
	ID     string // as sent, shortened
	Reason string
}

// A Stream is one of Graph's delta collections.
type Stream string

// The streams that are read.
const (
	Users  Stream = "users"
	Groups Stream = "groups"
)

// Kind returns the kind of the stream's objects.
func (s Stream) Kind() Kind {
	if s == Groups {
		return Group
	}
	return User
}

// An App is the enterprise application (service principal) of an app registration in a tenant.
type App struct {
	ID       ID // of the service principal
	AppID    string
	Name     string
	Enabled  bool // accountEnabled: users may sign in
	Required bool // appRoleAssignmentRequired
	Roles    []AppRole
}

// An AppRole is one role the application declares.
type AppRole struct {
	ID      ID
	Value   string // what a token's roles claim carries
	Name    string // displayName
	Enabled bool
}

// An Assignment grants a principal an app role: one row of appRoleAssignedTo. ID is opaque,
// not a GUID. A zero Role is "default access".
type Assignment struct {
	ID        string
	Principal ID
	// PrincipalKind is zero when principalType is a word that Graph has added: the principal may
	// be a user or a group all the same. Service principals are left out.
	PrincipalKind Kind
	Role          ID
}

// An AssignmentList says how far a reading of assignments can be relied on.
type AssignmentList struct {
	Rows    int         // in Graph's list, those left out included
	Counted bool        // Graph gave a count, and it fits
	Skipped []BadRecord // rows that could not be understood
}

// An Organization is the tenant itself, as proof that a token is for it.
type Organization struct {
	ID            ID
	Name          string
	Domains       []string // verified: no other tenant can have addresses there, or make people up with them
	DefaultDomain string   // the verified domain that new users get; "" when Graph marks none
}

// A Presence is the answer to the question whether an object still exists.
type Presence byte

// The answers. Unknown means Graph could not say; no user is removed on it.
const (
	Unknown Presence = iota
	Present
	InDeletedItems
	Absent
)

// A Source reads one tenant's directory. Methods may be called concurrently; they honour
// cancellation and never return partial data with a nil error. Errors are, or wrap, an
// *[Error] where Graph or the token endpoint gave one.
//
// The caller owns what is returned: nothing is kept or changed afterwards.
type Source interface {
	// DeltaPage reads one page of a stream. An empty link begins a new round over the given
	// properties; otherwise link is a Next or Delta of an earlier page and is followed
	// verbatim. A link that Graph refuses, for whatever reason, or that leads to another host
	// than the one configured now, is [ErrResync].
	DeltaPage(ctx context.Context, stream Stream, properties []string, link string) (*Page, error)

	// App reads the enterprise application of an app registration. A tenant that has none
	// is an *Error of class ConsentMissing.
	App(ctx context.Context, appID string) (*App, error)

	// Assignments reads all rows of appRoleAssignedTo, page by page. When the rows read
	// differ from the count Graph gave, it is [ErrIncomplete] after the last page: what was
	// yielded must not be taken for the whole. When Graph refuses a link to a further page, it is
	// [ErrResync]: read again from the beginning.
	Assignments(ctx context.Context, app ID, yield func([]Assignment) error) (AssignmentList, error)

	// AssignmentPresence asks Graph about each assignment by its own id, a few at a time. Absent
	// means that Graph itself says there is none; where it refuses to tell, it is Unknown. The
	// result has one answer per id, in order.
	AssignmentPresence(ctx context.Context, app ID, ids []string) ([]Presence, error)

	// Members reads the direct members of a group that are users or groups, or may be. Entries
	// that could not be understood are returned separately. A refused link is [ErrResync], as with
	// Assignments.
	Members(ctx context.Context, group ID, yield func([]MemberChange) error) ([]BadRecord, error)

	// Object reads the properties of one object directly, without members. Nil without an error:
	// Graph says that there is none.
	Object(ctx context.Context, kind Kind, id ID, properties []string) (*Change, error)

	// Kinds asks Graph which of the ids are users or groups, subtypes included. The result has
	// one kind per id, in order, zero for anything else.
	Kinds(ctx context.Context, ids []ID) ([]Kind, error)

	// Presence asks Graph about each id, in batches, looking into deleted items for those
	// that are not found. The result has one answer per id, in order.
	Presence(ctx context.Context, kind Kind, ids []ID) ([]Presence, error)

	// Organization reads the tenant's id, name and verified domains.
	Organization(ctx context.Context) (Organization, error)

	// Permissions returns the application permissions in the token at hand
	// (its roles claim), for diagnosis only.
	Permissions(ctx context.Context) ([]string, error)

	// Traffic returns what this source has done so far.
	Traffic() Traffic
}

// A Lister is a Source that can also list users by the beginning of their user principal name: side by side
// and 999 on a page, where a round of delta pages is one chain of 200. A list may come from a replica that lags
// behind. It adds users and never proves that one is absent.
type Lister interface {
	// Latest returns the link from which a stream tells what changes from now on, without any data.
	Latest(ctx context.Context, stream Stream, properties []string) (link string, err error)

	// CountUsers returns how many users have a user principal name that begins with prefix, in any
	// case of letters. The count comes from an index that may lag behind.
	CountUsers(ctx context.Context, prefix string) (int, error)

	// ListUsers reads one page of those users. An empty link is the first page, otherwise it is the
	// Next of an earlier one. The last page has neither Next nor Delta. A property without a
	// value is left out, as in the first round of a delta stream.
	ListUsers(ctx context.Context, properties []string, prefix, link string) (*Page, error)
}

// A Clock is a Source that knows what time it is where the directory is.
type Clock interface {
	// Time returns what Graph's clock shows now, by the Date header of its last response (RFC
	// 9110, section 6.6.1), to the second; false before the first one.
	Time() (now time.Time, known bool)
}

// Traffic counts requests; all fields only grow.
type Traffic struct {
	Requests  int64
	Throttled int64 // answers 429 and 503, waited for or not
	Bytes     int64
}

// SelectKey returns the identity of a $select list: the same properties in any order give the
// same key. It is stored with a link, because a link tracks only what its round selected.
func SelectKey(properties []string) string {
	sorted := slices.Clone(properties)
	slices.Sort(sorted)
	return strings.Join(sorted, ",")
}
