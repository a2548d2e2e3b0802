package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A syncPage is one sync of one tenant.
type syncPage struct {
	page
	row
	Retries []retry
	After   string             // where the list began; empty: at the start
	More    string             // where the list continues; empty: it ends here
	Advice  map[string]string  // by the codes that are shown
	Shared  []*reconcile.Cause // reasons that several records share

	Drifts   []driftLine // the first ones of what the last compare found
	Compared time.Time   // when that was; zero: never
}

// causesRead is how many records are read to group them by reason.
const causesRead = 5000

// A retry is a record that is tried again, or looked at again.
type retry struct{ state.Retry }

// Who is what to search people by.
func (r retry) Who() string {
	if !r.Key.Member.IsZero() {
		return r.Key.Member.String()
	}
	return r.Key.ID.String()
}

func (s *Server) syncPage(r *http.Request, p page) (string, any, error) {
	sync, err := s.statuses.find(r.Context(), r.PathValue("sync"), r.PathValue("tenant"))
	if err != nil {
		return "", nil, err
	}
	if sync.ReadError != nil {
		return "", nil, fmt.Errorf("sync %s of tenant %s: %w", sync.Name, sync.TenantName, sync.ReadError)
	}
	data := syncPage{page: p.titled(sync.Name+" · "+sync.TenantName, "/"), row: sync, After: r.FormValue("after"), Advice: map[string]string{}}
	after, err := parseKey(data.After)
	if err != nil {
		return "", nil, errNotFound
	}
	err = view(s.Store, sync.Tenant, func(tx *state.Tx) error {
		data.Shared, data.Compared = sharedCauses(tx, sync.Name), drift.In(tx, sync.Name).Compared().Since
		if data.Drifts, err = driftLines(tx, sync.Sync.Sync); err != nil {
			return err
		}
		for found := range tx.Retries(sync.Name).After(after) {
			if len(data.Retries) == pageSize {
				data.More = keyText(data.Retries[pageSize-1].Key)
				break
			}
			data.Retries = append(data.Retries, retry{found})
		}
		return nil
	})
	for i := range data.Retries {
		code := data.Retries[i].Code
		if advice := s.Advice(code); advice != "" {
			data.Advice[code] = advice
		}
	}
	return "sync", data, err
}

// sharedCauses returns the reasons that several records are retried or skipped for.
func sharedCauses(tx *state.Tx, sync string) (shared []*reconcile.Cause) {
	var causes reconcile.Causes
	n := 0
	for found := range tx.Retries(sync).All() {
		causes.Add(found.Key.Kind, plan.Op(found.Op), found.Code, found.Message, found.Name)
		if n++; n == causesRead {
			break
		}
	}
	for _, cause := range causes.List() {
		if cause.Count > 1 {
			shared = append(shared, cause)
		}
	}
	return shared
}

// keyText and parseKey write a place in the list of retries into an address.
func keyText(k state.PendingKey) string {
	text := k.Kind.String() + "." + k.ID.String()
	if !k.Member.IsZero() {
		text += "." + k.Member.String()
	}
	return text
}

func parseKey(text string) (k state.PendingKey, err error) {
	if text == "" {
		return k, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return k, fmt.Errorf("read place in list %.60q: it has %d parts", text, len(parts))
	}
	if err = k.Kind.UnmarshalText([]byte(parts[0])); err == nil {
		err = k.ID.UnmarshalText([]byte(parts[1]))
	}
	if err == nil && len(parts) == 3 {
		err = k.Member.UnmarshalText([]byte(parts[2]))
	}
	return k, err
}

// A runPage is one run with one of its lists.
type runPage struct {
	page
	Sync   Sync
	Report reconcile.Report
	Lists  []list
	Show   string // the list that is shown
	Pager  pager
	Lines  []runLine
	Advice map[string]string
}

// namedMembers is how many people a page names of one change of members.
const namedMembers = 200

// Leaving and Joining name people whose memberships the action changes.
func (l runLine) Leaving() []string { return l.named("remove") }

// Joining names those who join.
func (l runLine) Joining() []string { return l.named("add") }

// Unnamed is how many people are not named.
func (l runLine) Unnamed() int { return len(l.Members) - len(l.Leaving()) - len(l.Joining()) }

func (l runLine) named(change string) (names []string) {
	for _, m := range l.Members {
		if m.Change == change && len(names) < namedMembers {
			names = append(names, m.Key)
		}
	}
	return names
}

