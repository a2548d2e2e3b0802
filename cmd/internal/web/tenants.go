package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
)

// A tenantsPage lists the directories that are read.
type tenantsPage struct {
	page
	Tenants  []tenant
	Inviting bool // links can be made
}

// A tenant is a directory, from the configuration or by consent.
type tenant struct {
	Name    string
	ID      graphsync.ID
	Origin  string // file or consent
	State   string // active, paused, or the class of the error that stopped it
	Message string
	Hint    string
	Since   time.Time
	Rows    []row
}

// stops are the failures that are the tenant's own, not one sync's.
var stops = []graphsync.Class{
	graphsync.ConsentMissing, graphsync.CredentialInvalid, graphsync.CredentialExpired, graphsync.PermissionMissing,
	graphsync.AppDisabled, graphsync.TenantUnknown, graphsync.Policy,
}

func (s *Server) tenants(r *http.Request, p page) (string, any, error) {
	records, err := s.Store.TenantRecords()
	if err != nil {
		return "", nil, err
	}
	byName := map[string]*tenant{}
	for _, row := range p.rows {
		t := byName[row.TenantName]
		if t == nil {
			t = &tenant{Name: row.TenantName, ID: row.Tenant, Origin: "file", State: "active"}
			byName[t.Name] = t
		}
		t.Rows = append(t.Rows, row)
		if row.Paused {
			t.State = "paused"
		}
		if last := row.Last(); last != nil && last.Failure != nil && slices.Contains(stops, graphsync.Class(last.Failure.Code)) {
			t.State, t.Message, t.Hint, t.Since = last.Failure.Code, last.Failure.Message, last.Failure.Hint, last.Started
		}
	}
	for _, record := range records {
		t := byName[record.Name]
		if t == nil {
			t = &tenant{Name: record.Name, ID: record.ID}
			byName[t.Name] = t
		}
		t.Origin = cmp.Or(record.Origin, "file")
		if t.State == "" || t.State == "active" {
			t.State, t.Message, t.Since = cmp.Or(record.State, "active"), record.Message, record.Since
		}
		if record.Paused {
			t.State = "paused"
		}
	}
	data := tenantsPage{page: p.titled("Tenants", "/tenants"), Inviting: s.Invite != nil}
	for _, t := range byName {
		slices.SortFunc(t.Rows, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
		data.Tenants = append(data.Tenants, *t)
	}
	slices.SortFunc(data.Tenants, func(a, b tenant) int { return strings.Compare(a.Name, b.Name) })
	return "tenants", data, nil
}

// Label is the state in words.
func (t tenant) Label() string {
	label := strings.ReplaceAll(t.State, "_", " ")
	return strings.ToUpper(label[:1]) + label[1:]
}

// Class is the class the state is shown in.
func (t tenant) Class() string {
	switch t.State {
	case "active":
		return "ok"
	case "paused":
		return "paused"
	}
	return "failed"
}
