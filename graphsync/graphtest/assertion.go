package graphtest

import (
	"crypto/sha1" // x5t is defined as SHA-1 (RFC 7515, 4.1.7)
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// checkAssertion checks a signed JWT in place of a secret: by the app's certificate
// ("Microsoft identity platform application authentication certificate credentials") or by
// a federated issuer ("workload identity federation").
func (te tokenEndpoint) checkAssertion(app *application, form url.Values) *tokenError {
	if form.Get("client_assertion_type") != assertionType {
		return aadsts(50027, "invalid_request", "JWT token is invalid or malformed: client_assertion_type must be '%s'.", assertionType)
	}
	raw := form.Get("client_assertion")
	var claims jwt.RegisteredClaims
	unverified, _, err := jwt.NewParser().ParseUnverified(raw, &claims)
	if err != nil {
		return aadsts(50027, "invalid_request", "JWT token is invalid or malformed.")
	}
	var key any
	var audiences []string
	at := slices.IndexFunc(app.Federations, func(f Federation) bool { return f.Issuer == claims.Issuer })
	switch {
	case at >= 0:
		federation := app.Federations[at]
		if federation.Subject != claims.Subject {
			return aadsts(700213, "invalid_client", "No matching federated identity record found for presented assertion subject '%s'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.", claims.Subject)
		}
		key, audiences = federation.Key, []string{"api://AzureADTokenExchange"}
	case strings.EqualFold(claims.Issuer, app.ClientID):
		certificate, refusal := signer(app, unverified.Header)
		if refusal != nil {
			return refusal
		}
		if claims.Subject != claims.Issuer {
			return aadsts(700021, "invalid_client", "Client assertion application identifier doesn't match 'client_id' parameter.")
		}
		key, audiences = certificate.PublicKey, te.audiences()
	case len(app.Federations) > 0:
		return aadsts(700211, "invalid_client", "No matching federated identity record found for presented assertion issuer '%s'.", claims.Issuer)
	default:
		return aadsts(700021, "invalid_client", "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	parser := jwt.NewParser(jwt.WithTimeFunc(te.call.s.opts.Now), jwt.WithExpirationRequired(),
		jwt.WithValidMethods([]string{"RS256", "PS256", "ES256"}))
	_, err = parser.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) || errors.Is(err, jwt.ErrTokenUnverifiable):
		return aadsts(700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was found, but use of the key to verify the signature failed.] Please visit the Azure Portal to add the key.")
	case err != nil:
		return aadsts(700024, "invalid_client", "Client assertion is not within its valid time range. Current time: %s.", te.call.now().UTC().Format("2006-01-02T15:04:05.0000000Z"))
	case !slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(audiences, a) }):
		return aadsts(700023, "invalid_client", "Client assertion audience claim does not match Realm issuer. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials.")
	}
	return nil
}

// audiences are the spellings of this tenant's token endpoint and issuer, and the endpoint that
// was asked, which may be organizations.
func (te tokenEndpoint) audiences() []string {
	out := []string{te.call.base + te.call.r.URL.Path}
	for _, tenant := range []string{te.call.tenant.ID().String(), te.call.tenant.Domain()} {
		out = append(out, te.call.base+"/"+tenant+"/oauth2/v2.0/token", te.call.base+"/"+tenant+"/v2.0")
	}
	return out
}

// signer finds the app's certificate that the header names by thumbprint or brings along.
func signer(app *application, header map[string]any) (*x509.Certificate, *tokenError) {
	named := func(key string) []byte {
		text, _ := header[key].(string)
		// RFC 7515 has base64url; MSAL for Go sends standard base64, which Entra accepts.
		text = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil
		}
		return raw
	}
	var brought string
	if chain, _ := header["x5c"].([]any); len(chain) > 0 {
		brought, _ = chain[0].(string)
	}
	short, long := named("x5t"), named("x5t#S256")
	for _, certificate := range app.Certificates {
		sum1, sum256 := sha1.Sum(certificate.Raw), sha256.Sum256(certificate.Raw)
		if slices.Equal(short, sum1[:]) || slices.Equal(long, sum256[:]) ||
			brought == base64.StdEncoding.EncodeToString(certificate.Raw) {
			return certificate, nil
		}
	}
	return nil, aadsts(700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.] Please visit the Azure Portal to add the key.")
}
