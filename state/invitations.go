package state

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"entrasync/graphsync"
)

// bucketInvitations holds hash of the invitation's secret → Invitation as JSON.
const bucketInvitations = "invitations"

// An InvitationKey is the SHA-256 of an invitation's secret: the secret itself is kept nowhere.
type InvitationKey [32]byte

// Name is what people call the invitation: enough of its key to tell it from the others.
func (k InvitationKey) Name() string { return hex.EncodeToString(k[:4]) }

// Invitations are those of all tenants. Its methods may be called concurrently.
type Invitations struct{ registry *database }

// An Invitation lets one tenant join by consent, once.
type Invitation struct {
	Tenant  graphsync.ID `json:"tenant"` // the only tenant that may use it; zero for any
	Note    string       `json:"note"`
	By      Actor        `json:"by,omitzero"` // who made it
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires"`

	Begun    []ConsentVisit  `json:"begun"`              // visits to Entra that have not come back
	Claim    *ConsentClaim   `json:"claim"`              // the newest consent that came back, nil before the first
	Declined *ConsentRefusal `json:"declined,omitempty"` // the newest refusal, nil once the link was opened again
}

// Status is the invitation's state in a word: open (not opened yet), opened, declined (the administrator or Entra
// refused; the link still works), checking (a consent is being proven), failed (it could not be proven; the link
// still works), joined, or expired.
func (i *Invitation) Status(now time.Time) string {
	switch {
	case i.Claim != nil && i.Claim.Joined:
		return "joined"
	case i.Claim.Proving():
		return "checking"
	case !now.Before(i.Expires):
		return "expired"
	case i.Declined != nil:
		return "declined"
	case i.Claim != nil && i.Claim.Problem != "":
		return "failed"
	case len(i.Begun) > 0 || i.Claim != nil:
		return "opened"
	}
	return "open"
}

// A ConsentRefusal says that a visit came back from Entra without a consent.
type ConsentRefusal struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"` // one line in our own words, with Entra's error code
}

// A ConsentVisit is a visit to Entra's consent page, by the hashes of what must come back.
type ConsentVisit struct {
	State   []byte    `json:"state"`
	Cookie  []byte    `json:"cookie"`
	Expires time.Time `json:"expires"`
}

// A ConsentClaim is a consent that a browser reported, and the outcome of proving it.
type ConsentClaim struct {
	Tenant  graphsync.ID `json:"tenant"`
	Cookie  []byte       `json:"cookie"` // hash of that of the browser
	Since   time.Time    `json:"since"`
	SignIn  []byte       `json:"sign_in,omitempty"` // hash of the state of a sign-in that has yet to come back
	By      string       `json:"by,omitempty"`      // who signed in, in Entra's words
	Joined  bool         `json:"joined"`            // proven; the invitation is used up
	Name    string       `json:"name"`              // of the organization, once proven
	Problem string       `json:"problem"`           // why it is not proven for good; the invitation may be used again
	Hint    string       `json:"hint"`
}

// Proving reports whether the claim still waits for its proof.
func (c *ConsentClaim) Proving() bool {
	return c != nil && !c.Joined && c.Problem == "" && len(c.SignIn) == 0
}

// ErrNoInvitation means that there is no such invitation (any more).
var ErrNoInvitation = errors.New("there is no such invitation")

// ErrInvitationUsed means that a tenant has joined with an invitation.
var ErrInvitationUsed = errors.New("the invitation has been used")

// Put stores an invitation. The audit log of the service says who made it.
func (i Invitations) Put(key InvitationKey, invitation Invitation) error {
	return i.registry.update(func(tx *Tx) error {
		about, err := json.Marshal(struct {
			Invitation string    `json:"invitation"`
			Note       string    `json:"note,omitempty"`
			Expires    time.Time `json:"expires"`
		}{key.Name(), invitation.Note, invitation.Expires})
		if err != nil {
			return err
		}
		entry := AuditEntry{At: invitation.Created, Event: "invitation_made", Actor: invitation.By, Tenant: invitation.Tenant, Result: "done", About: about}
		if err := tx.Audit().Append(entry); err != nil {
			return err
		}
		return tx.kv.putJSON(key[:], invitation, bucketInvitations)
	})
}

