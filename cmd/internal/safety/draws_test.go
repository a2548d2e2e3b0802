package safety

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"entrasync/graphsync/graphtest"
	"entrasync/reconcile/guard"
)

var streams = map[string]string{
	"users": "/v1.0/users/delta", "groups": "/v1.0/groups/delta",
	"assignments": "/v1.0/servicePrincipals/*/appRoleAssignedTo", "app": "/v1.0/servicePrincipals/*",
	"lookups": "/v1.0/directoryObjects/getByIds", "members": "/v1.0/groups/*/members", "token": "/*/oauth2/v2.0/token",
}

// drawGuard draws limits, or none: what they hold is answered by actions, and at the end.
func drawGuard(rt *rapid.T) guard.Guard {
	one, none := 1, 0
	guards := map[string]guard.Guard{
		"no limits":        {FirstRunRemovals: true},
		"first run":        {},
		"removals":         {FirstRunRemovals: true, Removals: guard.Limit{Count: &one}},
		"no removals":      {FirstRunRemovals: true, Removals: guard.Limit{Count: &none}},
		"removals per day": {FirstRunRemovals: true, RemovalsPerDay: guard.Limit{Count: &one}},
		"creations":        {FirstRunRemovals: true, Creations: guard.Limit{Count: &one}},
		"members":          {FirstRunRemovals: true, MembersRemoved: guard.Limit{Count: &none}},
	}
	return guards[rapid.SampledFrom(slices.Sorted(maps.Keys(guards))).Draw(rt, "guard")]
}

func drawGraphFault(rt *rapid.T) graphtest.Fault {
	faults := map[string]graphtest.Fault{
		"throttled": graphtest.Throttle("3"), "throttled without a word": graphtest.Throttle(""), "unavailable": graphtest.Unavailable("2"),
		"500": graphtest.ServerError(500), "502": graphtest.ServerError(502), "504": graphtest.ServerError(504),
		"403":     graphtest.GraphFailure(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
		"404":     graphtest.GraphFailure(http.StatusNotFound, "Request_ResourceNotFound", "Resource does not exist."),
		"expired": graphtest.Expired410(), "resync": graphtest.ResyncRequired(), "state lost": graphtest.SyncStateNotFound(http.StatusBadRequest),
		"dropped": graphtest.DropConnection(), "truncated": graphtest.TruncatedBody(), "broken": graphtest.BrokenJSON(), "html": graphtest.HTMLPage(),
		"foreign link": graphtest.ForeignNextLink("graph.evil.example"), "bad record": graphtest.BadRecord(`{"id": 17}`),
		"empty page": graphtest.EmptyPage(), "replayed": graphtest.ReplayPage(), "out of order": graphtest.OutOfOrder(),
		"missing row": graphtest.MissingRow(), "miscounted": graphtest.WrongCount(1), "undercounted": graphtest.WrongCount(-1),
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(faults))).Draw(rt, "graph fault")
	// Entries that a delta round leaves out, and links that expire, are about some reads only.
	on := map[string][]string{
		"missing row": {"assignments"}, "miscounted": {"assignments"}, "undercounted": {"assignments"},
		"expired": {"users", "groups"}, "resync": {"users", "groups"}, "state lost": {"users", "groups"},
		"empty page": {"users", "groups"}, "replayed": {"users", "groups"}, "out of order": {"users", "groups"},
		"foreign link": {"users", "groups"}, "bad record": {"users", "groups"},
	}[name]
	if on == nil {
		on = slices.Sorted(maps.Keys(streams))
	}
	stream := rapid.SampledFrom(on).Draw(rt, "stream")
	return faults[name].On(streams[stream]).Skip(rapid.IntRange(0, 3).Draw(rt, "skip")).Repeat(rapid.SampledFrom([]int{1, 2, 6}).Draw(rt, "times"))
}

func drawCallFault(rt *rapid.T) callFault {
	all, writes := method(http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete),
		method(http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete)
	faults := []callFault{
		{name: "500", match: all, answer: refuse(500, "")},
		{name: "500 though done", match: writes, answer: belated(500)},
		{name: "503", match: all, answer: refuse(503, "", "Retry-After", "2")},
		{name: "504 though done", match: writes, answer: belated(504)},
		{name: "429", match: all, answer: refuse(429, "", "Retry-After", "3")},
		{name: "401", match: all, answer: refuse(401, "")},
		{name: "403", match: all, answer: refuse(403, "")},
		{name: "400", match: writes, answer: refuse(400, "invalidValue")},
		{name: "409", match: method(http.MethodPost), answer: refuse(409, "uniqueness")},
		{name: "deletions refused", match: method(http.MethodDelete), answer: refuse(403, "")},
		{name: "changes of groups refused", match: func(r *http.Request) bool {
			return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/")
		}, answer: refuse(400, "invalidValue")},
		{name: "answer lost", match: writes, answer: lose},
		{name: "answer about another", match: method(http.MethodPost, http.MethodPatch), answer: anotherAccount},
		{name: "request lost", match: all, answer: drop},
	}
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.name
	}
	f := faults[slices.Index(names, rapid.SampledFrom(names).Draw(rt, "application fault"))]
	f.skip, f.times = rapid.IntRange(0, 6).Draw(rt, "skip"), rapid.SampledFrom([]int{1, 3, -1}).Draw(rt, "times")
	return f
}
