package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"entrasync/graphsync"
)

// An Op is what an action does.
type Op string

// The operations of the contract. Groups have Create, Adopt, Update, Delete and Members.
const (
	Create     Op = "create"
	Adopt      Op = "adopt"
	Update     Op = "update"
	Deactivate Op = "deactivate"
	Reactivate Op = "reactivate"
	Delete     Op = "delete"
	Members    Op = "members"
	// Unlink drops the link of an account that is another one in the application now. Nothing is
	// written to the application.
	Unlink Op = "unlink"
)

// Removes reports whether the operation takes something away from a person.
func (op Op) Removes() bool { return op == Deactivate || op == Delete }

// A Change is one attribute of an action. Values of attributes that are redacted, or that are
// only made when the action is applied, are replaced by a word in brackets.
type Change struct {
	Attribute string `json:"attribute"`
	Old       any    `json:"old"`
	New       any    `json:"new"`
}

// An Action is one step of a plan. Why is for people; no code reads it back.
type Action struct {
	Op       Op             `json:"op"`
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	TargetID *string        `json:"target_id"`
	Key      string         `json:"key"` // what people call it: userName or displayName
	// Name is the display name in Entra, "" when it is not read, is redacted or equals Key. It is only
	// set in a plan that is shown.
	Name    string         `json:"name,omitzero"`
	Changes []Change       `json:"changes,omitzero"`
	Add     []graphsync.ID `json:"add,omitempty"`    // members to add, by source id
	Remove  []graphsync.ID `json:"remove,omitempty"` // members to remove, by source id
	Why     string         `json:"why"`
	Cause   string         `json:"cause,omitempty"` // what a guard groups by
	Notes   []string       `json:"notes,omitempty"`
}

// A ChangedMember is a person who joins or leaves a group.
type ChangedMember struct {
	SourceID graphsync.ID `json:"source_id"`
	Key      string       `json:"key"`
	Change   string       `json:"change"` // add or remove
}

// A Held action waits for an approval.
type Held struct {
	Hold   string `json:"hold"`
	Guard  string `json:"guard"`
	Cause  string `json:"cause"`
	Action Action `json:"action"`
	// Members names the first people whose memberships the action changes, who leave first.
	Members []ChangedMember `json:"members,omitempty"`
}

// A Rejected action is due, but a person decided against it.
type Rejected struct {
	Hold   string `json:"hold"`
	Guard  string `json:"guard"`
	Cause  string `json:"cause"`
	Action Action `json:"action"`
	// Members names the first people whose memberships the action changes, who leave first.
	Members []ChangedMember `json:"members,omitempty"`
	Decision
}

// A Skipped record is one the plan does nothing for although an operator may expect it.
type Skipped struct {
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
	Code     string         `json:"code"`
	Why      string         `json:"why"`
}

// A Failure is an action that did not succeed.
type Failure struct {
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
	Op       Op             `json:"op"`
	Code     string         `json:"code"`
	Message  string         `json:"message"`
	RetryAt  string         `json:"retry_at,omitempty"`
}

// Digest identifies exactly this action and its words.
func (a *Action) Digest() string {
	sum := sha256.Sum256(Encode(a))
	return hex.EncodeToString(sum[:16])
}

// A Decision is who decided about a hold, when and why. Everything may be empty: nothing depends
// on it.
type Decision struct {
	By     string    `json:"by,omitempty"`
	Via    string    `json:"-"` // kind of actor for the audit log, see [state.Actor]; "" is the command line
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Words says who decided, when and why, to be put behind a verb.
func (d *Decision) Words() string {
	text := ""
	if d.By != "" {
		text += " by " + d.By
	}
	if !d.At.IsZero() {
		text += " at " + d.At.Format("2006-01-02 15:04:05Z07:00")
	}
	if d.Reason != "" {
		text += ", because: " + d.Reason
	}
	return text
}

// Ends returns when a rejection of this time ends, zero when rejections last for ever.
func (d Decision) Ends(last time.Duration) time.Time {
	if last <= 0 || d.At.IsZero() {
		return time.Time{}
	}
	return d.At.Add(last)
}
