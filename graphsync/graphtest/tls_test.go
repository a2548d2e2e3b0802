package graphtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"testing"

	"entrasync/graphsync/graphtest"
)

func TestServedOverTLSWithItsOwnAuthority(t *testing.T) {
	t.Parallel()
	s := graphtest.New(graphtest.Options{})
	s.AddTenant(graphtest.TenantSpec{})
	run, err := s.Start("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run.Serve(ctx) }()

	path, err := run.CAFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", path)
	}
	address := run.URL + "/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration"
	for name, pool := range map[string]*x509.CertPool{"trusting": trusted, "not trusting": x509.NewCertPool()} {
		h := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		resp, err := h.Get(address)
		if (err == nil) != (name == "trusting") {
			t.Errorf("a client %s the authority: %v", name, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		h.CloseIdleConnections()
	}
	if resp, err := http.Get("http" + address[len("https"):]); err == nil {
		resp.Body.Close()
		if resp.StatusCode == 200 {
			t.Error("plain http is answered")
		}
	}
	if _, err := graphtest.New(graphtest.Options{}).Start("nowhere"); err == nil {
		t.Error("an address without a port is accepted")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := run.Close(); err != nil {
		t.Errorf("Close after the end: %v", err)
	}
}
