// Package webserver serves pages over HTTP as one process may offer them to people it does not know: with time limits, a
// bounded number of connections and requests of each network, and headers that take from a page whatever it does not
// need. The operator's page and the consent pages of customers both stand on it, and share nothing else.
package webserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// stopTime is how long requests may still take when the service stops.
const stopTime = 5 * time.Second

// Serve answers requests until ctx ends and then returns nil, after those under way. The listener is closed.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
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
