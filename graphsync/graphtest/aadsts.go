package graphtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
)

// A tokenError is a refusal of the token endpoint ("Microsoft Entra authentication and
// authorization error codes").
type tokenError struct {
	number  int
	name    string // OAuth 2.0 error
	message string
}

func aadsts(number int, name, format string, args ...any) *tokenError {
	return &tokenError{number, name, fmt.Sprintf(format, args...)}
}

func tenantNotFound(tenant string) *tokenError {
	return aadsts(90002, "invalid_request", "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", tenant)
}

// deny renders a tokenError.
func (c *call) deny(e *tokenError) *Answer {
	timestamp := c.now().UTC().Format("2006-01-02 15:04:05Z")
	correlation := c.clientRequestID()
	status := http.StatusBadRequest
	if e.name == "invalid_client" {
		status = http.StatusUnauthorized
	}
	a := jsonAnswer(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Timestamp   string `json:"timestamp"`
		Trace       string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
		URI         string `json:"error_uri"`
	}{
		e.name,
		fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", e.number, e.message, c.id, correlation, timestamp),
		[]int{e.number}, timestamp, c.id, correlation,
		c.base + "/error?code=" + strconv.Itoa(e.number),
	})
	a.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}

// openIDConfiguration is what a client library reads first to find the token endpoint.
func (c *call) openIDConfiguration(tenant string) *Answer {
	issuer := "{tenantid}"
	switch tenant {
	case "common", "organizations", "consumers":
	default:
		c.tenant = c.s.Tenant(tenant)
		if c.tenant == nil {
			return c.deny(tenantNotFound(tenant))
		}
		issuer = c.tenant.id.String()
	}
	base := c.base + "/" + tenant
	a := jsonAnswer(http.StatusOK, map[string]any{
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"issuer":                                c.base + "/" + issuer + "/v2.0",
		"response_types_supported":              []string{"code", "id_token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   "emulator",
		"msgraph_host":                          c.r.Host,
	})
	a.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}

// instanceDiscovery tells that this host is an authority of its own.
func (c *call) instanceDiscovery() *Answer {
	return jsonAnswer(http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": c.base + "/common/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": c.r.Host, "preferred_cache": c.r.Host, "aliases": []string{c.r.Host},
		}},
	})
}

// signingKeys is the public key that access tokens verify with.
func (c *call) signingKeys() *Answer {
	point, err := c.s.key.PublicKey.Bytes() // 4 || X || Y
	if err != nil {
		panic("graphtest: encode key: " + err.Error())
	}
	encode := base64.RawURLEncoding.EncodeToString
	return jsonAnswer(http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": c.s.keyID(),
		"x": encode(point[1:33]), "y": encode(point[33:65]),
	}}})
}
