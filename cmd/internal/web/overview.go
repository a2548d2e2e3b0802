package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

// pageSize is how many entries of a list a page shows.
const pageSize = 100

// A pager says which part of a list is shown. Pages count from 1.
type pager struct {
	Page, Total int
	Path        string     // of this list
	Query       url.Values // what else the address says
}

func pagerOf(r *http.Request, total int) pager {
	n, _ := strconv.Atoi(r.FormValue("page"))
	query := r.URL.Query()
	query.Del("page")
	return pager{Page: min(max(n, 1), max(1, (total+pageSize-1)/pageSize)), Total: total, Path: r.URL.EscapedPath(), Query: query}
}

// From and To are the bounds of the part, as of a slice.
func (p pager) From() int { return (p.Page - 1) * pageSize }

// To is where the part ends.
func (p pager) To() int { return min(p.From()+pageSize, p.Total) }

// First is the number of the first entry shown.
func (p pager) First() int { return p.From() + 1 }

// More reports whether there is anything to turn to.
func (p pager) More() bool { return p.Total > pageSize }

// Previous is the address of the page before, empty on the first one.
func (p pager) Previous() string { return p.to(p.Page - 1) }

// Next is the address of the page behind, empty on the last one.
func (p pager) Next() string { return p.to(p.Page + 1) }

func (p pager) to(n int) string {
	if n < 1 || (n-1)*pageSize >= p.Total {
		return ""
	}
	query := url.Values{}
	for name, values := range p.Query {
		query[name] = values
	}
	query.Set("page", strconv.Itoa(n))
	return p.Path + "?" + query.Encode()
}

// An overview is the first page. Its numbers count the rows that it lists, or that are behind their links.
type overview struct {
	page
	Syncs, Tenants int // that fit the query
	Unread         int // tenants that no sync reads
	Tally          []tally
	Query, State   string
	Rows           []row
	Pager          pager
	Attention      int     // syncs that need attention, each of which is in a cause
	Causes         []cause // why those that fit need attention
	MoreCauses     int     // that are not shown
	Inviting       bool    // tenants can join by consent
	Invited        int     // invitations that may still be used
}

// A cause is what is wrong with some syncs, or soon will be: one secret may serve hundreds.
type cause struct {
	State condition
	trouble
	Link string // where to look; may be empty
	Rows []row
}

// Bounds of what is shown of causes.
const (
	causesShown = 20
	namesShown  = 5
)

// Names are those of the syncs that are shown.
func (c cause) Names() []row { return c.Rows[:min(len(c.Rows), namesShown)] }

// Others is how many are not.
func (c cause) Others() int { return len(c.Rows) - len(c.Names()) }

// A tally is how many syncs are in a condition.
type tally struct {
	State condition
	Count int
}

func (s *Server) overview(r *http.Request, p page) (string, any, error) {
	o := overview{page: p.titled("Overview", "/"), Query: r.FormValue("q"), State: r.FormValue("state"), Inviting: s.Invite != nil}
	if len(p.rows) == 0 && o.Inviting {
		invitations, err := s.invitations(p.Now)
		if err != nil {
			return "", nil, err
		}
		for _, i := range invitations {
			if i.Ends() {
				o.Invited++
			}
		}
	}
	found := slices.DeleteFunc(slices.Clone(p.rows), func(r row) bool {
		return o.Query != "" && !contains(r.Name, o.Query) && !contains(r.TenantName, o.Query) && !contains(r.TargetName, o.Query)
	})
	o.Syncs, o.Tenants, o.Tally = len(found), len(tenantsOf(found)), tallyOf(found)
	if o.Query == "" {
		known, err := s.Tenants()
		if err != nil {
			return "", nil, err
		}
		read := tenantsOf(p.rows)
		for _, t := range known {
			if !read[t.ID] {
				o.Unread++
			}
		}
	}
	fitting := slices.DeleteFunc(found, func(r row) bool { return o.State != "" && string(r.State) != o.State })
	o.Pager = pagerOf(r, len(fitting))
	o.Rows = fitting[o.Pager.From():o.Pager.To()]
	o.Causes = causesOf(fitting)
	o.Attention = troubled(o.Causes)
	o.MoreCauses = max(0, len(o.Causes)-causesShown)
	o.Causes = o.Causes[:len(o.Causes)-o.MoreCauses]
	return "overview", o, nil
}

// tenantsOf are the tenants that syncs read.
func tenantsOf(rows []row) map[graphsync.ID]bool {
	tenants := map[graphsync.ID]bool{}
	for i := range rows {
		tenants[rows[i].Tenant] = true
	}
	return tenants
}

// tallyOf counts syncs by their condition, worst first.
func tallyOf(rows []row) (all []tally) {
	counts := map[condition]int{}
	for i := range rows {
		counts[rows[i].State]++
	}
	for _, state := range conditions {
		if counts[state] > 0 {
			all = append(all, tally{state, counts[state]})
		}
	}
	return all
}

// StatePath is where the syncs in a condition are listed, among those that fit the query.
func (o overview) StatePath(state condition) string {
	query := url.Values{"state": {string(state)}}
	if o.Query != "" {
		query.Set("q", o.Query)
	}
	return "/?" + query.Encode()
}

// causesOf groups the syncs that need attention by the reason, in their order, and after those the syncs whose
// credential ends soon. Each sync that is failed, in quarantine, held or partial is in a cause.
func causesOf(rows []row) (causes []cause) {
	add := func(state condition, t trouble, link string, r row) {
		at := slices.IndexFunc(causes, func(c cause) bool { return c.State == state && c.trouble == t })
		if at < 0 {
			at = len(causes)
			causes = append(causes, cause{State: state, trouble: t, Link: link})
		}
		causes[at].Rows = append(causes[at].Rows, r)
	}
	for _, r := range rows {
		switch t := r.Trouble(); {
		case t != nil:
			add(r.State, *t, "", r)
		case r.State == held:
			add(held, trouble{Message: "A guard holds back changes until they are approved."}, "/holds", r)
		case r.State == partial:
			add(partial, trouble{Message: "Some records failed, or wait for a retry. The sync's page names them with the reasons."}, "", r)
		case r.State == failed || r.State == quarantined:
			add(r.State, trouble{Message: "The last cycle failed. The sync's page shows it."}, "", r)
		}
	}
	for _, r := range rows {
		if r.Access.Warns() && !r.Paused {
			add(held, trouble{Message: webserver.Sentence(r.Access.Message)}, "", r)
		}
	}
	return causes
}

// troubled is how many syncs the causes name, each once.
func troubled(causes []cause) int {
	named := map[syncKey]bool{}
	for _, c := range causes {
		for _, r := range c.Rows {
			named[syncKey{r.Name, r.Tenant}] = true
		}
	}
	return len(named)
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// mark is the class an operation is shown in: what it adds, changes or takes away.
func mark(op plan.Op) string {
	switch op {
	case plan.Create, plan.Reactivate:
		return "add"
	case plan.Deactivate, plan.Delete:
		return "remove"
	}
	return "change"
}