// Get returns an invitation, or [ErrNoInvitation].
func (i Invitations) Get(key InvitationKey) (invitation Invitation, err error) {
	err = i.registry.view(func(tx *Tx) error {
		text := tx.kv.get(key[:], bucketInvitations)
		if text == nil {
			return ErrNoInvitation
		}
		invitation = fromJSON[Invitation]("an invitation", text)
		return nil
	})
	return invitation, err
}

// Change changes an invitation in one step, unless change returns an error. The error
// is [ErrNoInvitation] when there is none.
func (i Invitations) Change(key InvitationKey, change func(*Invitation) error) error {
	return i.registry.update(func(tx *Tx) error {
		text := tx.kv.get(key[:], bucketInvitations)
		if text == nil {
			return ErrNoInvitation
		}
		invitation := fromJSON[Invitation]("an invitation", text)
		if err := change(&invitation); err != nil {
			return err
		}
		return tx.kv.putJSON(key[:], invitation, bucketInvitations)
	})
}

// All returns all invitations.
func (i Invitations) All() (map[InvitationKey]Invitation, error) {
	all := map[InvitationKey]Invitation{}
	err := i.registry.view(func(tx *Tx) error {
		for key, text := range scan(tx.kv.bucket(bucketInvitations), nil, nil) {
			all[InvitationKey(key)] = fromJSON[Invitation]("an invitation", text)
		}
		return nil
	})
	return all, err
}

// Drop forgets the invitations that fit, and returns how many those are. Their links
// lead nowhere from then on. fits is asked again as they are dropped: one that changed since the
// first look, such as by joining, is kept. When any is dropped, the entries go into the audit log of the service.
func (i Invitations) Drop(fits func(InvitationKey, Invitation) bool, entries ...AuditEntry) (dropped int, err error) {
	all, err := i.All()
	if err != nil {
		return 0, err
	}
	maps.DeleteFunc(all, func(key InvitationKey, invitation Invitation) bool { return !fits(key, invitation) })
	if len(all) == 0 {
		return 0, nil // without a commit
	}
	err = i.registry.update(func(tx *Tx) error {
		dropped = 0
		for key := range all {
			text := tx.kv.get(key[:], bucketInvitations)
			if text == nil || !fits(key, fromJSON[Invitation]("an invitation", text)) {
				continue
			}
			if _, err := tx.kv.delete(key[:], bucketInvitations); err != nil {
				return err
			}
			dropped++
		}
		if dropped == 0 {
			return nil
		}
		return tx.Audit().Append(entries...)
	})
	return dropped, err
}

// Withdraw forgets the invitation of a name, see [InvitationKey.Name], and returns what it was. The audit log of the
// service says who did so. The error is [ErrNoInvitation] when there is none, and [ErrInvitationUsed] when a tenant
// has joined with it: then it stays.
func (i Invitations) Withdraw(name string, at time.Time, by Actor) (withdrawn Invitation, err error) {
	about, err := json.Marshal(map[string]string{"invitation": name})
	if err != nil {
		return withdrawn, err
	}
	used := false
	n, err := i.Drop(func(key InvitationKey, found Invitation) bool {
		if key.Name() != name {
			return false
		}
		used, withdrawn = found.Claim != nil && found.Claim.Joined, found
		return !used
	}, AuditEntry{At: at, Event: "invitation_withdrawn", Actor: by, Result: "done", About: about})
	switch {
	case err != nil:
		return withdrawn, err
	case used:
		return withdrawn, ErrInvitationUsed
	case n == 0:
		return withdrawn, ErrNoInvitation
	}
	return withdrawn, nil
}
