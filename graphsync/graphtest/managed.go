package graphtest

import (
	"net/http"
	"strconv"
	"strings"
)

// managedIdentity is the endpoint a managed identity gets its token from in App Service
// ("How to use managed identities for App Service", REST endpoint reference): the address goes
// into IDENTITY_ENDPOINT and the app's secret, which stands for the machine, into
// IDENTITY_HEADER. Without client_id it is the tenant's first app.
func (c *call) managedIdentity(tenant string) *Answer {
	if c.tenant = c.s.Tenant(tenant); c.tenant == nil {
		return c.deny(tenantNotFound(tenant))
	}
	query := c.r.URL.Query()
	if query.Get("api-version") != "2019-08-01" || query.Get("resource") == "" {
		return jsonAnswer(http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "The parameters api-version=2019-08-01 and resource are required."})
	}
	resource, refusal := c.resource(strings.TrimSuffix(query.Get("resource"), "/") + "/.default")
	if refusal != nil {
		return c.deny(refusal)
	}
	c.tenant.mu.Lock()
	var p *servicePrincipal
	for _, candidate := range c.tenant.principals {
		if id := query.Get("client_id"); !candidate.removed && (id == "" || strings.EqualFold(id, candidate.clientID)) {
			p = candidate
			break
		}
	}
	c.tenant.mu.Unlock()
	if p == nil {
		return jsonAnswer(http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "No managed identity was found for the specified parameters."})
	}
	if app := c.s.registration(p.clientID); app.Secret == "" || c.r.Header.Get("X-IDENTITY-HEADER") != app.Secret {
		return jsonAnswer(http.StatusUnauthorized, map[string]any{"statusCode": 401, "message": "The X-IDENTITY-HEADER header is missing or wrong."})
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"access_token": c.accessToken(p, resource),
		"client_id":    p.clientID,
		"expires_on":   strconv.FormatInt(c.now().Add(c.s.opts.TokenLifetime).Unix(), 10),
		"resource":     resource,
		"token_type":   "Bearer",
	})
}
