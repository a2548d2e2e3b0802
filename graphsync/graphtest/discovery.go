package graphtest

import "net/http"

// openIDConfiguration is what a client library reads first to find the token endpoint.
func (te tokenEndpoint) openIDConfiguration(tenant string) *Response {
	issuer := "{tenantid}"
	switch tenant {
	case "common", "organizations", "consumers":
	default:
		te.call.tenant = te.call.s.Tenant(tenant)
		if te.call.tenant == nil {
			return te.deny(tenantNotFound(tenant))
		}
		issuer = te.call.tenant.ID().String()
	}
	base := te.call.base + "/" + tenant
	a := jsonResponse(http.StatusOK, map[string]any{
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"issuer":                                te.call.base + "/" + issuer + "/v2.0",
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"scopes_supported":                      append([]string{"offline_access"}, openIDScopes...),
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   "emulator",
		"msgraph_host":                          te.call.r.Host,
	})
	a.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}

// instanceDiscovery tells that this host is an authority of its own.
func (te tokenEndpoint) instanceDiscovery() *Response {
	return jsonResponse(http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": te.call.base + "/common/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": te.call.r.Host, "preferred_cache": te.call.r.Host, "aliases": []string{te.call.r.Host},
		}},
	})
}
