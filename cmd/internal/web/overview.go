package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"entrasync/reconcile"
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

// An overview is the first page.
type overview struct {
	page
	Syncs, Tenants int
	Tally          []tally
	Query, State   string
	Rows           []row
	Pager          pager
	Causes         []cause // why those that fit need somebody
}

// A cause is what is wrong with some syncs, or soon will be: one secret may serve hundreds.
type cause struct {
	State condition
	trouble
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
	all := p.rows
	o := overview{page: p.titled("Overview", "/"), Syncs: len(all), Query: r.FormValue("q"), State: r.FormValue("state")}
	tenants := map[string]bool{}
	counts := map[condition]int{}
	for i := range all {
		tenants[all[i].TenantName] = true
		counts[all[i].State]++
	}
	o.Tenants = len(tenants)
	for _, state := range conditions {
		if counts[state] > 0 {
			o.Tally = append(o.Tally, tally{state, counts[state]})
		}
	}
	fitting := slices.DeleteFunc(all, func(r row) bool {
		return o.State != "" && string(r.State) != o.State ||
			o.Query != "" && !contains(r.Name, o.Query) && !contains(r.TenantName, o.Query) && !contains(r.TargetName, o.Query)
	})
	o.Pager = pagerOf(r, len(fitting))
	o.Rows = fitting[o.Pager.From():o.Pager.To()]
	o.Causes = causesOf(fitting)
	return "overview", o, nil
}

// causesOf groups syncs by what is wrong with them, in their order, and behind that by what soon
// will be.
func causesOf(rows []row) (causes []cause) {
	add := func(state condition, t trouble, r row) {
		at := slices.IndexFunc(causes, func(c cause) bool { return c.State == state && c.trouble == t })
		if at < 0 {
			if len(causes) == causesShown {
				return
			}
			at = len(causes)
			causes = append(causes, cause{State: state, trouble: t})
		}
		causes[at].Rows = append(causes[at].Rows, r)
	}
	for _, r := range rows {
		if t := r.Trouble(); t != nil {
			add(r.State, *t, r)
		}
	}
	for _, r := range rows {
		if r.Access.Warns() && !r.Paused {
			add(held, trouble{Message: sentence(r.Access.Message)}, r)
		}
	}
	return causes
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// Attention is how many syncs need somebody.
func (o overview) Attention() (n int) {
	for _, t := range o.Tally {
		if t.State == failed || t.State == quarantined || t.State == held || t.State == partial {
			n += t.Count
		}
	}
	return n
}

// mark is the class an operation is shown in: what it adds, changes or takes away.
func mark(op reconcile.Op) string {
	switch op {
	case reconcile.Create, reconcile.Reactivate:
		return "add"
	case reconcile.Deactivate, reconcile.Delete:
		return "remove"
	}
	return "change"
}
