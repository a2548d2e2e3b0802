package graphtest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A call is one request on its way through the server.
type call struct {
	s    *Server
	r    *http.Request
	base string // https://host the client used; links lead back there
	id   string

	graph  bool // under /v1.0, so answered in Graph's manner
	tenant *Tenant
	app    string   // client id in the token
	roles  []string // application permissions in the token
	args   []string // path parameters
	query  url.Values
	cost   int // resource units
}

// Requests are answered by what they are about. Each of these types answers one call.
type (
	// directoryReads reads users and groups.
	directoryReads struct{ call *call }
	// applicationReads reads service principals, their assignments, applications and the organization.
	applicationReads struct{ call *call }
	// tokenEndpoint gives out tokens, and describes the endpoints that do.
	tokenEndpoint struct{ call *call }
	// browserPages are the pages on which users sign in and administrators consent.
	browserPages struct{ call *call }
)

// A handler answers a request for Graph.
type handler func(*call) (*Response, *graphError)

func onDirectory(response func(directoryReads) (*Response, *graphError)) handler {
	return func(c *call) (*Response, *graphError) { return response(directoryReads{c}) }
}

func onApplications(response func(applicationReads) (*Response, *graphError)) handler {
	return func(c *call) (*Response, *graphError) { return response(applicationReads{c}) }
}

// A route is a documented path of Graph v1.0 with the application permissions of which one
// is required (permissions reference; graph-rest-1.0, "Permissions" of each page).
type route struct {
	method  string
	pattern string // {} stands for a key
	anyOf   []string
	cost    int
	handle  handler
}

