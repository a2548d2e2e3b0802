package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A tenantsPage lists the directories that are read, and those that are invited.
type tenantsPage struct {
	page
	Query       string
	Tenants     []tenant
	Pager       pager
	Invitations []invited
	Withdrawn   bool // an invitation was, just now
	Inviting    bool // links can be made

	Fault          string // why no link was made of the form
	Note, TenantID string // as it was filled in
}

type tenant struct {
	Tenant
	Rows []row
}

// An invited tenant is an invitation as it stands.
type invited struct {
	state.Invitation
	Key   state.InvitationKey
	State string
}

func (s *Server) tenants(r *http.Request, p page) (string, any, error) {
	all, err := s.Tenants()
	if err != nil {
		return "", nil, err
	}
	rows := map[graphsync.ID][]row{}
	for _, row := range p.rows {
		rows[row.Tenant] = append(rows[row.Tenant], row)
	}
	data := tenantsPage{page: p.titled("Tenants", "/tenants"), Query: strings.TrimSpace(r.FormValue("q")), Inviting: s.Invite != nil, Withdrawn: r.FormValue("withdrawn") != ""}
	fitting := slices.DeleteFunc(slices.Clone(all), func(t Tenant) bool {
		return !contains(t.Name, data.Query) && !contains(t.Note, data.Query) && !contains(t.ID.String(), data.Query)
	})
	data.Pager = pagerOf(r, len(fitting))
	for _, t := range fitting[data.Pager.From():data.Pager.To()] {
		slices.SortFunc(rows[t.ID], func(a, b row) int { return strings.Compare(a.Name, b.Name) })
		for _, r := range rows[t.ID] {
			if r.ReadError != nil {
				t.State, t.Message = "state_damaged", r.ReadError.Error()
			}
		}
		data.Tenants = append(data.Tenants, tenant{t, rows[t.ID]})
	}
	data.Invitations, err = s.invitations(p.Now)
	return "tenants", data, err
}

// invitations are those that are of interest still: joined and expired ones for a while.
func (s *Server) invitations(now time.Time) (all []invited, err error) {
	kept, err := s.Store.Invitations().All()
	if err != nil {
		return nil, err
	}
	for key, i := range kept {
		all = append(all, invited{i, key, i.Status(now)})
	}
	slices.SortFunc(all, func(a, b invited) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.Key.Name(), b.Key.Name())
	})
	return all, nil
}

// Label is the state in words.
func (t Tenant) Label() string {
	if t.State == "" {
		return ""
	}
	label := strings.ReplaceAll(t.State, "_", " ")
	return strings.ToUpper(label[:1]) + label[1:]
}

// Class is the class the state is shown in.
func (t Tenant) Class() string {
	switch {
	case t.State == "active" && t.Warns():
		return "held"
	case t.State == "active":
		return "ok"
	case t.State == "paused", t.State == "not_configured":
		return "paused"
	}
	return "failed"
}

// Warns reports whether the tenant is read, and will not be for long: its message says why.
func (t Tenant) Warns() bool {
	return t.State == "active" && t.Message != "" && !t.CredentialEnds.IsZero()
}

// Label is the state in words.
func (i invited) Label() string {
	return map[string]string{
		"open": "Not opened yet", "opened": "Opened", "declined": "Declined", "checking": "Being checked", "failed": "Not connected", "joined": "Joined", "expired": "Expired",
	}[i.State]
}

// Class is the class the state is shown in.
func (i invited) Class() string {
	return map[string]string{"declined": "held", "checking": "waiting", "failed": "failed", "joined": "ok", "expired": "paused"}[i.State]
}

// Ends reports whether there is anything to withdraw.
func (i invited) Ends() bool { return i.State != "joined" && i.State != "expired" }
