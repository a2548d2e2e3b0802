package graphtest_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/url"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"entrasync/graphsync/graphtest"
)

// rsaKey reads a JSON Web Key.
func rsaKey(t *testing.T, key object) *rsa.PublicKey {
	t.Helper()
	number := func(name string) *big.Int {
		raw, err := base64.RawURLEncoding.DecodeString(key[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(raw)
	}
	return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
}

// Microsoft's own library signs in, at a tenant and at organizations, by secret and certificate.
func TestMSALRedeemsCodes(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	b.browse(t)
	key, cert := certificate(t)
	app, _ := b.tenant.App(graphtest.AppSpec{Name: "by MSAL", Secret: "secret", Certificates: []*x509.Certificate{cert}, RedirectURIs: []string{callback}})
	bySecret, err := confidential.NewCredFromSecret(app.Secret)
	if err != nil {
		t.Fatal(err)
	}
	byCertificate, err := confidential.NewCredFromCert([]*x509.Certificate{cert}, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		authority  string
		credential confidential.Credential
	}{
		"secret, tenant":             {b.tenant.ID().String(), bySecret},
		"secret, organizations":      {"organizations", bySecret},
		"certificate, tenant":        {b.tenant.ID().String(), byCertificate},
		"certificate, organizations": {"organizations", byCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := confidential.New(b.base+"/"+c.authority, app.ClientID, c.credential, confidential.WithHTTPClient(b.http), confidential.WithInstanceDiscovery(false))
			if err != nil {
				t.Fatal(err)
			}
			scopes := []string{"openid", "profile"}
			link, err := client.AuthCodeURL(t.Context(), app.ClientID, callback, scopes)
			if err != nil {
				t.Fatal(err)
			}
			// MSAL for Go leaves these to its callers.
			link += "&" + url.Values{"state": {"s"}, "nonce": {"n"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}.Encode()
			code := b.code(t, strings.TrimPrefix(link, b.base), decide(b.tenant, "cloudapp", "accept"))
			got, err := client.AcquireTokenByAuthCode(t.Context(), code, callback, scopes, confidential.WithChallenge(verifier))
			if err != nil {
				t.Fatal(err)
			}
			tenant := b.tenant.ID().String()
			if got.IDToken.TenantID != tenant || got.IDToken.Name != "Cloud Application Administrator" || got.IDToken.Audience != app.ClientID || got.IDToken.Issuer != b.base+"/"+tenant+"/v2.0" {
				t.Errorf("ID token: %+v", got.IDToken)
			}
			diff(t, got.IDToken.Oid+"."+tenant, got.Account.HomeAccountID)
			diff(t, "cloudapp@contoso.onmicrosoft.com", got.Account.PreferredUsername)
		})
	}
}
