package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxClients is how many commands run at once.
	maxClients = 16
	// maxConnections is how many connections are open at once.
	maxConnections = 64
	// clientTimeout is how long a client may take to send a request, and may leave its socket unread.
	clientTimeout = 30 * time.Second
)

// A Service is what the API gives access to.
type Service struct {
	Version string
	Log     *slog.Logger
	// Run runs a command line and returns its exit code. It may be called concurrently. Its context ends with
	// the service's, and when the client asks for it or has gone.
	Run func(context.Context, *Command) int
}

// Serve answers clients until ctx ends, and returns when the last command has ended. It closes the listener
// and removes the socket.
func Serve(ctx context.Context, dir string, listener *net.UnixListener, service Service) error {
	defer os.Remove(filepath.Join(dir, socketName))
	s := &server{service: service, user: os.Geteuid(), slots: make(chan struct{}, maxClients), running: map[string]context.CancelFunc{}}
	httpServer := &http.Server{
		Handler:           s.admit(s.mux()),
		ConnContext:       withCaller,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       clientTimeout,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(service.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { ended <- httpServer.Shutdown(context.WithoutCancel(ctx)) })
	if err := httpServer.Serve(&serverListener{UnixListener: listener, most: maxConnections}); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("accept at the admin socket: %w", err)
	}
	return <-ended
}

// A server answers the requests of all clients.
type server struct {
	service Service
	user    int           // whose service it is
	slots   chan struct{} // one is taken by each running command

	mu      sync.Mutex // guards the rest
	made    int        // commands so far
	running map[string]context.CancelFunc
}

// A route is a method and a path of the API.
type route struct {
	method, path string
	handle       func(*server, http.ResponseWriter, *http.Request)
}

// routes are all of the API.
func routes() []route {
	list := []route{
		{http.MethodGet, "/v1/service", (*server).describe},
		{http.MethodPost, "/v1/commands", (*server).command},
		{http.MethodDelete, "/v1/commands/{command}", (*server).stopCommand},
	}
	for _, d := range documents {
		list = append(list, route{d.method, d.path, func(s *server, w http.ResponseWriter, r *http.Request) { s.document(w, r, d) }})
	}
	return list
}

// mux finds the route of a request.
func (s *server) mux() http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{} // by path
	for _, route := range routes() {
		mux.HandleFunc(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) { route.handle(s, w, r) })
		methods[route.path] = append(methods[route.path], route.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			fail(w, http.StatusMethodNotAllowed, fmt.Errorf("%s takes %s, not %s", path, strings.Join(allowed, " or "), r.Method))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("the API of entrasync %s has no %s", s.service.Version, r.URL.Path))
	})
	return mux
}

// admit lets in the user of the service and root.
func (s *server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, known := r.Context().Value(callerKey{}).(caller)
		if !known {
			from.err = errors.New("look who connects: the connection is not known")
		}
		if err := from.admitted(s.user); err != nil {
			s.service.Log.Warn("admin socket", "error", err)
			fail(w, http.StatusForbidden, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// describe answers GET /v1/service.
func (s *server) describe(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, struct {
		Format  string `json:"format"`
		Version string `json:"version"`
		PID     int    `json:"pid"`
	}{formatService, s.service.Version, os.Getpid()})
}

// take reserves a slot for a command, to be released afterwards.
func (s *server) take(w http.ResponseWriter) (release func(), ok bool) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, true
	default:
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, errors.New("the service is busy with other commands; try again"))
		return nil, false
	}
}

// A requestError is why a request is refused, with the status that says so.
type requestError struct {
	status int
	err    error
}

// Error says what is wrong with the request.
func (e *requestError) Error() string { return e.err.Error() }

func badRequest(format string, args ...any) error {
	return &requestError{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// refuse answers a request that cannot be carried out.
func (s *server) refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var tooLarge *http.MaxBytesError
	var known *requestError
	switch {
	case errors.As(err, &known):
		status = known.status
	case errors.As(err, &tooLarge):
		status, err = http.StatusRequestEntityTooLarge, fmt.Errorf("the request is larger than %d bytes", tooLarge.Limit)
	}
	s.service.Log.Warn("admin socket", "error", err)
	fail(w, status, err)
}

// fail answers with an error document.
func fail(w http.ResponseWriter, status int, err error) {
	reply(w, status, errorDocument{formatError, err.Error()})
}

// reply answers with one JSON document.
func reply(w http.ResponseWriter, status int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"format":"`+formatError+`","error":"the response cannot be encoded"}`)
	}
	send(w, status, "application/json", append(text, '\n'))
}

// send answers with a body, and gives the client clientTimeout to read it. A client that has gone is no error of ours.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(clientTimeout))
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
