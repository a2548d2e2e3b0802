package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// The graph command edits the directory as an administrator would. Users and groups go by
// short names; user ada is ada@contoso.example with the display name Ada. Pages of
// delta have 4 objects, of lists 8.
//
//	graph user NAME… [PROPERTY=VALUE…]       hire people
//	graph group NAME [MEMBER…] [PROPERTY=VALUE…]   make a group
//	graph join GROUP MEMBER…                 and leave
//	graph set NAME PROPERTY=VALUE…           an empty value clears
//	graph manager NAME [MANAGER]             none: without one from now on
//	graph enable NAME…                       and disable, delete, restore, purge
//	graph assign NAME [ROLE]                 to the application, and unassign; roles: Admin, Editor, Viewer
//	graph tenant NAME                        the commands that follow edit this tenant (contoso, fabrikam)
//	graph grant [PERMISSION…]                the consented permissions; none: consent taken back
//	graph app disable                        or enable, remove, consent; expire or renew its secret,
//	                                         or remind: it is another-secret, which ends in ten days
//	graph clock AHEAD                        the difference of Graph's clock to ours, such as 2h or -1h
//	graph fault KIND STREAM [after=N] [times=N|always]
//	                                         STREAM: users, groups, app, assignments, assignment (one by
//	                                         its id), members, lookups, token,
//	                                         subscriptions (all), subscription (one); KIND status has status=N
//	                                         and code=WORD; throttled has wait=SECONDS; rewritten has old=TEXT and new=TEXT, in which
//	                                         %NAME% stands for the id of user or group NAME
//	graph heal                               end all faults
//	graph requests                           print the requests since the last time, by stream

const (
	contosoID  = "11111111-1111-1111-1111-111111111111"
	fabrikamID = "22222222-2222-2222-2222-222222222222"
	clientID   = "6a1e0000-0000-0000-0000-000000000001"
)

type directory struct {
	server *graphtest.Server
	tenant *graphtest.Tenant
	ids    map[string]graphsync.ID // by tenant and short name
	names  map[string]string       // short names by id
	heal   []func()
	seen   int // requests reported
}

func (w *world) startGraph() error {
	d := &directory{ids: map[string]graphsync.ID{}, names: map[string]string{}}
	d.server = graphtest.New(graphtest.Options{PageSize: 4, ListPageSize: 8})
	home, err := graphsync.ParseID(contosoID)
	if err != nil {
		return err
	}
	d.server.Register(graphtest.AppSpec{ClientID: clientID, Name: "Front", Secret: clientSecret, Home: home,
		Roles: []graphtest.AppRole{{Value: "Admin"}, {Value: "Editor"}, {Value: "Viewer"}}})
	for name, id := range map[string]string{"contoso": contosoID, "fabrikam": fabrikamID} {
		d.server.AddTenant(graphtest.TenantSpec{ID: id, Name: name, Domain: name + ".example"}).Consent(clientID)
	}
	d.tenant = d.server.Tenant(contosoID)
	running, err := d.server.Start("")
	if err != nil {
		return err
	}
	w.tb.Cleanup(func() { running.Close() })
	ca := filepath.Join(w.dir, "graph-ca.pem")
	if err := os.WriteFile(ca, d.server.CAPEM(), 0o600); err != nil {
		return err
	}
	for key, value := range map[string]string{"GRAPH": running.URL, "CLIENT": clientID, "CONTOSO": contosoID, "FABRIKAM": fabrikamID, "SSL_CERT_FILE": ca} {
		w.setenv(key, value)
	}
	w.graph = d
	return nil
}

func (d *directory) key(name string) string { return d.tenant.Name() + "/" + name }

func (d *directory) id(name string) graphsync.ID {
	id, ok := d.ids[d.key(name)]
	if !ok {
		panic(fmt.Sprintf("tenant %s has no %q: make it with graph user or graph group", d.tenant.Name(), name))
	}
	return id
}

func (d *directory) idsOf(names []string) (ids []graphsync.ID) {
	for _, name := range names {
		ids = append(ids, d.id(name))
	}
	return ids
}

func (d *directory) made(name string, id graphsync.ID) {
	d.ids[d.key(name)], d.names[id.String()] = id, name
}

// properties turns PROPERTY=VALUE into what the emulator takes.
func properties(pairs map[string]string) graphtest.Props {
	props := graphtest.Props{}
	for name, value := range pairs {
		switch value {
		case "":
			props[name] = nil
		case "true", "false":
			props[name] = value == "true"
		default:
			if strings.HasPrefix(name, "extensionAttribute") {
				props["onPremisesExtensionAttributes"] = map[string]any{name: value}
				continue
			}
			if after, relative := strings.CutPrefix(value, "in:"); relative {
				d, err := time.ParseDuration(after)
				if err != nil {
					panic(err)
				}
				value = time.Now().Add(d).UTC().Format(time.RFC3339)
			}
			props[name] = value
		}
	}
	return props
}

