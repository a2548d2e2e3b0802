package msgraph_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"

	"github.com/golang-jwt/jwt/v5"
	"software.sslmate.com/src/go-pkcs12"
)

// certify makes a key and a certificate for it.
func certify(t *testing.T, until time.Time) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func asPEM(t *testing.T, key any, certs ...*x509.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, cert := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
}

func inFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	key, cert := certify(t, time.Now().Add(24*time.Hour))
	_, other := certify(t, time.Now().Add(24*time.Hour))
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{Certificates: []*x509.Certificate{cert}})
	modern, err := pkcs12.Modern.Encode(key, cert, []*x509.Certificate{other}, planted)
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.Legacy.Encode(key, cert, nil, planted)
	if err != nil {
		t.Fatal(err)
	}
	password := func() (string, error) { return planted, nil }
	for name, certificate := range map[string]*msgraph.Certificate{
		"PEM":              {File: inFile(t, "app.pem", asPEM(t, key, cert))},
		"PEM, chain first": {File: inFile(t, "chain.pem", asPEM(t, key, other, cert))},
		"PFX":              {File: inFile(t, "app.pfx", modern), Password: password},
		"PFX, old ciphers": {File: inFile(t, "old.pfx", legacy), Password: password},
	} {
		s := w.open(t, func(c *msgraph.Config) {
			c.Credential = msgraph.Credential{ClientID: w.app.ClientID, Certificate: certificate}
		})
		if got, err := s.CredentialEnds(t.Context()); err != nil || !got.Equal(cert.NotAfter) {
			t.Errorf("%s: ends %s, %v; want %s", name, got, err, cert.NotAfter)
		}
		if _, err := s.Organization(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A certificate the app registration does not have.
	strangerKey, stranger := certify(t, time.Now().Add(time.Hour))
	s := w.open(t, func(c *msgraph.Config) {
		c.Credential = msgraph.Credential{ClientID: w.app.ClientID, Certificate: &msgraph.Certificate{File: inFile(t, "x.pem", asPEM(t, strangerKey, stranger))}}
	})
	_, err = s.Organization(t.Context())
	if e := explained(t, err, graphsync.CredentialInvalid); e.Code != "AADSTS700027" {
		t.Error(err)
	}
}

func TestCertificateFaults(t *testing.T) {
	t.Parallel()
	key, cert := certify(t, time.Now().Add(24*time.Hour))
	_, other := certify(t, time.Now().Add(24*time.Hour))
	pfx, err := pkcs12.Modern.Encode(key, cert, nil, planted)
	if err != nil {
		t.Fatal(err)
	}
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]*msgraph.Certificate{
		"no such file":                    {File: filepath.Join(t.TempDir(), "none.pem")},
		"password is wrong":               {File: inFile(t, "a.pfx", pfx), Password: func() (string, error) { return "wrong", nil }},
		"not RSA":                         {File: inFile(t, "ec.pem", asPEM(t, elliptic, cert))},
		"belongs to its private key":      {File: inFile(t, "b.pem", asPEM(t, key, other))},
		"read certificate":                {File: inFile(t, "c.pem", []byte("junk"))},
		"is encrypted":                    {File: inFile(t, "d.pem", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))},
		"read certificate password: gone": {File: inFile(t, "e.pfx", pfx), Password: func() (string, error) { return "", errors.New("gone") }},
	} {
		d := &double{}
		cloud, _ := graphsync.CustomCloud(origin, origin)
		_, err := msgraph.Open(msgraph.Config{Tenant: tenantID, Cloud: cloud, HTTP: d, Credential: msgraph.Credential{ClientID: "x", Certificate: c}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), planted) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	expiredKey, expired := certify(t, ago(time.Hour))
	s := (&double{}).open(t, func(c *msgraph.Config) {
		c.Credential = msgraph.Credential{ClientID: "x", Certificate: &msgraph.Certificate{File: inFile(t, "old.pem", asPEM(t, expiredKey, expired))}}
	})
	_, err = s.Organization(t.Context())
	explained(t, err, graphsync.CredentialExpired)
}

