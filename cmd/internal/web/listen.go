package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
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

// stopTime is how long requests may still take when the service stops.
const stopTime = 5 * time.Second

// Serve answers requests until ctx ends and then returns nil, after those under way. The
// listener is closed.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// The first look at the overview should not have to read hundreds of tenants.
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		s.rows(ctx)
	}()
	defer func() { <-warmed }()
	return serve(ctx, listener, s.Handler(), s.Log)
}

// Serve answers requests until ctx ends, as that of a [Server].
func (c *Consent) Serve(ctx context.Context, listener net.Listener) error {
	return serve(ctx, listener, c.Handler(), c.Log)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           busyWhileAnswering(handler),
		ConnContext:       withConnection,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       10 * time.Second, // there are places for so many only
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err := server.Shutdown(ending)
		if err != nil {
			err = server.Close()
		}
		stopped <- err
	})
	if err := server.Serve(limitConnections(listener)); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return <-stopped
}
