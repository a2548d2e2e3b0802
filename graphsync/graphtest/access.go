package graphtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// authorize checks the bearer token of a request to Graph.
func (c *call) authorize() *graphError {
	header := c.r.Header.Get("Authorization")
	scheme, raw, _ := strings.Cut(header, " ")
	if header == "" || !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return unauthorized("InvalidAuthenticationToken", "Access token is empty.")
	}
	var claims struct {
		jwt.RegisteredClaims
		Tenant string   `json:"tid"`
		App    string   `json:"appid"`
		Roles  []string `json:"roles"`
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation())
	token, err := parser.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return c.s.key.Public(), nil })
	if token == nil || len(strings.Split(raw, ".")) != 3 {
		return unauthorized("InvalidAuthenticationToken", "IDX14100: JWT is not well formed, there are no dots (.).")
	}
	if err != nil {
		return unauthorized("InvalidAuthenticationToken", "Access token validation failure. Invalid signature.")
	}
	if now := c.now(); claims.ExpiresAt == nil || !now.Before(claims.ExpiresAt.Time) || now.Add(5*time.Minute).Before(claims.NotBefore.Time) {
		return unauthorized("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
	}
	if !slices.Contains(claims.Audience, c.base) && !slices.Contains(claims.Audience, publicGraph) {
		return unauthorized("InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
	}
	c.tenant = c.s.Tenant(claims.Tenant)
	if c.tenant == nil {
		return unauthorized("InvalidAuthenticationToken", "Access token validation failure. Invalid tenant.")
	}
	c.tenant.mu.Lock()
	p := c.tenant.dir.principal(claims.App)
	known := p != nil && !p.removed
	c.tenant.mu.Unlock()
	if !known {
		return unauthorized("Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
	}
	c.roles, c.app = claims.Roles, claims.App
	return nil
}

func unauthorized(code, message string) *graphError {
	e := refuse(http.StatusUnauthorized, code, "%s", message)
	e.header = http.Header{"Www-Authenticate": {fmt.Sprintf(`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="%s"`, graphAppID)}}
	return e
}

// graphAppID is Microsoft Graph's own application id, the same in all tenants.
const graphAppID = "00000003-0000-0000-c000-000000000000"

// claim reads a claim of a bearer token without checking it.
func claim(authorization, name string) string {
	_, raw, _ := strings.Cut(authorization, " ")
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(raw, claims); err != nil {
		return ""
	}
	value, _ := claims[name].(string)
	return value
}