// A list is one of a run's, to choose.
type list struct {
	Name, Label string
	Count       int
	Cut         bool // the run has kept only the first ones
}

// A runLine is an action and its outcome.
type runLine struct {
	plan.Action
	Members []plan.ChangedMember `json:"-"` // of a hold
	Outcome string               `json:"outcome"`
	Error   *plan.Failure        `json:"error"`
}

func (s *Server) runPage(r *http.Request, p page) (string, any, error) {
	sync, err := s.statuses.find(r.Context(), r.PathValue("sync"), r.PathValue("tenant"))
	if err != nil {
		return "", nil, err
	}
	id := r.PathValue("run")
	data := runPage{page: p.titled("Run "+id, "/"), Sync: sync.Sync, Advice: map[string]string{}}
	err = view(s.Store, sync.Tenant, func(tx *state.Tx) error {
		run, ok := tx.Runs(sync.Name).Get(id)
		if !ok {
			return errNotFound
		}
		if err := json.Unmarshal(run.Report, &data.Report); err != nil {
			return fmt.Errorf("read run %s: %w", id, err)
		}
		data.choose(r, tx.Runs(sync.Name).CountLines(id))
		if data.Show != "actions" {
			return nil
		}
		for raw := range tx.Runs(sync.Name).LinesAfter(id, data.Pager.From()) {
			var line runLine
			if err := json.Unmarshal(raw, &line); err != nil {
				return fmt.Errorf("read line of run %s: %w", id, err)
			}
			if data.Lines = append(data.Lines, line); len(data.Lines) == pageSize {
				break
			}
		}
		return nil
	})
	report := &data.Report
	report.Errors = part(report.Errors, data.Pager, data.Show == "errors")
	report.Skipped = part(report.Skipped, data.Pager, data.Show == "skipped")
	report.Held = part(report.Held, data.Pager, data.Show == "held")
	for _, failure := range report.Errors {
		data.advise(s, failure.Code)
	}
	for _, skipped := range report.Skipped {
		data.advise(s, skipped.Code)
	}
	return "run", data, err
}

// choose offers the lists that are not empty and picks the one asked for, or the first.
func (p *runPage) choose(r *http.Request, actions int) {
	summary := &p.Report.Summary
	for _, l := range []list{
		{"errors", "Failed", len(p.Report.Errors), len(p.Report.Errors) == reconcile.ListLimit},
		{"held", "Held", len(p.Report.Held), summary.Held > len(p.Report.Held)},
		{"skipped", "Skipped", len(p.Report.Skipped), summary.Skipped > len(p.Report.Skipped)},
		{"actions", "Actions", actions, false},
	} {
		if l.Count > 0 {
			p.Lists = append(p.Lists, l)
		}
	}
	if len(p.Lists) == 0 {
		return
	}
	chosen := max(0, slices.IndexFunc(p.Lists, func(l list) bool { return l.Name == r.FormValue("show") }))
	p.Show = p.Lists[chosen].Name
	p.Pager = pagerOf(r, p.Lists[chosen].Count)
	p.Pager.Query.Set("show", p.Show)
}

func part[T any](all []T, p pager, wanted bool) []T {
	if !wanted {
		return nil
	}
	return all[p.From():p.To()]
}

func (p *runPage) advise(s *Server, code string) {
	if advice := s.Service.Advice(code); advice != "" {
		p.Advice[code] = advice
	}
}

// Chosen is the list that is shown.
func (p runPage) Chosen() list {
	at := slices.IndexFunc(p.Lists, func(l list) bool { return l.Name == p.Show })
	return p.Lists[at]
}

// Duration is how long the run took.
func (p runPage) Duration() time.Duration {
	return time.Duration(p.Report.DurationMS) * time.Millisecond
}

// LongestWait is how long a change may have waited between the directory and the application.
func (p runPage) LongestWait() time.Duration {
	return time.Duration(p.Report.LongestWaitMS) * time.Millisecond
}

// Objects is how many objects were read.
func (p runPage) Objects() int { return int(p.Report.Graph.Objects) }

// Words says what the run did.
func (p runPage) Words() string {
	for _, l := range p.Lists {
		if l.Name == "errors" {
			return summaryWords(p.Report.Summary, l.Count)
		}
	}
	return summaryWords(p.Report.Summary, 0)
}
