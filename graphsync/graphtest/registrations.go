package graphtest

import (
	"crypto"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
)

// An AppSpec describes an app registration. The zero value is a confidential client whose
// secret is "secret" and that asks for the permissions a sync needs.
type AppSpec struct {
	ClientID string // a GUID, default derived from the name
	Name     string
	// Home is the tenant the app is registered in, the only one whose Graph shows the
	// application object. Default the first tenant whose [Tenant.App] registers the app; as
	// long as there is none, a tenant that is not on this server.
	Home          graphsync.ID
	Secret        string
	SecretExpires time.Time // default two years from the server's now
	Certificates  []*x509.Certificate
	Federations   []Federation
	Permissions   []string // application permissions asked for; default DefaultPermissions
	RedirectURIs  []string // for admin consent and sign-in
	Roles         []AppRole
}

// A Federation lets the tokens of another issuer stand for the app (workload identity).
type Federation struct {
	Issuer  string
	Subject string
	Key     crypto.PublicKey
}

// An AppRole is a role the app declares. ID and Name default to something derived from Value.
type AppRole struct {
	ID       graphsync.ID
	Value    string
	Name     string
	Disabled bool
}

// DefaultPermissions are the application permissions a sync of users, groups and assignments
// needs.
func DefaultPermissions() []string {
	return []string{"User.Read.All", "GroupMember.Read.All", "Application.Read.All"}
}

// An application is a registration, known to all tenants of the server.
type application struct {
	AppSpec
	created  time.Time
	added    []clientSecret // besides the spec's
	disabled bool
}

type clientSecret struct {
	text string
	ends time.Time
}

// secrets are all that the app has, the spec's first.
func (a *application) secrets() []clientSecret {
	if a.Secret == "" {
		return a.added
	}
	return append([]clientSecret{{a.Secret, a.SecretExpires}}, a.added...)
}

func (a *application) home() graphsync.ID {
	if a.Home.IsZero() {
		return newID("a tenant elsewhere", a.ClientID)
	}
	return a.Home
}

// Register adds an app registration, or replaces the one of that client id, and returns it
// with its defaults filled in. A replaced one keeps its home, unless the spec names another, and
// the secrets of [Server.AddSecret].
func (s *Server) Register(spec AppSpec) AppSpec { return s.register(spec, graphsync.ID{}) }

// register is Register from within a tenant, which is the app's home if it has none yet.
func (s *Server) register(spec AppSpec, tenant graphsync.ID) AppSpec {
	s.mu.Lock()
	defer s.mu.Unlock()
	if spec.Name == "" {
		spec.Name = "entrasync"
	}
	if spec.ClientID == "" {
		spec.ClientID = newID("app", spec.Name).String()
	}
	if spec.Secret == "" && spec.Certificates == nil && spec.Federations == nil {
		spec.Secret = "secret"
	}
	if spec.Secret != "" {
		spec.SecretExpires = s.secretEnd(spec.SecretExpires)
	}
	if spec.Permissions == nil {
		spec.Permissions = DefaultPermissions()
	}
	spec.Roles = completeRoles(spec.ClientID, spec.Roles)
	key := mustID(spec.ClientID).String()
	app := s.apps[key]
	if app == nil {
		app = &application{created: s.opts.Now()}
		s.apps[key] = app
	}
	if spec.Home.IsZero() {
		spec.Home = app.Home
	}
	if spec.Home.IsZero() {
		spec.Home = tenant
	}
	app.AppSpec = spec
	return spec
}

func completeRoles(clientID string, roles []AppRole) []AppRole {
	roles = slices.Clone(roles)
	for i, r := range roles {
		if r.ID.IsZero() {
			roles[i].ID = newID("role", clientID, r.Value)
		}
		if r.Name == "" {
			roles[i].Name = r.Value
		}
	}
	return roles
}

// secretYears is how long a secret is good for when nothing is said: the most that the portal
// offers.
const secretYears = 2

func (s *Server) secretEnd(given time.Time) time.Time {
	if given.IsZero() {
		return s.opts.Now().AddDate(secretYears, 0, 0)
	}
	return given
}

// SetSecret replaces all secrets of an app by one, and says when it expires (zero: two years
// from the server's now).
func (s *Server) SetSecret(clientID, secret string, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.registered(clientID)
	app.Secret, app.SecretExpires, app.added = secret, s.secretEnd(expires), nil
}

// AddSecret gives an app one more secret, as one does before the last one expires; expires is
// as in [Server.SetSecret].
func (s *Server) AddSecret(clientID, secret string, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.registered(clientID)
	app.added = append(app.added, clientSecret{secret, s.secretEnd(expires)})
}

// DisableApp disables an app registration for everyone, or enables it again.
func (s *Server) DisableApp(clientID string, disabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered(clientID).disabled = disabled
}

func (s *Server) registered(clientID string) *application {
	app := s.apps[strings.ToLower(clientID)]
	if app == nil {
		panic("graphtest: no app is registered as " + clientID)
	}
	return app
}

// registration returns a copy of an app registration.
func (s *Server) registration(clientID string) application {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.registered(clientID)
}

// lookupApp is registration for a client id that a request names; without one it is nil.
func (s *Server) lookupApp(clientID string) *application {
	s.mu.Lock()
	defer s.mu.Unlock()
	if app := s.apps[strings.ToLower(clientID)]; app != nil {
		found := *app
		return &found
	}
	return nil
}
