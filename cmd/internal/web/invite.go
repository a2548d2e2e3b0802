package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// How long a link made here is good, by the form's choice.
var linkLasts = map[string]time.Duration{"1": 24 * time.Hour, "7": 7 * 24 * time.Hour, "30": 30 * 24 * time.Hour}

// longestNote bounds for whom an invitation is.
const longestNote = 200

// An invitationPage shows a link, once: what is kept cannot show it again.
type invitationPage struct {
	page
	Link    string
	Note    string
	Tenant  string
	Expires time.Time
}

// inviteTenant makes an invitation.
func (s *Server) inviteTenant(w http.ResponseWriter, r *http.Request) {
	if !s.posted(w, r, "No link was made") {
		return
	}
	now := s.Now().UTC()
	lasts, known := linkLasts[r.PostFormValue("lasts")]
	invitation := state.Invitation{By: actorOf(r), Note: strings.TrimSpace(r.PostFormValue("note")), Created: now, Expires: now.Add(lasts).Truncate(time.Second)}
	tenant, fault := strings.TrimSpace(r.PostFormValue("tenant")), ""
	if tenant != "" {
		var err error
		if invitation.Tenant, err = graphsync.ParseID(tenant); err != nil {
			fault = "The tenant ID is not one. It looks like 11111111-2222-3333-4444-555555555555."
		}
	}
	if !known || len(invitation.Note) > longestNote {
		fault = "For whom it is must be shorter, and it is good for 1, 7 or 30 days."
	}
	link, key := "", state.InvitationKey{}
	if fault == "" {
		var err error
		switch link, key, err = s.Invite(invitation); {
		case errors.Is(err, ErrOpenLink):
			fault = "Give the tenant ID: a link for any tenant needs consent.sign_in, which is switched off in the configuration."
		case err != nil:
			s.page(func(*http.Request, page) (string, any, error) { return "", nil, err })(w, r)
			return
		}
	}
	if fault != "" {
		s.page(func(r *http.Request, p page) (string, any, error) {
			_, data, err := s.tenants(r, p)
			if err != nil {
				return "", nil, err
			}
			again := data.(tenantsPage)
			again.Fault, again.Note, again.TenantID = fault, invitation.Note, tenant
			return "tenants", again, errInvalid
		})(w, r)
		return
	}
	s.page(func(_ *http.Request, p page) (string, any, error) {
		by, _, _ := r.BasicAuth()
		s.Log.Info("invitation made", "invitation", key.Name(), "note", invitation.Note, "for", tenant, "expires", invitation.Expires, "by", by)
		return "invitation", invitationPage{page: p.titled("A link for a tenant", "/tenants"), Link: link, Note: invitation.Note, Tenant: tenant, Expires: invitation.Expires}, nil
	})(w, r)
}

// actorOf is who sends a request, for the audit log.
func actorOf(r *http.Request) state.Actor {
	name, _, _ := r.BasicAuth()
	return state.Actor{Kind: state.ActorPage, Name: name}
}

// withdraw takes an invitation back: its link leads nowhere from then on.
func (s *Server) withdraw(w http.ResponseWriter, r *http.Request) {
	if !s.posted(w, r, "Nothing was withdrawn") {
		return
	}
	s.page(func(r *http.Request, p page) (string, any, error) {
		name := r.PathValue("invitation")
		withdrawn, err := s.Store.Invitations().Withdraw(name, s.Now(), actorOf(r))
		switch {
		case errors.Is(err, state.ErrNoInvitation), errors.Is(err, state.ErrInvitationUsed):
			return "", nil, errNotFound
		case err != nil:
			return "", nil, err
		}
		by, _, _ := r.BasicAuth()
		s.Log.Info("invitation withdrawn", "invitation", name, "note", withdrawn.Note, "by", by)
		w.Header().Set("Location", "/tenants?withdrawn=1")
		return "", nil, errSeeOther
	})(w, r)
}
