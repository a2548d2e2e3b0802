// Package web is what people, probes and Prometheus look at while the service runs: the status
// page, the answers to holds, health and metrics.
//
// It shows the state and nothing else: it never calls Graph or a target, and all it writes is
// the answer to a hold, and invitations. How the service is doing, which the state does not know, comes
// in through a [Service]. The pages for administrators of other tenants, whom the operator does not know, are a
// package of their own: consentweb.
//
// It promises that a page costs no more than it shows: what the overview needs of a sync is read
// once after its tenant's state has changed, lists are cut into pages, and no slow reader
// keeps a transaction open. Whatever a directory or an application sent appears as text.
// No page needs a script, and nothing is loaded from elsewhere.
package web

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// A Service is the running service as far as pages show it. All functions may be called
// concurrently.
type Service struct {
	Store         *state.Store
	Syncs         func() []Sync                                                            // as configured and scheduled now
	Tenants       func() ([]Tenant, error)                                                 // of the configuration and those that joined, by name
	Heartbeat     func() time.Time                                                         // when the scheduler last showed that it is alive
	BackupProblem func() string                                                            // why the state could not be backed up, "" when it could; may be nil
	Ends          func() []End                                                             // tokens and certificates of targets that end soon; may be nil
	Refused       func() string                                                            // why the configuration was not loaded at the last reload, "" when it was; may be nil
	Advice        func(code string) string                                                 // what to do about a code, "" when there is nothing to say; may be nil
	Metrics       http.Handler                                                             // what /metrics answers; may be nil
	Invite        func(state.Invitation) (link string, key state.InvitationKey, err error) // nil where tenants cannot join by consent; its error is ErrOpenLink where an invitation has to name its tenant
	Version       string
	Log           *slog.Logger
	Now           func() time.Time
}

// ErrOpenLink means that an invitation would be for any tenant where each must be for one.
var ErrOpenLink = errors.New("a link for any tenant is not allowed")

// A Sync is one sync of one tenant as the service has it now.
type Sync struct {
	*reconcile.Sync
	TenantName string
	Paused     bool      // no cycle is planned for it
	Next       time.Time // the next planned cycle; zero for none
	Elsewhere  bool      // other processes run its cycles: when is not known here
	Since      time.Time // start of the running cycle; zero when there is none
	Attempted  bool      // a cycle has ended, or could not begin, since the service started
	Problem    *Problem  // why the last cycle could not begin; nil when it could

	Freshness  time.Duration // objective: within which access is taken away; 0 for none
	AccessRead time.Time     // when the last removals cycle that ran to its end began; zero for none
}

// A Tenant is a directory, from the configuration or by consent.
type Tenant struct {
	Name           string
	ID             graphsync.ID
	Origin         string // file or consent
	State          string // active, paused, not_configured, or the class of the error that stopped it
	Message        string // what is wrong and what to do, or what soon will be
	Note           string // for whom its invitation was
	Since          time.Time
	CredentialEnds time.Time // zero when that is not known
	Notifications  []Notification
}

// A Notification is how the subscription to the change notifications of a stream stands.
type Notification struct {
	Stream, State, Message, Hint string
	Last                         time.Time // when one last came; zero for never
}

// A Problem is why a cycle could not begin, and so left no run in the state.
type Problem struct {
	At            time.Time
	Message, Hint string
}

// A Server answers requests. Its methods may be called concurrently.
type Server struct {
	Service
	credential *Credential
	wrong      webserver.Visitors // who brought wrong credentials
	forms      forms
	cross      *http.CrossOriginProtection
	pages      map[string]*template.Template

	statuses *statuses
}

// New returns a server. Without a credential it answers only requests that name this machine,
// see [Listen].
func New(service Service, access *Credential) *Server {
	if service.Tenants == nil {
		service.Tenants = func() ([]Tenant, error) { return nil, nil }
	}
	if service.Advice == nil {
		service.Advice = func(string) string { return "" }
	}
	s := &Server{
		Service: service, credential: access, wrong: webserver.Visitors{PerSecond: guessesPerSecond, AtOnce: guessesAtOnce}, forms: newForms(), cross: http.NewCrossOriginProtection(), pages: parsePages(),
	}
	s.statuses = newStatuses(&s.Service)
	return s
}

// Handler returns the pages, /healthz, /readyz and /metrics.
func (s *Server) Handler() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", s.page(s.overview))
	pages.HandleFunc("GET /syncs/{sync}/{tenant}", s.page(s.syncPage))
	pages.HandleFunc("GET /syncs/{sync}/{tenant}/runs/{run}", s.page(s.runPage))
	pages.HandleFunc("GET /holds", s.page(s.holds))
	pages.HandleFunc("GET /holds/{sync}/{tenant}/{hold}", s.page(s.holdPage))
	pages.HandleFunc("POST /holds/{sync}/{tenant}/{hold}", s.decideHold)
	pages.HandleFunc("GET /people", s.page(s.people))
	pages.HandleFunc("GET /tenants", s.page(s.tenants))
	if s.Invite != nil {
		pages.HandleFunc("POST /tenants", s.inviteTenant)
	}
	pages.HandleFunc("POST /invitations/{invitation}", s.withdraw)
	pages.HandleFunc("GET /assets/style.css", webserver.Style)
	pages.HandleFunc("GET /assets/icon.svg", icon)
	if s.Metrics != nil {
		pages.Handle("GET /metrics", s.Metrics)
	}
	pages.HandleFunc("GET /", s.page(func(*http.Request, page) (string, any, error) { return "", nil, errNotFound }))

	// Probes bring no credential and name any host; their responses name no user.
	outer := http.NewServeMux()
	outer.HandleFunc("GET /healthz", s.healthz)
	outer.HandleFunc("GET /readyz", s.readyz)
	outer.Handle("/", s.guard(pages))
	return webserver.Headers(outer)
}

// An End is something of a target that ends soon, and what to do about it.
type End struct{ Warning, Answer string }
