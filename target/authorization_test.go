package target_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
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

	"entrasync/target"
)

func TestBearerIsReadForEachRequest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	tr := transport(t, target.TransportConfig{
		Version: "1.2.3",
		Auth: target.Auth{Bearer: func() (string, error) {
			text, err := os.ReadFile(file)
			return string(text), err
		}},
		Base: inProcess{func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Header.Get("Authorization"))
			if r.Header.Get("User-Agent") != "entrasync/1.2.3" {
				t.Errorf("agent %q", r.Header.Get("User-Agent"))
			}
			if r.Header.Get("Authorization") == "Bearer first-token" {
				write("second-token") // rotated while in flight
				w.WriteHeader(401)
			}
		}},
	})
	write("first-token\n")
	response, err := tr.RoundTrip(request(t, "POST", "http://x/", "{}"))
	if err != nil || response.StatusCode != 200 || fmt.Sprint(seen) != "[Bearer first-token Bearer second-token]" {
		t.Errorf("%v %v", seen, err)
	}
	for text, want := range map[string]string{"": "the bearer token is empty", "a\nb": "control character"} {
		write(text)
		if _, err := tr.RoundTrip(request(t, "GET", "http://x/", "")); target.CodeOf(err) != target.Unauthorized || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
	os.Remove(file)
	if _, err := tr.RoundTrip(request(t, "GET", "http://x/", "")); target.CodeOf(err) != target.Unauthorized || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A tokenServer is an OAuth2 token endpoint and an API that takes its tokens.
type tokenServer struct {
	issued, calls atomic.Int64
	lifetime      int
	refusals      atomic.Int64 // of good tokens still to come
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/token" {
		s.calls.Add(1)
		if s.refusals.Add(-1) >= 0 || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", s.issued.Load()) {
			w.WriteHeader(401)
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if id, password, _ := r.BasicAuth(); id != "client" || password != "s3cret-value" || r.FormValue("scope") != "scim" {
		w.WriteHeader(401)
		io.WriteString(w, `{"error":"invalid_client","error_description":"s3cret-wrong is not \u0007the secret"}`)
		return
	}
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, s.issued.Add(1), s.lifetime)
}

func (s *tokenServer) transport(t *testing.T, clientSecret string) *target.Transport {
	return transport(t, target.TransportConfig{Base: inProcess{s.ServeHTTP}, Auth: target.Auth{OAuth2: &target.OAuth2{
		TokenURL: "http://x/token", ClientID: "client", ClientSecret: secret(clientSecret), Scopes: []string{"scim"},
	}}})
}

// RFC 6749, section 5.1, has expires_in as a number; some send it as a fraction, or as text.
func TestOAuth2LifetimeInOtherForms(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []string{`3600.0`, `3599.99`, `"3600"`, `"3600.5"`, `3.6e3`, `1e12`} {
		synctest.Test(t, func(t *testing.T) {
			issued := 0
			tr := transport(t, target.TransportConfig{
				Base: inProcess{func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" {
						issued++
						w.Header().Set("Content-Type", "application/json")
						fmt.Fprintf(w, `{"access_token":"t","token_type":"bearer","expires_in":%s}`, lifetime)
					} else if r.Header.Get("Authorization") != "Bearer t" {
						w.WriteHeader(401)
					}
				}},
				Auth: target.Auth{OAuth2: &target.OAuth2{TokenURL: "http://x/token", ClientID: "client", ClientSecret: secret("s3cret-value")}},
			})
			for range 2 {
				response, err := tr.RoundTrip(request(t, "GET", "http://x/Users", ""))
				if err != nil || response.StatusCode != 200 {
					t.Fatalf("%s: %v %v", lifetime, response, err)
				}
				time.Sleep(30 * time.Minute)
			}
			if issued != 1 {
				t.Errorf("%s: %d tokens within an hour", lifetime, issued)
			}
		})
	}
}

func TestOAuth2TokenIsKeptRenewedAndReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &tokenServer{lifetime: 3600}
		tr := s.transport(t, "s3cret-value\n")
		call := func(tokens int64) {
			t.Helper()
			response, err := tr.RoundTrip(request(t, "POST", "http://x/Users", "{}"))
			if err != nil || response.StatusCode != 200 || s.issued.Load() != tokens {
				t.Fatalf("%v %v, %d tokens", response, err, s.issued.Load())
			}
		}
		call(1)
		call(1)
		time.Sleep(time.Hour - 30*time.Second) // half a minute before it expires
		call(2)
		s.refusals.Store(1)
		call(3)
		s.refusals.Store(2) // the renewed token too: it is not the token
		response, err := tr.RoundTrip(request(t, "GET", "http://x/Users", ""))
		if err != nil || response.StatusCode != 401 || s.issued.Load() != 4 {
			t.Errorf("%v %v, %d tokens", response, err, s.issued.Load())
		}
	})
}

func TestOAuth2Refused(t *testing.T) {
	t.Parallel()
	s := &tokenServer{}
	_, err := s.transport(t, "s3cret-wrong").RoundTrip(request(t, "GET", "http://x/", ""))
	if target.CodeOf(err) != target.Unauthorized || strings.Contains(fmt.Sprintf("%v %+v", err, errors.Unwrap(err)), "s3cret") {
		t.Fatal(err)
	}
	if want := "get token: the token endpoint refuses the client (401) (the target says: invalid_client: [hidden] is not the secret)"; err.Error() != want {
		t.Error(err)
	}
	if s.calls.Load() != 0 {
		t.Error("a request was sent without a token")
	}
}

func TestEchoedSecretsAreBlanked(t *testing.T) {
	t.Parallel()
	for _, auth := range []target.Auth{
		{Bearer: secret("planted-secret-1234")},
		{Basic: &target.Basic{Username: "u", Password: secret("planted-secret-1234")}},
	} {
		tr := transport(t, target.TransportConfig{Auth: auth, Base: inProcess{func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, "not allowed: "+r.Header.Get("Authorization")+" planted-secret-1234")
		}}})
		response, err := tr.RoundTrip(request(t, "GET", "http://x/", ""))
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(response.Body); strings.Contains(string(body), "planted") || strings.Contains(string(body), "cGxhbnRlZ") || strings.Count(string(body), "[hidden]") != 2 {
			t.Errorf("%s", body)
		}
	}
}

func TestNewTransportErrors(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]target.TransportConfig{
		"proxy: not a URL":             {Proxy: "http://user:hunter2@%zz"},
		"read ca_file: open":           {CAFile: empty + "x"},
		"no certificate in it":         {CAFile: empty},
		"read client certificate":      {CertFile: empty, KeyFile: empty},
		"more than one kind of author": {Auth: target.Auth{Bearer: secret("x"), Basic: &target.Basic{}}},
	} {
		_, err := target.NewTransport(cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := httptest.NewUnstartedServer(status(200))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	certFile, keyFile, pool := clientCertificate(t, dir)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	old := httptest.NewUnstartedServer(status(200))
	old.Config.ErrorLog = server.Config.ErrorLog
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	plain := httptest.NewServer(status(200))
	defer plain.Close()
	otherName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		name, url string
		cfg       target.TransportConfig
		code      target.Code
		want      string
	}{
		{"all right", server.URL, target.TransportConfig{CAFile: ca, CertFile: certFile, KeyFile: keyFile}, "", ""},
		{"authority unknown", server.URL, target.TransportConfig{}, target.Untrusted, "signed by an authority that is not trusted here"},
		{"no client certificate", server.URL, target.TransportConfig{CAFile: ca}, target.Untrusted, "refuses the TLS connection"},
		{"other name", otherName, target.TransportConfig{CAFile: ca, CertFile: certFile, KeyFile: keyFile}, target.Untrusted, `not for "localhost"`},
		{"TLS 1.1", old.URL, target.TransportConfig{CAFile: ca}, target.Untrusted, "refuses the TLS connection"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), target.TransportConfig{}, target.Untrusted, "does not speak TLS"},
		{"no such host", "http://does-not-exist.invalid", target.TransportConfig{}, target.Unavailable, `the host "does-not-exist.invalid" is not known`},
	} {
		tt.cfg.Retries = -1
		_, err := transport(t, tt.cfg).RoundTrip(request(t, "GET", tt.url, ""))
		if tt.code == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var e *target.Error
		if !errors.As(err, &e) || e.Code != tt.code || !strings.Contains(e.Message, tt.want) || e.Hint == "" {
			t.Errorf("%s: %#v", tt.name, err)
		}
	}
}

// clientCertificate makes a self-signed client certificate.
func clientCertificate(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "entrasync"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return certFile, keyFile, pool
}
