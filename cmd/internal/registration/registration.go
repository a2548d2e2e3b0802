// Package registration says how to make the app registration that a configuration needs: the permissions and why each,
// and the commands or templates that make it with four tools.
//
// It calls no service. What the tools take is from their documentation: az ad app, New-MgApplication of Microsoft Graph
// PowerShell, the azuread provider of Terraform, and the Microsoft Graph extension of Bicep.
package registration

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

// A Permission is an application permission of Microsoft Graph.
type Permission struct {
	Name string `json:"permission"`
	Why  string `json:"why"`
}

// An App is an app registration to make.
type App struct {
	Name        string       `json:"name"`
	Audience    string       `json:"sign_in_audience"` // AzureADMyOrg, or AzureADMultipleOrgs where tenants join by consent
	Redirects   []string     `json:"redirect_uris"`    // of the consent pages
	Permissions []Permission `json:"permissions"`
}

//go:embed forms
var forms embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"names": func(p []Permission) string {
		var names []string
		for _, one := range p {
			names = append(names, one.Name)
		}
		return strings.Join(names, " ")
	},
	"single": func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" },
	"shell":  func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
	"double": func(s string) string { return fmt.Sprintf("%q", strings.ReplaceAll(s, "${", "$${")) },
	"bicep": func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "${", `\${`).Replace(s) + "'"
	},
}).ParseFS(forms, "forms/*"))

// Forms are the tools there is a form for.
var Forms = []string{"az", "powershell", "terraform", "bicep"}

// Form is what makes the app registration with a tool.
func (a App) Form(tool string) (string, error) {
	if !slices.Contains(Forms, tool) {
		return "", fmt.Errorf("there is no form %q, want one of %s", tool, strings.Join(Forms, ", "))
	}
	var text bytes.Buffer
	err := templates.ExecuteTemplate(&text, tool, a)
	return text.String(), err
}

// Load returns the app registration that a configuration file needs, in which the app's id may be missing still: that
// is known once there is a registration.
func Load(name, file string) (App, error) {
	cfg, compiled, err := compile.LoadUnfilled(file)
	if err != nil {
		return App{}, err
	}
	var syncs []*reconcile.Sync
	for _, s := range compiled {
		syncs = append(syncs, s.Sync)
	}
	for _, entry := range cfg.Syncs {
		if entry.Value.From.Consented {
			t, faults := compile.NewTemplate(cfg, entry)
			if err := faults.Err(); err != nil {
				return App{}, err
			}
			syncs = append(syncs, t.Sync)
		}
	}
	return Of(name, cfg, syncs), nil
}

// Of returns the app registration that a configuration needs; syncs are all of its syncs.
func Of(name string, cfg *configs.Config, syncs []*reconcile.Sync) App {
	a := App{Name: name, Audience: "AzureADMyOrg"}
	needs := reconcile.RequirementsOf(syncs)
	needs.GroupNotices = cfg.NotificationsOf(configs.Tenant{}).Groups
	for _, tenant := range cfg.Tenants.All() {
		needs.GroupNotices = needs.GroupNotices || cfg.NotificationsOf(tenant).Groups
	}
	for _, permission := range needs.Permissions() {
		a.Permissions = append(a.Permissions, Permission{permission, why(permission, needs.UserProperties)})
	}
	if cfg.Consent != nil {
		a.Audience = "AzureADMultipleOrgs"
		a.Redirects = []string{strings.TrimSuffix(cfg.Consent.PublicURL, "/") + "/consent/callback"}
	}
	return a
}

// why says what a permission is for.
func why(permission string, properties []string) string {
	switch permission {
	case "User.Read.All":
		return "reads users: GET /users/delta"
	case "GroupMember.Read.All":
		return "reads groups and their members: GET /groups/delta"
	case "Group.Read.All":
		return "reads groups and their members: GET /groups/delta; has Graph notify of their changes: POST /subscriptions"
	case "Application.Read.All":
		return "reads the enterprise application, its app roles and who is assigned: GET /servicePrincipals/{id}/appRoleAssignedTo"
	}
	var of []string
	for _, property := range properties {
		if graphsync.PropertyPermission(property) == permission {
			of = append(of, property)
		}
	}
	return "reads " + strings.Join(of, ", ") + " of users, which the configuration uses"
}