func TestOpenChecks(t *testing.T) {
	t.Parallel()
	secret := func() (string, error) { return planted, nil }
	good := msgraph.Config{Tenant: tenantID, Cloud: graphsync.Public, Credential: msgraph.Credential{ClientID: "x", Secret: secret}}
	if _, err := msgraph.Open(good); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*msgraph.Config){
		"tenant id is missing": func(c *msgraph.Config) { c.Tenant = graphsync.ID{} },
		"cloud":                func(c *msgraph.Config) { c.Cloud = graphsync.Cloud{} },
		"0 credentials":        func(c *msgraph.Config) { c.Credential.Secret = nil },
		"2 credentials":        func(c *msgraph.Config) { c.Credential.ManagedIdentity = &msgraph.ManagedIdentity{} },
		"client id is missing": func(c *msgraph.Config) { c.Credential.ClientID = "" },
	} {
		cfg := good
		edit(&cfg)
		if _, err := msgraph.Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestSecretIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	secret := atomic.Pointer[string]{}
	wrong := "wrong-" + planted
	secret.Store(&wrong)
	s := w.open(t, func(c *msgraph.Config) { c.Credential.Secret = func() (string, error) { return *secret.Load(), nil } })
	_, err := s.Organization(t.Context())
	if e := explained(t, err, graphsync.CredentialInvalid); e.Code != "AADSTS7000215" || e.RequestID == "" {
		t.Errorf("%+v", e)
	}
	right := planted
	secret.Store(&right)
	if _, err := s.Organization(t.Context()); err != nil {
		t.Errorf("after the secret was corrected: %v", err)
	}
	w.server.SetSecret(w.app.ClientID, planted, ago(time.Hour))
	s.Refresh(t.Context())
	_, err = s.Organization(t.Context())
	explained(t, err, graphsync.CredentialExpired)
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	check := func(class graphsync.Class, edits ...func(*msgraph.Config)) {
		t.Helper()
		_, err := w.open(t, edits...).Organization(t.Context())
		if e := explained(t, err, class); e.Hint == "" {
			t.Errorf("no hint: %v", err)
		}
	}
	check(graphsync.TenantUnknown, func(c *msgraph.Config) { c.Tenant = mustID("99999999-9999-4999-8999-999999999999") })
	check(graphsync.ConsentMissing, func(c *msgraph.Config) { c.Credential.ClientID = "99999999-9999-4999-8999-999999999999" })
	check(graphsync.CredentialInvalid, func(c *msgraph.Config) { c.Credential.Secret = func() (string, error) { return "", nil } })
	check(graphsync.CredentialInvalid, func(c *msgraph.Config) {
		c.Credential.Secret = func() (string, error) { return "", errors.New("vault is sealed") }
	})
	w.server.DisableApp(w.app.ClientID, true)
	check(graphsync.AppDisabled)
	w.server.DisableApp(w.app.ClientID, false)
	w.server.Fault(graphtest.TokenFailure(400, 53003, "access_denied", "Access has been blocked by Conditional Access policies.").On("/*/oauth2/v2.0/token"))
	check(graphsync.Policy)
	w.server.Reset()
	w.tenant.Grant(w.app.ClientID)
	check(graphsync.ConsentMissing)
	w.tenant.Grant(w.app.ClientID, "Group.Read.All")
	check(graphsync.PermissionMissing)
	w.tenant.RemoveApp(w.app.ClientID)
	check(graphsync.ConsentMissing)
}

// The token endpoint's passing problems are waited for, in the one retry loop.
func TestTokenEndpointIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		grant := func(w http.ResponseWriter, _ *http.Request) { writeToken(w, 1, nil) }
		d := &double{graph: answer(200, emptyRound), token: inTurn(
			answer(429, "", "Retry-After", "7"), answer(503, "<html>"), answer(400, `{"error":"server_error","error_codes":[90033],"error_description":"AADSTS90033: A transient error"}`),
			func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) }, grant)}
		before := time.Now()
		if _, err := readUsers(t, d.open(t)); err != nil {
			t.Fatal(err)
		}
		if d.issued() != 5 || time.Since(before) < 7*time.Second {
			t.Errorf("%d token requests in %s", d.issued(), time.Since(before))
		}
	})
}

