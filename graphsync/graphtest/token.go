package graphtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// publicGraph is the resource that tokens for Graph may also be asked for by name.
const publicGraph = "https://graph.microsoft.com"

// token is the v2.0 token endpoint.
func (te tokenEndpoint) token(tenant string) *Response {
	if te.call.r.Method != http.MethodPost {
		return te.deny(te.wrongMethod("POST"))
	}
	if err := te.call.r.ParseForm(); err != nil {
		return te.deny(aadsts(900144, "invalid_request", "The request body could not be read."))
	}
	form := te.call.r.PostForm
	for _, required := range []string{"grant_type", "client_id"} {
		if form.Get(required) == "" {
			return te.deny(missing(required))
		}
	}
	var a *Response
	var refusal *tokenError
	switch form.Get("grant_type") {
	case "client_credentials":
		a, refusal = te.clientCredentials(tenant, form)
	case "authorization_code":
		a, refusal = te.redeem(tenant, form)
	default:
		refusal = aadsts(70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", form.Get("grant_type"))
	}
	if refusal != nil {
		return te.deny(refusal)
	}
	a.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}

// clientCredentials gives an app a token of its own (Microsoft identity platform, "OAuth 2.0
// client credentials flow").
func (te tokenEndpoint) clientCredentials(tenant string, form url.Values) (*Response, *tokenError) {
	if form.Get("scope") == "" {
		return nil, missing("scope")
	}
	switch tenant {
	case "common", "consumers":
		return nil, aadsts(9001023, "invalid_request", "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.")
	case "organizations":
		return nil, aadsts(50059, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials.")
	}
	if te.call.tenant = te.call.s.Tenant(tenant); te.call.tenant == nil {
		return nil, tenantNotFound(tenant)
	}
	resource, refusal := te.resource(form.Get("scope"))
	if refusal != nil {
		return nil, refusal
	}
	p, refusal := te.client(form)
	if refusal != nil {
		return nil, refusal
	}
	if te.pending(p) {
		return nil, te.appNotFound(p.clientID)
	}
	lifetime := int(te.call.s.opts.TokenLifetime.Seconds())
	return jsonResponse(http.StatusOK, map[string]any{
		"token_type":     "Bearer",
		"expires_in":     lifetime,
		"ext_expires_in": lifetime,
		"access_token":   te.accessToken(p, resource),
	}), nil
}

// pending counts the token requests that fail while consent spreads.
func (te tokenEndpoint) pending(p *servicePrincipal) bool {
	te.call.tenant.mu.Lock()
	defer te.call.tenant.mu.Unlock()
	if p.pending == 0 {
		return false
	}
	p.pending--
	return true
}

// resource reads the scope: a resource with /.default, besides the OpenID scopes that client
// libraries add.
func (te tokenEndpoint) resource(scope string) (string, *tokenError) {
	var wanted []string
	for s := range strings.FieldsSeq(scope) {
		if !slices.Contains([]string{"openid", "profile", "offline_access"}, s) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) != 1 {
		return "", aadsts(70011, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", scope)
	}
	resource, found := strings.CutSuffix(wanted[0], "/.default")
	if !found {
		return "", aadsts(1002012, "invalid_scope", "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", wanted[0])
	}
	if resource = strings.TrimSuffix(resource, "/"); resource != te.call.base && resource != publicGraph {
		return "", aadsts(500011, "invalid_resource", "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", resource, te.call.tenant.Name())
	}
	return resource, nil
}

// client authenticates the application and finds its service principal in the tenant.
func (te tokenEndpoint) client(form url.Values) (*servicePrincipal, *tokenError) {
	clientID := form.Get("client_id")
	app := te.call.s.lookupApp(clientID)
	te.call.tenant.mu.Lock()
	defer te.call.tenant.mu.Unlock()
	p := te.call.tenant.dir.principal(clientID)
	if app == nil || p == nil {
		return nil, te.appNotFound(clientID)
	}
	var refusal *tokenError
	switch {
	case form.Get("client_assertion") != "":
		refusal = te.checkAssertion(app, form)
	case form.Get("client_secret") != "":
		refusal = te.checkSecret(app, form.Get("client_secret"))
	case form.Get("grant_type") == "authorization_code":
		refusal = aadsts(7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	default:
		refusal = aadsts(7000216, "invalid_client", "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	}
	switch {
	case refusal != nil:
		return nil, refusal
	case p.removed:
		return nil, aadsts(7000229, "unauthorized_client", "The client application %s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119", clientID, te.call.tenant.ID())
	case app.disabled || !p.enabled():
		return nil, appDisabled(app)
	}
	return p, nil
}

func (te tokenEndpoint) appNotFound(clientID string) *tokenError {
	return aadsts(700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", clientID, te.call.tenant.Name())
}

func (te tokenEndpoint) checkSecret(app *application, secret string) *tokenError {
	secrets := app.secrets()
	at := slices.IndexFunc(secrets, func(s clientSecret) bool { return s.text == secret })
	if at < 0 {
		return aadsts(7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", app.ClientID)
	}
	if !te.call.now().Before(secrets[at].ends) {
		return aadsts(7000222, "invalid_client", "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", app.ClientID)
	}
	return nil
}

// accessToken signs a token with the permissions granted at this moment.
func (te tokenEndpoint) accessToken(p *servicePrincipal, resource string) string {
	te.call.tenant.mu.Lock()
	roles := slices.Clone(p.granted)
	object := p.object.id.String()
	te.call.tenant.mu.Unlock()
	claims := te.lasting(jwt.MapClaims{
		"aud":             resource,
		"iss":             "https://sts.windows.net/" + te.call.tenant.ID().String() + "/",
		"app_displayname": p.name,
		"appid":           p.clientID,
		"idtyp":           "app",
		"oid":             object,
		"sub":             object,
		"tid":             te.call.tenant.ID().String(),
		"uti":             te.call.id,
		"ver":             "1.0",
	})
	if len(roles) > 0 {
		claims["roles"] = roles
	}
	return signed(jwt.SigningMethodES256, te.call.s.key, claims)
}
