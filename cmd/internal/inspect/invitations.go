package inspect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"entrasync/state"
)

// A Invitation is one entry of `consent list --json`. State is open, opened, declined, checking,
// failed, joined or expired.
type Invitation struct {
	Invitation string    `json:"invitation"`
	Note       string    `json:"note"`
	Tenant     *string   `json:"tenant"` // who alone may use it, null for any tenant
	State      string    `json:"state"`
	Message    string    `json:"message"`
	Claimed    *string   `json:"claimed"` // the tenant whose consent came back last
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	Declined   *Refusal  `json:"declined"` // null where the consent was not refused since the link was opened last

	made time.Time // to the fraction of a second, as they are ordered
}

// A Refusal says when and why a consent was declined.
type Refusal struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Invitations lists the links that were made, newest first.
func Invitations(store *state.Store, now time.Time) ([]Invitation, error) {
	all, err := store.Invitations().All()
	if err != nil {
		return nil, err
	}
	shown := []Invitation{}
	for key, i := range all {
		s := Invitation{Invitation: key.Name(), Note: i.Note, State: i.Status(now), Created: i.Created.Truncate(time.Second), Expires: i.Expires}
		if !i.Tenant.IsZero() {
			s.Tenant = new(i.Tenant.String())
		}
		if claim := i.Claim; claim != nil {
			s.Claimed = new(claim.Tenant.String())
			s.Message = strings.TrimSpace(claim.Name + claim.Problem + " " + claim.Hint)
		}
		if no := i.Declined; no != nil {
			s.Declined = &Refusal{no.At, no.Reason}
			s.Message = no.Reason
		}
		s.made = i.Created
		shown = append(shown, s)
	}
	slices.SortFunc(shown, func(x, y Invitation) int {
		return cmp.Or(y.made.Compare(x.made), cmp.Compare(x.Invitation, y.Invitation))
	})
	return shown, nil
}