// A proxy that echoes requests, or answers with a token, must not make either show.
func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":"strange","error_description":"you sent %s eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln"}`, body)
	}
	for name, d := range map[string]*double{
		"echo":         {token: echo},
		"half a token": {token: answer(200, `{"access_token":"eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln"`)},
		"html":         {token: answer(403, "<html>"+planted)},
		"graph echoes": {graph: func(w http.ResponseWriter, r *http.Request) {
			answer(400, graphError("Bad", r.Header.Get("Authorization")))(w, r)
		}},
		"graph echoes on": {graph: func(w http.ResponseWriter, r *http.Request) {
			answer(403, graphError(r.Header.Get("Authorization"), "x"))(w, r)
		}},
	} {
		_, err := readUsers(t, d.open(t))
		var e *graphsync.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for err := error(e); err != nil; err = errors.Unwrap(err) {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, planted) || strings.Contains(text, "eyJ") {
				t.Errorf("%s: a secret shows in %s", name, text)
			}
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	elsewhere := func(url string) func(*msgraph.Config) {
		return func(c *msgraph.Config) {
			c.Cloud, _ = graphsync.CustomCloud(strings.Replace(url, "http://", "https://", 1), w.cloud.Graph)
		}
	}
	for want, edit := range map[string]func(*msgraph.Config){
		"is not trusted":      func(c *msgraph.Config) { c.HTTP = nil },
		"refuses connections": elsewhere(closed.URL),
		"does not speak TLS":  elsewhere(plain.URL),
		"cannot be resolved":  elsewhere("https://no-such-host.invalid"),
		"is for another name": func(c *msgraph.Config) { c.HTTP.(*http.Transport).TLSClientConfig.ServerName = "other.test" },
	} {
		before := time.Now()
		_, err := w.open(t, edit).Organization(t.Context())
		e := explained(t, err, graphsync.Unreachable)
		if !strings.Contains(e.Message, want) || e.Hint == "" {
			t.Errorf("%q, hint %q; want %q", e.Message, e.Hint, want)
		}
		if time.Since(before) > 20*time.Second {
			t.Errorf("%s took %s", want, time.Since(before))
		}
	}
}

func TestWorkloadIdentity(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{Federations: []graphtest.Federation{{Issuer: "https://cluster.test", Subject: "system:serviceaccount:sync:entrasync", Key: key.Public()}}})
	sign := func(subject string) []byte {
		token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{Issuer: "https://cluster.test", Subject: subject,
			Audience: jwt.ClaimStrings{"api://AzureADTokenExchange"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(token)
	}
	with := func(file string) *msgraph.Source {
		return w.open(t, func(c *msgraph.Config) {
			c.Credential = msgraph.Credential{ClientID: w.app.ClientID, WorkloadIdentity: &msgraph.WorkloadIdentity{TokenFile: file}}
		})
	}
	if _, err := with(inFile(t, "token", sign("system:serviceaccount:sync:entrasync"))).Organization(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = with(inFile(t, "token", sign("another issuer"))).Organization(t.Context())
	explained(t, err, graphsync.Configuration)
	_, err = with(filepath.Join(t.TempDir(), "none")).Organization(t.Context())
	if e := explained(t, err, graphsync.CredentialInvalid); !strings.Contains(e.Message, "none") {
		t.Error(err)
	}
}

// App Service's endpoint, the one managed identity endpoint that an address can be given for.
func TestManagedIdentity(t *testing.T) {
	d := &double{graph: answer(200, `{"value":[{"id":"`+tenantID.String()+`","displayName":"Contoso"}]}`)}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Header.Get("X-IDENTITY-HEADER") != planted || q.Get("client_id") != "6a1e0000-0000-0000-0000-00000000000f" || q.Get("resource") != origin {
			w.WriteHeader(400)
			return
		}
		claims := base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"` + tenantID.String() + `"}`))
		fmt.Fprintf(w, `{"access_token":"eyJ0.%s.c2ln","expires_on":"%d","resource":%q,"token_type":"Bearer"}`, claims, time.Now().Add(time.Hour).Unix(), origin)
	}))
	t.Cleanup(endpoint.Close)
	t.Setenv("IDENTITY_ENDPOINT", endpoint.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", planted)
	managed := func(c *msgraph.Config) {
		c.Credential = msgraph.Credential{ManagedIdentity: &msgraph.ManagedIdentity{ClientID: "6a1e0000-0000-0000-0000-00000000000f"}}
		c.HTTP = split{endpoint.Listener.Addr().String(), d}
	}
	if org, err := d.open(t, managed).Organization(t.Context()); err != nil || org.ID != tenantID {
		t.Errorf("%+v, %v", org, err)
	}
	// A machine's own identity has a token of its own tenant, whichever is asked for.
	_, err := d.open(t, func(c *msgraph.Config) { managed(c); c.Tenant = graphsync.ID{1} }).Organization(t.Context())
	explained(t, err, graphsync.TenantUnknown)
}

// split sends requests for a host over the network, the others to the double.
type split struct {
	host   string
	double *double
}

func (s split) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == s.host {
		return http.DefaultTransport.RoundTrip(r)
	}
	return s.double.RoundTrip(r)
}

// Waiting for another call's token ends with the context.
func TestWaitForTokenIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &double{graph: answer(200, emptyRound), token: func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(r.Context().Err())
		}}
		s := d.open(t)
		go s.Permissions(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := time.Now()
		if _, err := s.DeltaPage(ctx, graphsync.Users, nil, ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != time.Second {
			t.Errorf("after %s: %v", time.Since(before), err)
		}
	})
}
