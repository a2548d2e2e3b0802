package main

import "slices"

// Change notifications, and what they start.
var notifying = slices.Concat(
	in("cmd/internal/subscriptions/receive.go",
		fault{"NTF1", "a notification with another secret starts a cycle", `if subtle.ConstantTimeCompare(known.Secret, secret[:]) == 1 && (known`, `if len(known.Secret) > 0 && (known`},
		fault{"NTF2", "a body of any size is read", `http.MaxBytesReader(w, r.Body, longestBody)`, `r.Body`},
		fault{"NTF3", "the text of a validation request becomes a page", `html.EscapeString(token)`, `html.UnescapeString(token)`},
	),
	in("cmd/internal/subscriptions/allowance.go",
		fault{"NTF4", "a tenant is read early as often as hints come", `if over := used + 1 - perHour; over > 0 {`, `if over := used + 1 - perHour; false {`},
		fault{"NTF5", "early reads follow each other at once", `if next := a.last.Add(spacing); next.After(at) {`, `if next := a.last; next.After(at) {`},
		fault{"NTF6", "after the clock went back by a day no hint is followed for a day", `if a.last.Sub(now) <= time.Hour {`, `if true {`},
	),
	in("cmd/internal/subscriptions/decide.go",
		fault{"NTF7", "a subscription is renewed when it has expired", `return r.Renewed.Add(r.Expires.Sub(r.Renewed) / 2)`, `return r.Expires`},
		fault{"NTF8", "a subscription that delivers nothing is never reported", `if r.Unseen < silentAfter ||`, `if true || r.Unseen < silentAfter ||`},
		fault{"NTF9", "Graph is asked again at once when it has as many subscriptions as it allows", `first = limitBackoff`, `first = 0`},
	),
	in("cmd/internal/subscriptions/keep.go",
		fault{"NTF10", "a subscription of which nothing is known any more keeps delivering", `if err := endOthers(ctx, graph, r.Stream, url, former); err != nil {`, `if err := endOthers(ctx, graph, r.Stream, former); err != nil {`},
	),
	in("reconcile/subject.go",
		fault{"ONM1", "a user who is not a member of the named group is provisioned", `if err == nil && !member {`, `if false {`},
	),
	in("cmd/internal/scheduler/dispatch.go",
		fault{"NTF11", "an early run has to wait for the next tick", `e.asked == nil && !e.waits(now) ||`, `e.asked == nil && !e.due(now) ||`},
	),
)
