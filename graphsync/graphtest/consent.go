package graphtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// permissionTexts are how the screen describes permissions.
var permissionTexts = map[string]string{
	"User.Read.All":            "Read all users' full profiles",
	"User.ReadBasic.All":       "Read all users' basic profiles",
	"GroupMember.Read.All":     "Read all group memberships",
	"Group.Read.All":           "Read all groups",
	"Group.ReadBasic.All":      "Read basic information of all groups",
	"Application.Read.All":     "Read all applications",
	"Directory.Read.All":       "Read directory data",
	"Organization.Read.All":    "Read organization information",
	"AuditLog.Read.All":        "Read all audit log data",
	"Synchronization.Read.All": "Read all Azure AD synchronization data",
}

// adminConsent is the v2.0 admin consent endpoint: a screen, and what its buttons do.
func (bp browserPages) adminConsent(tenant string) *Response {
	query := bp.call.r.URL.Query()
	app, resource, refusal := bp.consentRequest(tenant, query)
	if refusal != nil {
		return bp.refusal(trouble, refusal)
	}
	tenants := bp.choices()
	switch bp.call.r.Method {
	case http.MethodGet, http.MethodHead:
		return bp.consentScreen(app, tenants)
	case http.MethodPost:
		return bp.consentDecision(app, tenants, resource, query)
	}
	return tokenEndpoint(bp).deny(tokenEndpoint(bp).wrongMethod("GET, POST"))
}

// consentRequest checks what the link says, before anyone is asked.
func (bp browserPages) consentRequest(tenant string, query url.Values) (application, string, *tokenError) {
	app, refusal := bp.linked(tenant, query, "client_id", "scope", "redirect_uri")
	if refusal != nil {
		return app, "", refusal
	}
	resource, found := strings.CutSuffix(query.Get("scope"), "/.default")
	if !found || resource != bp.call.base && resource != publicGraph {
		return app, "", aadsts(70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", query.Get("scope"))
	}
	return app, resource, nil
}

// linked checks what a link says about who wants to be led back where; c.tenant is the tenant
// it is for, nil at organizations. On an error there is no redirect.
func (bp browserPages) linked(tenant string, query url.Values, required ...string) (application, *tokenError) {
	for _, name := range required {
		if query.Get(name) == "" {
			return application{}, missing(name)
		}
	}
	directory := tenant
	switch tenant {
	case "organizations":
	case "common", "consumers":
		return application{}, aadsts(50059, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials. Use the organizations endpoint or a tenant's.")
	default:
		if bp.call.tenant = bp.call.s.Tenant(tenant); bp.call.tenant == nil {
			return application{}, tenantNotFound(tenant)
		}
		directory = bp.call.tenant.Name()
	}
	app := bp.call.s.lookupApp(query.Get("client_id"))
	switch {
	case app == nil:
		return application{}, aadsts(700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'.", query.Get("client_id"), directory)
	case app.disabled:
		return *app, appDisabled(app)
	case !slices.Contains(app.RedirectURIs, query.Get("redirect_uri")):
		return *app, aadsts(50011, "invalid_request", "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal.", query.Get("redirect_uri"), app.ClientID)
	}
	return *app, nil
}

func (bp browserPages) consentScreen(app application, tenants []*Tenant) *Response {
	type permission struct{ Name, Text string }
	var asked []permission
	for _, name := range app.Permissions {
		text := permissionTexts[name]
		if text == "" {
			text = name
		}
		asked = append(asked, permission{name, text})
	}
	return bp.html(http.StatusOK, "consent", map[string]any{
		"App": app.Name, "Permissions": asked, "Tenants": tenants, "Accounts": accounts(),
	})
}

// consentDecision does what a button asks for and leads back to the application.
func (bp browserPages) consentDecision(app application, tenants []*Tenant, resource string, query url.Values) *Response {
	back := url.Values{"admin_consent": {"True"}}
	who, accepted, refusal := bp.decision(tenants)
	switch {
	case refusal != nil:
		return bp.refusal(trouble, refusal)
	case !accepted:
		back.Set("error", "access_denied")
		back.Set("error_description", "AADSTS65004: User declined to consent to access the app.")
		return bp.back(query, back)
	case !bp.admits(who):
		return bp.refusal(wrongAccount, bp.notOfTenant(app))
	case !who.may:
		return bp.refusal(needAdmin, adminOnly(app))
	}
	bp.call.tenant = who.tenant
	bp.call.tenant.mu.Lock()
	bp.call.tenant.dir.consent(app, bp.call.s.opts.ConsentDelay)
	bp.call.tenant.mu.Unlock()

	granted := make([]string, len(app.Permissions))
	for i, name := range app.Permissions {
		granted[i] = resource + "/" + name
	}
	back.Set("tenant", who.tenant.ID().String())
	back.Set("scope", strings.Join(granted, " "))
	return bp.remember(who, bp.back(query, back))
}
