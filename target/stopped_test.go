package target_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"entrasync/target"
)

// A write that ends because another request was refused may have been carried out: the refusal of the other says
// nothing of it.
func TestRefusalOfAnotherRequestSaysNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the end of the request
		cancel(&target.Error{Code: target.NotFound, Status: http.StatusNotFound, Message: "another account does not exist"})
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = transport(t, target.TransportConfig{}).RoundTrip(req)
	var e *target.Error
	if !errors.As(err, &e) || e.Code != target.Unavailable || !e.Indeterminate || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", err)
	}
}
