package graphtest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// codeLifetime is how long an authorization code can be redeemed: "Typically, they expire after
// about 10 minutes".
const codeLifetime = 10 * time.Minute

// A grant is what an authorization code stands for.
type grant struct {
	who       identity
	clientID  string
	authority string // organizations, or the id of the tenant
	redirect  string
	scope     string
	nonce     string
	challenge string // "" without PKCE
	ends      time.Time
	redeemed  bool
}

// codes are the authorization codes that can be redeemed.
type codes struct {
	now func() time.Time

	mu     sync.Mutex // guards grants
	grants map[string]*grant
}

// add keeps a grant until it ends, redeemed or not, and returns its code.
func (c *codes) add(g grant) string {
	code := rand.Text() + rand.Text()
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.grants, func(_ string, g *grant) bool { return !now.Before(g.ends) })
	c.grants[code] = &g
	return code
}

// grant returns a copy of what a code stands for, which is nothing once its time is over.
func (c *codes) grant(code string) (grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.grants[code]; g != nil && c.now().Before(g.ends) {
		return *g, true
	}
	return grant{}, false
}

// spend marks a code as redeemed, and reports whether it was not before.
func (c *codes) spend(code string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.grants[code]
	if g == nil || g.redeemed {
		return false
	}
	g.redeemed = true
	return true
}

// verifies reports whether a code_verifier is the one of the sign-in (RFC 7636, 4.6).
func (g grant) verifies(verifier string) bool {
	if g.challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == g.challenge
}

// redeem gives an app the tokens of a person's sign-in for an authorization code. There is no
// refresh token, and the access token opens nothing in Graph.
func (te tokenEndpoint) redeem(tenant string, form url.Values) (*Response, *tokenError) {
	for _, required := range []string{"code", "redirect_uri"} {
		if form.Get(required) == "" {
			return nil, missing(required)
		}
	}
	authority := tenant
	if tenant != "organizations" {
		if te.call.tenant = te.call.s.Tenant(tenant); te.call.tenant == nil {
			return nil, tenantNotFound(tenant)
		}
		authority = te.call.tenant.ID().String()
	}
	g, known := te.call.s.codes.grant(form.Get("code"))
	switch {
	case !known:
		return nil, aadsts(70008, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
	case g.authority != authority:
		return nil, aadsts(700005, "invalid_grant", "Provided Authorization Code is intended to use against other tenant, thus rejected. OAuth2 Authorization Code must be redeemed against same tenant it was acquired for (/common or /{tenant-ID} as appropriate).")
	}
	te.call.tenant = g.who.tenant
	p, refusal := te.client(form)
	if refusal != nil {
		return nil, refusal
	}
	scope, refusal := openIDScope(cmp.Or(form.Get("scope"), g.scope))
	switch {
	case refusal != nil:
		return nil, refusal
	case p.clientID != g.clientID:
		return nil, aadsts(70000, "invalid_grant", "Provided grant is invalid or malformed.")
	case form.Get("redirect_uri") != g.redirect:
		return nil, aadsts(500112, "invalid_client", "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code.", form.Get("redirect_uri"), g.redirect)
	case !g.verifies(form.Get("code_verifier")):
		return nil, aadsts(501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	case !te.call.s.codes.spend(form.Get("code")):
		return nil, aadsts(54005, "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	}
	lifetime := int(te.call.s.opts.TokenLifetime.Seconds())
	tokens := map[string]any{
		"token_type":     "Bearer",
		"scope":          scope,
		"expires_in":     lifetime,
		"ext_expires_in": lifetime,
		"access_token":   te.userToken(p, g.who, scope),
	}
	if scopes := strings.Fields(scope); slices.Contains(scopes, "openid") {
		tokens["id_token"] = te.idToken(g, slices.Contains(scopes, "profile"))
	}
	if form.Get("client_info") == "1" {
		tokens["client_info"] = base64.RawURLEncoding.EncodeToString(encodeJSON(map[string]any{
			"uid": g.who.objectID().String(), "utid": g.who.tenant.ID().String()}))
	}
	return jsonResponse(http.StatusOK, tokens), nil
}

// userToken is an access token for Graph on behalf of a person, without application permissions.
func (te tokenEndpoint) userToken(p *servicePrincipal, who identity, scope string) string {
	return signed(jwt.SigningMethodES256, te.call.s.key, te.lasting(jwt.MapClaims{
		"aud":             te.call.base,
		"iss":             "https://sts.windows.net/" + who.tenant.ID().String() + "/",
		"app_displayname": p.name,
		"appid":           p.clientID,
		"idtyp":           "user",
		"name":            who.Label,
		"oid":             who.objectID().String(),
		"scp":             scope,
		"sub":             pairwise(publicGraph, who),
		"tid":             who.tenant.ID().String(),
		"upn":             who.username(),
		"uti":             te.call.id,
		"ver":             "1.0",
	}))
}

// idToken tells the app who has signed in ("ID token claims reference").
func (te tokenEndpoint) idToken(g grant, profile bool) string {
	claims := te.lasting(jwt.MapClaims{
		"aud": g.clientID,
		"iss": te.call.base + "/" + g.who.tenant.ID().String() + "/v2.0",
		"sub": pairwise(g.clientID, g.who),
		"tid": g.who.tenant.ID().String(),
		"uti": te.call.id,
		"ver": "2.0",
	})
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if profile {
		claims["name"], claims["oid"], claims["preferred_username"] = g.who.Label, g.who.objectID().String(), g.who.username()
	}
	return signed(jwt.SigningMethodRS256, te.call.s.idKey(), claims)
}

// pairwise is a subject that no two applications share.
func pairwise(audience string, who identity) string {
	sum := sha256.Sum256([]byte(audience + who.objectID().String()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// lasting adds the times of a token that begins now.
func (te tokenEndpoint) lasting(claims jwt.MapClaims) jwt.MapClaims {
	now := te.call.now()
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Unix(), now.Add(te.call.s.opts.TokenLifetime).Unix()
	return claims
}
