package web

import (
	"context"
	"errors"
	"fmt"
	"net"

	"entrasync/cmd/internal/webserver"
)

// ErrOpen means that other machines could see the pages without a credential.
var ErrOpen = errors.New("other machines could see the status page without a credential")

// Listen opens the address of the pages; port 0 takes any that is free. An address that other
// machines reach takes a credential, else it is [ErrOpen].
func Listen(address string, access *Credential) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if access == nil && !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("listen on %s: %w", address, ErrOpen)
	}
	listener, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// Serve answers requests until ctx ends and then returns nil, after those under way. The
// listener is closed.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// The first look at the overview should not have to read hundreds of tenants.
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		s.statuses.rows(ctx)
	}()
	defer func() { <-warmed }()
	return webserver.Serve(ctx, listener, s.Handler(), s.Log)
}
