package graphtest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// publicGraph is the resource that tokens for Graph may also be asked for by name.
const publicGraph = "https://graph.microsoft.com"

// token answers the client credentials flow (Microsoft identity platform, "OAuth 2.0 client
// credentials flow").
func (c *call) token(tenant string) *Answer {
	if c.r.Method != http.MethodPost {
		return c.deny(aadsts(900561, "invalid_request", "The endpoint only accepts POST requests. Received a %s request.", c.r.Method))
	}
	if err := c.r.ParseForm(); err != nil {
		return c.deny(aadsts(900144, "invalid_request", "The request body could not be read."))
	}
	form := c.r.PostForm
	for _, required := range []string{"grant_type", "client_id", "scope"} {
		if form.Get(required) == "" {
			return c.deny(aadsts(900144, "invalid_request", "The request body must contain the following parameter: '%s'.", required))
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return c.deny(aadsts(70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", form.Get("grant_type")))
	}
	switch tenant {
	case "common", "consumers":
		return c.deny(aadsts(9001023, "invalid_request", "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."))
	case "organizations":
		return c.deny(aadsts(50059, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials."))
	}
	if c.tenant = c.s.Tenant(tenant); c.tenant == nil {
		return c.deny(tenantNotFound(tenant))
	}
	resource, refusal := c.resource(form.Get("scope"))
	if refusal != nil {
		return c.deny(refusal)
	}
	p, refusal := c.client(form)
	if refusal != nil {
		return c.deny(refusal)
	}
	return c.issue(p, resource)
}

// resource reads the scope: a resource with /.default, besides the OpenID scopes that client
// libraries add.
func (c *call) resource(scope string) (string, *tokenError) {
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
	if resource = strings.TrimSuffix(resource, "/"); resource != c.base && resource != publicGraph {
		return "", aadsts(500011, "invalid_resource", "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", resource, c.tenant.name)
	}
	return resource, nil
}

// client authenticates the application and finds its service principal in the tenant.
func (c *call) client(form url.Values) (*servicePrincipal, *tokenError) {
	clientID := form.Get("client_id")
	c.s.mu.Lock()
	registration := c.s.apps[strings.ToLower(clientID)]
	var app application // a copy: edits go on
	if registration != nil {
		app = *registration
	}
	c.s.mu.Unlock()
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	p := c.tenant.principal(clientID)
	if registration == nil || p == nil {
		return nil, c.appNotFound(clientID)
	}
	var refusal *tokenError
	switch {
	case form.Get("client_assertion") != "":
		refusal = c.checkAssertion(&app, form)
	case form.Get("client_secret") != "":
		refusal = c.checkSecret(&app, form.Get("client_secret"))
	default:
		refusal = aadsts(7000216, "invalid_client", "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	}
	switch {
	case refusal != nil:
		return nil, refusal
	case p.removed:
		return nil, aadsts(7000229, "unauthorized_client", "The client application %s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119", clientID, c.tenant.id)
	case p.pending > 0:
		p.pending--
		return nil, c.appNotFound(clientID)
	}
	if enabled, _ := p.object.get(servicePrincipalSchema.find("accountEnabled")); app.disabled || enabled == "false" {
		return nil, aadsts(7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", clientID, app.Name)
	}
	return p, nil
}

func (c *call) appNotFound(clientID string) *tokenError {
	return aadsts(700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", clientID, c.tenant.name)
}

func (c *call) checkSecret(app *application, secret string) *tokenError {
	if app.Secret == "" || secret != app.Secret {
		return aadsts(7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", app.ClientID)
	}
	if !app.SecretExpires.IsZero() && !c.now().Before(app.SecretExpires) {
		return aadsts(7000222, "invalid_client", "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", app.ClientID)
	}
	return nil
}

// issue answers with an access token.
func (c *call) issue(p *servicePrincipal, resource string) *Answer {
	lifetime := int(c.s.opts.TokenLifetime.Seconds())
	a := jsonAnswer(http.StatusOK, map[string]any{
		"token_type":     "Bearer",
		"expires_in":     lifetime,
		"ext_expires_in": lifetime,
		"access_token":   c.accessToken(p, resource),
	})
	a.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}

// accessToken signs a token with the permissions granted at this moment.
func (c *call) accessToken(p *servicePrincipal, resource string) string {
	c.tenant.mu.Lock()
	roles := slices.Clone(p.granted)
	object := p.object.id.String()
	c.tenant.mu.Unlock()
	now := c.now()
	claims := jwt.MapClaims{
		"aud":             resource,
		"iss":             "https://sts.windows.net/" + c.tenant.id.String() + "/",
		"iat":             now.Unix(),
		"nbf":             now.Unix(),
		"exp":             now.Add(c.s.opts.TokenLifetime).Unix(),
		"app_displayname": p.name,
		"appid":           p.clientID,
		"idtyp":           "app",
		"oid":             object,
		"sub":             object,
		"tid":             c.tenant.id.String(),
		"uti":             c.id,
		"ver":             "1.0",
	}
	if len(roles) > 0 {
		claims["roles"] = roles
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = c.s.keyID()
	signed, err := token.SignedString(c.s.key)
	if err != nil {
		panic("graphtest: sign token: " + err.Error())
	}
	return signed
}

func (s *Server) keyID() string {
	sum := sha256.Sum256(s.ca.cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:20])
}