func (w *world) graphCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: graph VERB ...")
	}
	d := w.graph
	words, pairs := options(args[1:])
	argument := func(i int) string {
		if i >= len(words) {
			ts.Fatalf("graph %s: too few arguments", args[0])
		}
		return words[i]
	}
	switch args[0] {
	case "user":
		for _, name := range words {
			props := graphtest.Props{"displayName": strings.ToUpper(name[:1]) + name[1:], "userPrincipalName": name + "@" + d.tenant.Domain()}
			maps.Copy(props, properties(pairs))
			d.made(name, d.tenant.AddUser(props))
		}
	case "group":
		props := graphtest.Props{"displayName": argument(0)}
		maps.Copy(props, properties(pairs))
		d.made(argument(0), d.tenant.AddGroup(props, d.idsOf(words[1:])...))
	case "join":
		d.tenant.AddMember(d.id(argument(0)), d.idsOf(words[1:])...)
	case "leave":
		d.tenant.RemoveMember(d.id(argument(0)), d.idsOf(words[1:])...)
	case "set":
		d.tenant.Update(d.id(argument(0)), properties(pairs))
	case "manager":
		var manager graphsync.ID
		if len(words) > 1 {
			manager = d.id(words[1])
		}
		d.tenant.SetManager(d.id(argument(0)), manager)
	case "enable", "disable":
		for _, id := range d.idsOf(words) {
			d.tenant.Set(id, "accountEnabled", args[0] == "enable")
		}
	case "delete":
		d.tenant.SoftDelete(d.idsOf(words)...)
	case "restore":
		d.tenant.Restore(d.id(argument(0)))
	case "purge":
		d.tenant.Purge(d.id(argument(0)))
	case "assign":
		d.tenant.Assign(clientID, d.id(argument(0)), strings.Join(words[1:], ""))
	case "unassign":
		for _, row := range d.tenant.Snapshot().Assignments {
			if row.Principal == d.id(argument(0)) && (len(words) == 1 || row.Role == words[1]) {
				d.tenant.Unassign(row.ID)
			}
		}
	case "manage":
		if len(words) == 1 {
			d.tenant.SetManager(d.id(argument(0)), graphsync.ID{})
		} else {
			d.tenant.SetManager(d.id(argument(0)), d.id(argument(1)))
		}
	case "subtype":
		d.tenant.SetSubtype(d.id(argument(0)), argument(1))
	case "tenant":
		d.tenant = d.server.Tenant(argument(0) + ".example")
	case "grant":
		d.tenant.Grant(clientID, words...)
	case "app":
		d.administer(argument(0))
	case "clock":
		ahead, err := time.ParseDuration(argument(0))
		ts.Check(err)
		d.server.SetClock(ahead)
	case "fault":
		d.fault(argument(0), argument(1), pairs)
	case "heal":
		for _, end := range d.heal {
			end()
		}
	case "requests":
		fmt.Fprint(ts.Stdout(), d.requests())
	default:
		ts.Fatalf("graph %s: no such verb", args[0])
	}
}

func (d *directory) administer(verb string) {
	switch verb {
	case "disable", "enable":
		d.tenant.SetAppEnabled(clientID, verb == "enable")
	case "remove":
		d.tenant.RemoveApp(clientID)
	case "consent":
		d.tenant.Consent(clientID)
	case "renew":
		d.server.SetSecret(clientID, clientSecret, time.Time{})
	case "remind":
		d.server.SetSecret(clientID, "another-secret", time.Now().Add(10*24*time.Hour))
	case "expire":
		d.server.SetSecret(clientID, clientSecret, time.Now().Add(-time.Hour))
	default:
		panic("graph app: no such verb: " + verb)
	}
}

var streamPaths = map[string]string{
	"users": "/v1.0/users/delta", "groups": "/v1.0/groups/delta", "token": "/*/oauth2/v2.0/token",
	"app": "/v1.0/servicePrincipals*", "assignments": "/v1.0/servicePrincipals/*/appRoleAssignedTo",
	"assignment": "/v1.0/servicePrincipals/*/appRoleAssignedTo/*", "members": "/v1.0/groups/*/members",
	"lookups": "/v1.0/directoryObjects/getByIds", "subscriptions": "/v1.0/subscriptions", "subscription": "/v1.0/subscriptions/*",
}

