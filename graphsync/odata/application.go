package odata

import (
	"encoding/json"
	"fmt"
	"strings"

	"entrasync/graphsync"

	"github.com/go-json-experiment/json/jsontext"
)

// DecodeApp reads a service principal with its app roles.
func DecodeApp(body []byte) (*graphsync.App, error) {
	var sp struct {
		ID          *graphsync.ID `json:"id"`
		AppID       string        `json:"appId"`
		DisplayName string        `json:"displayName"`
		Enabled     *bool         `json:"accountEnabled"`
		Required    bool          `json:"appRoleAssignmentRequired"`
		Roles       []struct {
			ID          graphsync.ID `json:"id"`
			Value       string       `json:"value"`
			DisplayName string       `json:"displayName"`
			Enabled     bool         `json:"isEnabled"`
		} `json:"appRoles"`
	}
	if err := DecodeObject(body, &sp); err != nil {
		return nil, err
	}
	if sp.ID == nil || sp.Enabled == nil {
		return nil, Undocumented("the service principal has no id or no accountEnabled")
	}
	app := &graphsync.App{ID: *sp.ID, AppID: sp.AppID, Name: sp.DisplayName, Enabled: *sp.Enabled, Required: sp.Required}
	for _, r := range sp.Roles {
		app.Roles = append(app.Roles, graphsync.AppRole{ID: r.ID, Value: r.Value, Name: r.DisplayName, Enabled: r.Enabled})
	}
	return app, nil
}

// DecodeAssignments reads a page of appRoleAssignedTo. Rows of service principals are left out. A row that cannot be understood costs only itself.
func DecodeAssignments(body []byte) (page []graphsync.Assignment, skipped []graphsync.BadRecord, l List, err error) {
	l, err = DecodeList(body, func(dec *jsontext.Decoder) error {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		a, provisioned, bad := decodeAssignment(raw)
		switch {
		case bad != nil:
			skipped = append(skipped, *bad)
		case provisioned:
			page = append(page, a)
		}
		return nil
	})
	return page, skipped, l, err
}

// decodeAssignment also reports whether the principal may be a user or group.
func decodeAssignment(raw []byte) (a graphsync.Assignment, provisioned bool, bad *graphsync.BadRecord) {
	var row struct {
		ID            string `json:"id"`
		Role          string `json:"appRoleId"`
		Principal     string `json:"principalId"`
		PrincipalType string `json:"principalType"`
	}
	if err := json.Unmarshal(raw, &row); err != nil || row.ID == "" {
		return a, false, &graphsync.BadRecord{Reason: "an app role assignment cannot be understood"}
	}
	switch row.PrincipalType {
	case "User":
		a.PrincipalKind = graphsync.User
	case "Group":
		a.PrincipalKind = graphsync.Group
	case "ServicePrincipal":
		return a, false, nil
	}
	a.ID = row.ID
	var err error
	if a.Principal, err = graphsync.ParseID(row.Principal); err == nil {
		a.Role, err = graphsync.ParseID(row.Role)
	}
	if err != nil {
		return a, false, &graphsync.BadRecord{ID: row.ID, Reason: fmt.Sprintf("app role assignment of principal %.60q: %v", row.Principal, err)}
	}
	return a, true, nil
}

// DecodeOrganization reads the one organization that a token belongs to. Domains are in lower case.
func DecodeOrganization(body []byte) (graphsync.Organization, error) {
	var response struct {
		Value []struct {
			ID      graphsync.ID `json:"id"`
			Name    string       `json:"displayName"`
			Domains []struct {
				Name    string `json:"name"`
				Default bool   `json:"isDefault"`
			} `json:"verifiedDomains"`
		} `json:"value"`
	}
	if err := DecodeObject(body, &response); err != nil {
		return graphsync.Organization{}, err
	}
	if len(response.Value) != 1 {
		return graphsync.Organization{}, Undocumented(fmt.Sprintf("the token belongs to %d organizations", len(response.Value)))
	}
	sent := response.Value[0]
	organization := graphsync.Organization{ID: sent.ID, Name: sent.Name}
	for _, domain := range sent.Domains {
		organization.Domains = append(organization.Domains, strings.ToLower(domain.Name))
		if domain.Default {
			organization.DefaultDomain = strings.ToLower(domain.Name)
		}
	}
	return organization, nil
}
