package graphtest

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed consent.html
var consentHTML string

var consentPages = template.Must(template.New("consent.html").Parse(consentHTML))

// An account is who sits at the browser. Only two directory roles may consent to application
// permissions of Graph ("Grant tenant-wide admin consent to an application").
type account struct {
	Key, Label string
	may        bool
	elsewhere  bool // of another organization
}

func accounts() []account {
	return []account{
		{Key: "global", Label: "Global Administrator", may: true},
		{Key: "privileged", Label: "Privileged Role Administrator", may: true},
		{Key: "cloudapp", Label: "Cloud Application Administrator"},
		{Key: "employee", Label: "Employee without a directory role"},
		{Key: "stranger", Label: "Global Administrator of another organization", may: true, elsewhere: true},
	}
}

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
func (c *call) adminConsent(tenant string) *Answer {
	query := c.r.URL.Query()
	app, resource, refusal := c.consentRequest(tenant, query)
	if refusal != nil {
		return c.refusal("Sorry, but we're having trouble signing you in.", refusal)
	}
	tenants := c.s.Tenants()
	if c.tenant != nil {
		tenants = []*Tenant{c.tenant}
	}
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		return c.consentScreen(app, tenants)
	case http.MethodPost:
		return c.consentDecision(app, tenants, resource, query)
	}
	return c.deny(aadsts(900561, "invalid_request", "The endpoint only accepts GET, POST requests. Received a %s request.", c.r.Method))
}

// consentRequest checks what the link says, before anyone is asked.
func (c *call) consentRequest(tenant string, query url.Values) (application, string, *tokenError) {
	for _, required := range []string{"client_id", "scope", "redirect_uri"} {
		if query.Get(required) == "" {
			return application{}, "", aadsts(900144, "invalid_request", "The request body must contain the following parameter: '%s'.", required)
		}
	}
	switch tenant {
	case "organizations":
	case "common", "consumers":
		return application{}, "", aadsts(50059, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials. Use the organizations endpoint or a tenant's.")
	default:
		if c.tenant = c.s.Tenant(tenant); c.tenant == nil {
			return application{}, "", tenantNotFound(tenant)
		}
	}
	c.s.mu.Lock()
	registration := c.s.apps[strings.ToLower(query.Get("client_id"))]
	var app application
	if registration != nil {
		app = *registration
	}
	c.s.mu.Unlock()
	if registration == nil {
		directory := "organizations"
		if c.tenant != nil {
			directory = c.tenant.name
		}
		return app, "", aadsts(700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'.", query.Get("client_id"), directory)
	}
	if app.disabled {
		return app, "", aadsts(7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", app.ClientID, app.Name)
	}
	if !slices.Contains(app.RedirectURIs, query.Get("redirect_uri")) {
		return app, "", aadsts(50011, "invalid_request", "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal.", query.Get("redirect_uri"), app.ClientID)
	}
	resource, found := strings.CutSuffix(query.Get("scope"), "/.default")
	if !found || resource != c.base && resource != publicGraph {
		return app, "", aadsts(70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", query.Get("scope"))
	}
	return app, resource, nil
}

func (c *call) consentScreen(app application, tenants []*Tenant) *Answer {
	type permission struct{ Name, Text string }
	var asked []permission
	for _, name := range app.Permissions {
		text := permissionTexts[name]
		if text == "" {
			text = name
		}
		asked = append(asked, permission{name, text})
	}
	return c.html(http.StatusOK, "consent", map[string]any{
		"App": app.Name, "Permissions": asked, "Tenants": tenants, "Accounts": accounts(),
	})
}

// consentDecision does what a button asks for and leads back to the application.
func (c *call) consentDecision(app application, tenants []*Tenant, resource string, query url.Values) *Answer {
	if err := c.r.ParseForm(); err != nil {
		return c.refusal("Sorry, but we're having trouble signing you in.", aadsts(900144, "invalid_request", "The form could not be read."))
	}
	form := c.r.PostForm
	back := url.Values{"admin_consent": {"True"}}
	if state, ok := query["state"]; ok {
		back["state"] = state
	}
	at := slices.IndexFunc(accounts(), func(a account) bool { return a.Key == form.Get("account") })
	chosen := slices.IndexFunc(tenants, func(t *Tenant) bool { return t.id.String() == form.Get("tenant") })
	switch {
	case form.Get("decision") == "cancel":
		back.Set("error", "access_denied")
		back.Set("error_description", "AADSTS65004: User declined to consent to access the app.")
		return c.back(query.Get("redirect_uri"), back)
	case form.Get("decision") != "accept" || at < 0 || chosen < 0:
		return c.refusal("Sorry, but we're having trouble signing you in.", aadsts(900144, "invalid_request", "The form must name a tenant, an account and a decision."))
	}
	who, tenant := accounts()[at], tenants[chosen]
	switch {
	case who.elsewhere && c.tenant != nil:
		return c.refusal("You can't sign in here with this account.", aadsts(50020, "invalid_request", "User account from identity provider does not exist in tenant '%s' and cannot access the application '%s' in that tenant. The account needs to be added as an external user in the tenant first.", tenant.name, app.ClientID))
	case !who.may:
		return c.refusal("Need admin approval", aadsts(90094, "consent_required", "%s needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.", app.Name))
	}
	c.tenant = tenant
	tenant.mu.Lock()
	tenant.consent(app, c.s.opts.ConsentDelay)
	tenant.mu.Unlock()

	granted := make([]string, len(app.Permissions))
	for i, name := range app.Permissions {
		granted[i] = resource + "/" + name
	}
	back.Set("tenant", tenant.id.String())
	back.Set("scope", strings.Join(granted, " "))
	return c.back(query.Get("redirect_uri"), back)
}

// back redirects to the application with parameters added to those its URI has.
func (c *call) back(redirect string, parameters url.Values) *Answer {
	separator := "?"
	if strings.Contains(redirect, "?") {
		separator = "&"
	}
	return &Answer{Status: http.StatusFound, Header: http.Header{"Location": {redirect + separator + parameters.Encode()}}}
}

// refusal is an error screen: nobody is sent back to the application.
func (c *call) refusal(title string, e *tokenError) *Answer {
	text := "The application could not be given access."
	if e.number == 90094 {
		text = "Sign in as a Global Administrator or Privileged Role Administrator, or ask one to open the link."
	}
	return c.html(http.StatusBadRequest, "refusal", map[string]any{
		"Title": title, "Text": text, "RequestID": c.id,
		"Timestamp": c.now().UTC().Format("2006-01-02T15:04:05Z"),
		"Message":   fmt.Sprintf("AADSTS%d: %s", e.number, e.message),
	})
}

func (c *call) html(status int, page string, data any) *Answer {
	var out bytes.Buffer
	if err := consentPages.ExecuteTemplate(&out, page, data); err != nil {
		panic("graphtest: render page: " + err.Error())
	}
	return &Answer{Status: status, Body: out.Bytes(), Header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
		"X-Frame-Options":         {"DENY"},
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
	}}
}