var graphFaults = map[string]func() graphtest.Fault{
	"unavailable": func() graphtest.Fault { return graphtest.Unavailable("0") },
	"forbidden": func() graphtest.Fault {
		return graphtest.GraphFailure(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	},
	"expired410":    graphtest.Expired410,
	"expired400":    func() graphtest.Fault { return graphtest.SyncStateNotFound(http.StatusBadRequest) },
	"expired404":    func() graphtest.Fault { return graphtest.SyncStateNotFound(http.StatusNotFound) },
	"resync":        graphtest.ResyncRequired,
	"dropped":       graphtest.DropConnection,
	"truncated":     graphtest.TruncatedBody,
	"broken":        graphtest.BrokenJSON,
	"html":          graphtest.HTMLPage,
	"foreign-link":  func() graphtest.Fault { return graphtest.ForeignNextLink("graph.evil.example") },
	"http-link":     graphtest.HTTPNextLink,
	"empty":         graphtest.EmptyPage,
	"replay":        graphtest.ReplayPage,
	"missing-row":   graphtest.MissingRow,
	"miscounted":    func() graphtest.Fault { return graphtest.WrongCount(1) },
	"lagging":       graphtest.LaggingReplica,
	"uncounted":     graphtest.Uncounted,
	"limit":         func() graphtest.Fault { return graphtest.SubscriptionLimit(http.StatusForbidden) },
	"count-refused": graphtest.CountRefused,
	"expired-page": func() graphtest.Fault {
		return graphtest.RefusedLink(http.StatusBadRequest, "Directory_ExpiredPageToken")
	},
}

// faultOf makes a fault of what a script says of it.
func (d *directory) faultOf(kind string, pairs map[string]string) (graphtest.Fault, bool) {
	switch kind {
	case "status":
		return graphtest.GraphFailure(number(pairs["status"], http.StatusBadRequest), pairs["code"], "Injected by the script."), true
	case "claims":
		return graphtest.ClaimsChallenge(), true
	case "throttled":
		after := pairs["wait"]
		if after == "" {
			after = "0"
		}
		return graphtest.Throttle(after), true
	case "refused-link":
		return graphtest.RefusedLink(number(pairs["status"], http.StatusBadRequest), pairs["code"]), true
	case "rewritten":
		return graphtest.Rewritten(d.expand(pairs["old"]), d.expand(pairs["new"])), true
	case "entry":
		return graphtest.BadRecord(d.expand(pairs["json"])), true
	}
	make, known := graphFaults[kind]
	if !known {
		return graphtest.Fault{}, false
	}
	return make(), true
}

// expand puts the ids of objects in place of %NAME%.
func (d *directory) expand(text string) string {
	for key, id := range d.ids {
		_, name, _ := strings.Cut(key, "/")
		text = strings.ReplaceAll(text, "%"+name+"%", id.String())
	}
	return text
}

func (d *directory) fault(kind, stream string, pairs map[string]string) {
	f, known := d.faultOf(kind, pairs)
	path := streamPaths[stream]
	if !known || path == "" {
		panic(fmt.Sprintf("graph fault %s %s: no such fault or stream", kind, stream))
	}
	f = f.On(path).Skip(number(pairs["after"], 0))
	if pairs["times"] == "always" {
		f = f.Always()
	} else {
		f = f.Repeat(number(pairs["times"], 1))
	}
	d.heal = append(d.heal, d.server.Fault(f))
}

// requests tells what was asked of Graph since it was last told: a line per stream. first begins
// a round, next continues it, changes asks what is new since the last one. What was not answered
// with 200 has the status behind it.
func (d *directory) requests() string {
	all := d.server.Requests()
	told := map[string][]string{}
	for _, r := range all[d.seen:] {
		stream, what := "", "read"
		path := strings.ReplaceAll(r.Path, "()", "")
		switch {
		case strings.HasSuffix(path, "/token"):
			stream = "token"
		case strings.HasSuffix(path, "/delta"):
			stream, what = strings.Split(path, "/")[2], "first"
			if strings.Contains(r.Query, "deltatoken") {
				what = "changes"
			} else if strings.Contains(r.Query, "skiptoken") {
				what = "next"
			}
		case strings.HasSuffix(path, "/appRoleAssignedTo"):
			stream = "assignments"
		case strings.Contains(path, "/appRoleAssignedTo/"):
			stream = "assignment"
		case strings.HasPrefix(path, "/v1.0/groups/") && strings.HasSuffix(path, "/members"):
			stream = "members"
		case strings.HasPrefix(path, "/v1.0/applications"):
			stream = "registration"
		case strings.HasPrefix(path, "/v1.0/servicePrincipals"):
			stream = "app"
		case strings.HasPrefix(path, "/v1.0/"):
			stream = "lookups"
		default:
			continue // discovery
		}
		if r.Status != http.StatusOK {
			what += fmt.Sprintf("=%d", r.Status)
		}
		told[stream] = append(told[stream], what)
	}
	d.seen = len(all)
	var out strings.Builder
	for _, stream := range slices.Sorted(maps.Keys(told)) {
		fmt.Fprintf(&out, "%s: %s\n", stream, strings.Join(told[stream], ", "))
	}
	return out.String()
}
