package target_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"entrasync/target"
)

// The transport tells when the certificate ends that the server showed, and nothing of one without TLS.
func TestEndOfTheServerCertificate(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	secure, plain := httptest.NewTLSServer(answer), httptest.NewServer(answer)
	defer secure.Close()
	defer plain.Close()
	for _, server := range []*httptest.Server{secure, plain} {
		transport, err := target.NewTransport(target.TransportConfig{Base: server.Client().Transport})
		if err != nil {
			t.Fatal(err)
		}
		if got := transport.Traffic().ServerEnds; !got.IsZero() {
			t.Errorf("before the first request: %v", got)
		}
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		got := transport.Traffic().ServerEnds
		if server == plain && !got.IsZero() || server == secure && !got.Equal(server.Certificate().NotAfter) {
			t.Errorf("%s: %v", server.URL, got)
		}
	}
}
