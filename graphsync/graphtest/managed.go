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
func (te tokenEndpoint) managedIdentity(tenant string) *Response {
	if te.call.tenant = te.call.s.Tenant(tenant); te.call.tenant == nil {
		return te.deny(tenantNotFound(tenant))
	}
	query := te.call.r.URL.Query()
	if query.Get("api-version") != "2019-08-01" || query.Get("resource") == "" {
		return jsonResponse(http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "The parameters api-version=2019-08-01 and resource are required."})
	}
	resource, refusal := te.resource(strings.TrimSuffix(query.Get("resource"), "/") + "/.default")
	if refusal != nil {
		return te.deny(refusal)
	}
	te.call.tenant.mu.Lock()
	var p *servicePrincipal
	for _, candidate := range te.call.tenant.dir.principals {
		if id := query.Get("client_id"); !candidate.removed && (id == "" || strings.EqualFold(id, candidate.clientID)) {
			p = candidate
			break
		}
	}
	te.call.tenant.mu.Unlock()
	if p == nil {
		return jsonResponse(http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "No managed identity was found for the specified parameters."})
	}
	if app := te.call.s.registration(p.clientID); app.Secret == "" || te.call.r.Header.Get("X-IDENTITY-HEADER") != app.Secret {
		return jsonResponse(http.StatusUnauthorized, map[string]any{"statusCode": 401, "message": "The X-IDENTITY-HEADER header is missing or wrong."})
	}
	return jsonResponse(http.StatusOK, map[string]any{
		"access_token": te.accessToken(p, resource),
		"client_id":    p.clientID,
		"expires_on":   strconv.FormatInt(te.call.now().Add(te.call.s.opts.TokenLifetime).Unix(), 10),
		"resource":     resource,
		"token_type":   "Bearer",
	})
}