var (
	readUsers   = []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readGroups  = []string{"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readMembers = []string{"GroupMember.Read.All", "Group.Read.All", "GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readApps    = []string{"Application.Read.All", "Application.ReadWrite.OwnedBy", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readGrants  = []string{"Directory.Read.All", "AppRoleAssignment.ReadWrite.All", "Directory.ReadWrite.All"}
	readAny     = slices.Concat(readUsers, readGroups, readApps)
	readHidden  = []string{"Member.Read.Hidden"}
	readDates   = []string{"User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"}
	readTenant  = slices.Concat(readUsers, []string{"Organization.Read.All", "Organization.ReadWrite.All"})
)

func routes() []route {
	return []route{
		{"GET", "users/delta", readUsers, 1, onDirectory(directoryReads.usersDelta)},
		{"GET", "groups/delta", readGroups, 1, onDirectory(directoryReads.groupsDelta)},
		{"GET", "users", readUsers, 2, onDirectory(directoryReads.listUsers)},
		{"GET", "users/$count", readUsers, 2, onDirectory(directoryReads.countUsers)},
		{"GET", "users/{}", readUsers, 1, onDirectory(directoryReads.getUser)},
		{"GET", "users/{}/manager", readUsers, 1, onDirectory(directoryReads.getManager)},
		{"GET", "users/{}/appRoleAssignments", readGrants, 2, onApplications(applicationReads.listAppRoleAssignments)},
		{"GET", "groups", readGroups, 1, onDirectory(directoryReads.listGroups)},
		{"GET", "groups/{}", readGroups, 1, onDirectory(directoryReads.getGroup)},
		{"GET", "groups/{}/members", readMembers, 3, onDirectory(directoryReads.listMembers)},
		{"GET", "servicePrincipals", readApps, 1, onApplications(applicationReads.listServicePrincipals)},
		{"GET", "servicePrincipals/delta", readApps, 1, (*call).notEmulated},
		{"GET", "directoryObjects/delta", readAny, 1, (*call).notEmulated},
		{"POST", "$batch", readAny, 1, (*call).notEmulated},
		{"GET", "servicePrincipals/{}", readApps, 1, onApplications(applicationReads.getServicePrincipal)},
		{"GET", "servicePrincipals/{}/appRoleAssignedTo", readApps, 1, onApplications(applicationReads.listAppRoleAssignedTo)},
		{"GET", "servicePrincipals/{}/appRoleAssignedTo/{}", readApps, 1, onApplications(applicationReads.getAppRoleAssignedTo)},
		{"GET", "applications", readApps, 1, (*call).notEmulated},
		{"GET", "applications/delta", readApps, 1, (*call).notEmulated},
		{"GET", "applications/{}", readApps, 1, onApplications(applicationReads.getApplication)},
		{"GET", "directory/deletedItems/microsoft.graph.user", readUsers, 1, onDirectory(directoryReads.listDeletedUsers)},
		{"GET", "directory/deletedItems/microsoft.graph.group", readMembers, 1, onDirectory(directoryReads.listDeletedGroups)},
		{"GET", "directory/deletedItems/{}", readAny, 1, onDirectory(directoryReads.getDeletedItem)},
		{"POST", "directoryObjects/getByIds", readAny, 5, onDirectory(directoryReads.getByIDs)},
		{"POST", "subscriptions", watchAny, 1, onSubscriptions(subscriptions.create)},
		{"GET", "subscriptions", watchAny, 1, onSubscriptions(subscriptions.list)},
		{"GET", "subscriptions/{}", watchAny, 1, onSubscriptions(subscriptions.get)},
		{"PATCH", "subscriptions/{}", watchAny, 1, onSubscriptions(subscriptions.renew)},
		{"DELETE", "subscriptions/{}", watchAny, 1, onSubscriptions(subscriptions.delete)},
		{"POST", "subscriptions/{}/reauthorize", watchAny, 1, onSubscriptions(subscriptions.authorizeAgain)},
		{"GET", "organization", readTenant, 1, onApplications(applicationReads.listOrganization)},
		{"GET", "organization/{}", readTenant, 1, onApplications(applicationReads.getOrganization)},
	}
}

// route finds what a request asks for and answers it.
func (c *call) route() *Response {
	path := c.r.URL.EscapedPath()
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case first == "v1.0":
		c.graph = true
		a, err := c.routeGraph(rest)
		if err != nil {
			return c.fail(err)
		}
		return a
	case path == "/" || path == "/favicon.ico":
		return c.notHere()
	case rest == "oauth2/v2.0/authorize":
		return browserPages{c}.signIn(unescape(first))
	case rest == "oauth2/v2.0/token":
		return tokenEndpoint{c}.token(unescape(first))
	case rest == "v2.0/.well-known/openid-configuration":
		return tokenEndpoint{c}.openIDConfiguration(unescape(first))
	case rest == "discovery/v2.0/keys":
		return tokenEndpoint{c}.signingKeys()
	case rest == "discovery/instance" && first == "common":
		return tokenEndpoint{c}.instanceDiscovery()
	case rest == "msi/token":
		return tokenEndpoint{c}.managedIdentity(unescape(first))
	case rest == "v2.0/adminconsent":
		return browserPages{c}.adminConsent(unescape(first))
	case first == "beta":
		c.graph = true
		_, err := c.notEmulated()
		return c.fail(err)
	case strings.HasPrefix(rest, "users") || strings.HasPrefix(rest, "groups"):
		c.graph = true
		return c.fail(badRequest("Invalid version: %s", first))
	}
	return c.notHere()
}

func (c *call) notHere() *Response {
	return &Response{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		Body: []byte("This is a Microsoft Graph emulator. There is nothing at this address.\n")}
}

func (c *call) routeGraph(path string) (*Response, *graphError) {
	if err := c.authorize(); err != nil {
		return nil, err
	}
	given := segments(path)
	known := false
	for _, route := range routes() {
		args, ok := route.match(given)
		if !ok {
			continue
		}
		known = true
		if route.method != c.r.Method {
			continue
		}
		if !slices.ContainsFunc(route.anyOf, c.may) {
			return nil, insufficient()
		}
		query, err := url.ParseQuery(c.r.URL.RawQuery)
		if err != nil {
			return nil, badRequest("The query string could not be read: %v.", err)
		}
		c.args, c.query, c.cost = args, query, route.cost
		return route.handle(c)
	}
	if known {
		return nil, refuse(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	}
	return nil, badRequest("Resource not found for the segment '%s'.", unknownSegment(given))
}

// notEmulated is for what Graph documents and this emulator lacks, so that no reader takes its
// refusal for Graph's.
func (c *call) notEmulated() (*Response, *graphError) {
	return nil, refuse(http.StatusNotImplemented, "notImplemented", "The emulator does not offer %s. Graph does.", c.r.URL.Path)
}

func insufficient() *graphError {
	return refuse(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

// hides reports whether the members of a group are left out of what this app may read ("List group
// members": a group with hidden membership).
func (c *call) hides(group *object) bool {
	return group.text("visibility") == "HiddenMembership" && !c.mayAny(readHidden)
}

// withholds reports whether a property is null for want of a permission (user resource type,
// employeeLeaveDateTime).
func (c *call) withholds(name string) bool {
	return name == "employeeLeaveDateTime" && !c.mayAny(readDates)
}

// may reports whether the token carries an application permission.
func (c *call) may(permission string) bool { return slices.Contains(c.roles, permission) }

func (c *call) mayAny(permissions []string) bool { return slices.ContainsFunc(permissions, c.may) }

func (r route) match(given []string) ([]string, bool) {
	want := strings.Split(r.pattern, "/")
	if len(want) != len(given) {
		return nil, false
	}
	var args []string
	for i, segment := range want {
		switch {
		case segment == "{}":
			args = append(args, given[i])
		case !strings.EqualFold(segment, given[i]):
			return nil, false
		}
	}
	return args, true
}

// unknownSegment names the first segment after which no documented path continues.
func unknownSegment(given []string) string {
	for n := 1; n <= len(given); n++ {
		known := slices.ContainsFunc(routes(), func(r route) bool {
			want := strings.Split(r.pattern, "/")
			r.pattern = strings.Join(want[:min(n, len(want))], "/")
			_, ok := r.match(given[:n])
			return ok
		})
		if !known {
			return given[n-1]
		}
	}
	return given[len(given)-1]
}

var parenthesised = regexp.MustCompile(`^([A-Za-z.]+)\((.*)\)$`)

// segments splits an escaped path and brings OData's spellings of one path to one form:
// delta() and microsoft.graph.delta are delta, users('id') is users/id, and
// servicePrincipals(appId='x') is servicePrincipals/appId=x.
func segments(escaped string) []string {
	var out []string
	for part := range strings.SplitSeq(strings.Trim(escaped, "/"), "/") {
		part = unescape(part)
		if m := parenthesised.FindStringSubmatch(part); m != nil {
			part = m[1]
			if key := strings.ReplaceAll(m[2], "'", ""); key != "" {
				out = append(out, strings.TrimPrefix(part, "microsoft.graph."))
				part = key
			}
		}
		switch part {
		case "microsoft.graph.delta", "microsoft.graph.getByIds":
			part = strings.TrimPrefix(part, "microsoft.graph.")
		}
		out = append(out, part)
	}
	return out
}

func unescape(segment string) string {
	if s, err := url.PathUnescape(segment); err == nil {
		return s
	}
	return segment
}
