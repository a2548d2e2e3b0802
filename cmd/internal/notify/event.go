// Package notify reports to people and other programs what needs attention: it derives events from how cycles end, groups
// them, keeps them in the state, and delivers them to webhooks, Slack, Microsoft Teams and mail.
//
// It decides nothing about syncs. It promises that an event that was queued is delivered at least once, also after the
// process was killed, under one id, and that an event which lasts is reported once and not with every cycle.
package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// The types of events. They are part of the contract.
const (
	Held          = "held"           // actions wait for a decision
	Failing       = "failing"        // cycles cannot run, or the target is in quarantine
	Recovered     = "recovered"      // what was failing is over
	Skipped       = "skipped"        // most of the scope is skipped
	Drift         = "drift"          // the application holds something else than what was applied
	Consent       = "consent"        // consent is lost or was narrowed
	Credential    = "credential"     // a credential ends soon
	ReloadRefused = "reload_refused" // the configuration file was not loaded
	BackupFailed  = "backup_failed"  // the state was not backed up
	Test          = "test"           // notify test
)

// Types are the types that a configuration may name.
var Types = []string{Held, Failing, Recovered, Skipped, Drift, Consent, Credential, ReloadRefused, BackupFailed}

// The severities, the least first.
const (
	Info     = "info"
	Warning  = "warning"
	Critical = "critical"
)

// Severities are all of them, the least first.
var Severities = []string{Info, Warning, Critical}

// An Event is one thing that happened.
type Event struct {
	Type     string    `json:"type"`
	Severity string    `json:"severity"`
	At       time.Time `json:"at"`
	Tenant   string    `json:"tenant,omitempty"` // name; "" for the service as a whole
	Sync     string    `json:"sync,omitempty"`
	Count    int       `json:"count,omitempty"` // how many accounts or actions it is about
	Summary  string    `json:"summary"`         // what happened, in one sentence
	Detail   []string  `json:"detail,omitempty"`
	Answer   string    `json:"answer"`         // how to answer it: a command, or what to correct
	Link     string    `json:"link,omitempty"` // page that shows it
}

// A Condition is an event that lasts until it is over: it is reported again when Mark changes, and not otherwise.
type Condition struct {
	Key  string // what it is about, such as held/front/contoso
	Mark string // tells one state of it from the next
	Event
}

// An Outcome is how a cycle of a sync ended.
type Outcome struct {
	Sync, Tenant string
	At           time.Time
	Report       *reconcile.Report // nil when it could not begin
	Err          error
	Hint         string // what to do about Err
	Page         string // address of the operator's page, "" for none
}

// scope begins the keys of what is known of a sync of a tenant.
func (o *Outcome) scope() string { return o.Sync + "/" + o.Tenant }

// lostAccess are the codes of failures that an administrator of the tenant has to end.
var lostAccess = []string{string(graphsync.ConsentMissing), string(graphsync.PermissionMissing)}

// conditions derives from a cycle what lasts.
func (o *Outcome) conditions() (all []Condition) {
	add := func(kind, severity, mark string, e Event) {
		e.Type, e.Severity, e.At, e.Sync, e.Tenant = kind, severity, o.At, o.Sync, o.Tenant
		if e.Link == "" && o.Page != "" {
			e.Link = o.Page + "/syncs/" + o.Sync + "/" + o.Tenant
		}
		all = append(all, Condition{Key: o.scope() + "/" + kind, Mark: mark, Event: e})
	}
	if o.Err != nil {
		code, hint := "failed", o.Hint
		if o.Report != nil && o.Report.Failure != nil {
			code, hint = o.Report.Failure.Code, cmp.Or(hint, o.Report.Failure.Hint)
		}
		e := Event{Summary: fmt.Sprintf("Cycles of sync %s, tenant %s, cannot run: %v", o.Sync, o.Tenant, o.Err),
			Answer: cmp.Or(hint, "see what is wrong with: entrasync check --sync "+o.Sync)}
		if slices.Contains(lostAccess, code) {
			add(Consent, Critical, code, e)
			return all
		}
		add(Failing, Critical, code, e)
		return all
	}
	r := o.Report
	if r.Summary.Held > 0 {
		marks, detail := heldCauses(r)
		link := ""
		if o.Page != "" {
			link = o.Page + "/holds"
		}
		add(Held, Warning, strings.Join(marks, " "), Event{Count: r.Summary.Held, Detail: detail, Link: link,
			Summary: fmt.Sprintf("%d actions of sync %s, tenant %s, wait for a decision", r.Summary.Held, o.Sync, o.Tenant),
			Answer:  "see them with: entrasync holds; then: entrasync approve HOLD, or: entrasync reject HOLD"})
	}
	for _, about := range r.Attention {
		switch about.Code {
		case reconcile.MostlySkipped:
			add(Skipped, Warning, about.Code, Event{Count: r.Summary.Skipped, Summary: fmt.Sprintf("Sync %s, tenant %s: %s", o.Sync, o.Tenant, about.Message),
				Answer: "see why with: entrasync show latest; correct the mapping or the directory"})
		case reconcile.TargetQuarantine:
			add(Failing, Critical, about.Code, Event{Summary: fmt.Sprintf("Sync %s, tenant %s: %s", o.Sync, o.Tenant, about.Message),
				Answer: "correct what the message names; entrasync sync " + o.Sync + " tries again at once"})
		}
	}
	return all
}

// heldCauses are what guards hold, by hold: what tells it from other holds, and words.
func heldCauses(r *reconcile.Report) (marks, detail []string) {
	counts := map[string]int{}
	for _, held := range r.Held {
		if counts[held.Hold]++; counts[held.Hold] == 1 {
			marks = append(marks, held.Hold)
			detail = append(detail, fmt.Sprintf("%s: %s (guard %s)", held.Hold, held.Cause, held.Guard))
		}
	}
	slices.Sort(marks)
	slices.Sort(detail)
	return marks, detail
}

// happened derives from a cycle what is reported each time.
func (o *Outcome) happened() (all []Event) {
	if o.Report == nil || o.Report.Drift == nil || o.Report.Drift.New == 0 {
		return nil
	}
	d := o.Report.Drift
	e := Event{Type: Drift, Severity: Warning, At: o.At, Sync: o.Sync, Tenant: o.Tenant, Count: d.New,
		Summary: fmt.Sprintf("A compare found %d new differences from what was applied in the application of sync %s, tenant %s (%d accounts and groups, %d memberships differ)", d.New, o.Sync, o.Tenant, d.Accounts, d.Members),
		Answer:  "see them with: entrasync drift " + o.Sync + "; what is done about them is said by drift in the configuration"}
	if o.Page != "" {
		e.Link = o.Page + "/syncs/" + o.Sync + "/" + o.Tenant
	}
	return []Event{e}
}

// recovered is the event of a condition that is over; false for one whose end is no news.
func recovered(c Condition, now time.Time) (Event, bool) {
	switch c.Type {
	case Failing, Consent, ReloadRefused, BackupFailed:
	default:
		return Event{}, false
	}
	e := c.Event
	e.Type, e.Severity, e.At, e.Detail, e.Count = Recovered, Info, now, nil, 0
	e.Summary, e.Answer = "This is over: "+c.Summary, "nothing is to be done"
	return e, true
}
