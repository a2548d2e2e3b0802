package scim

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strconv"

	"entrasync/target"
)

// Bounds on a list: a server that invents pages is left after maxPages, and one whose
// accounts change while they are listed is read at most maxPasses times.
const (
	maxPages  = 50_000
	maxPasses = 3
)

// List implements [target.Lister].
func (a *Adapter) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	return a.list(ctx, kind, opName("list", kind)+"s", "", yield)
}

// A pager walks one list. Totals are hints: some servers give the page's size for one
// (Casdoor, AWS before cursors), and past the end some begin again (SCIMMY).
type pager struct {
	a      *Adapter
	kind   target.Kind
	op     string
	filter string
	count  int
	yield  func([]target.Resource) error

	seed    maphash.Seed
	seen    map[uint64]int // by hash of an id, the pass that saw it last
	pass    int
	entries int // of all pages of this pass, without repeated ones
	pages   int
	total   int  // the last one said, -1 for none
	shrunk  bool // the total went down, so that something may have moved to a page already read
}

func (a *Adapter) list(ctx context.Context, kind target.Kind, op, filter string, yield func([]target.Resource) error) error {
	p := &pager{
		a: a, kind: kind, op: op, filter: filter, yield: yield, count: a.cfg.PageSize,
		seed: maphash.MakeSeed(), seen: map[uint64]int{},
	}
	walk := p.byIndex
	if filter == "" {
		provider := a.provider(ctx)
		if provider.maxResults > 0 {
			p.count = min(p.count, provider.maxResults)
		}
		if provider.cursor {
			walk = p.byCursor
		}
	}
	for p.pass = 1; p.pass <= maxPasses; p.pass++ {
		p.entries, p.total, p.shrunk = 0, -1, false
		if err := walk(ctx); err != nil {
			return err
		}
		if !p.shrunk && (p.total <= p.entries || filter != "") {
			return nil
		}
	}
	return &target.Error{
		Op: op, Code: target.Unavailable,
		Message: fmt.Sprintf("the list is not complete: %d came, %d were announced", p.entries, p.total),
		Hint:    "this happens while many accounts change; it is tried again in the next cycle",
	}
}

// byIndex pages by startIndex (RFC 7644, section 3.4.2.4).
func (p *pager) byIndex(ctx context.Context) error {
	proven := p.filter != "" // a total larger than its page is more than the page's size
	for start := 1; ; {
		query := []string{param("startIndex", strconv.Itoa(start)), param("count", strconv.Itoa(p.count))}
		if p.filter != "" && start == 1 {
			query = nil // not all take a filter and a page together
		}
		page, err := p.page(ctx, query...)
		if err != nil {
			return err
		}
		if page.next != "" && start == 1 {
			return p.follow(ctx, page)
		}
		fresh, err := p.take(page)
		if err != nil || page.came == 0 || !fresh && start > 1 {
			return err
		}
		start += page.came
		proven = proven || page.total > page.came
		if proven && page.total >= 0 && start > page.total && (page.came < p.count || p.filter != "") {
			return nil
		}
	}
}

// byCursor pages by cursor (RFC 9865); the first one is empty.
func (p *pager) byCursor(ctx context.Context) error {
	page, err := p.page(ctx, "cursor", param("count", strconv.Itoa(p.count)))
	if statusOf(err) == http.StatusBadRequest {
		return p.byIndex(ctx)
	}
	if err != nil {
		return err
	}
	return p.follow(ctx, page)
}

// follow goes on from the first page of a list by cursor. A cursor that is no longer good
// begins the pass again.
func (p *pager) follow(ctx context.Context, page *listing) error {
	for used := map[string]bool{}; ; {
		if _, err := p.take(page); err != nil || page.next == "" {
			return err
		}
		if used[page.next] {
			return &target.Error{Op: p.op, Code: target.Unavailable, Message: "the list runs in a circle: a cursor came twice"}
		}
		used[page.next] = true
		var err error
		if page, err = p.page(ctx, param("cursor", page.next), param("count", strconv.Itoa(p.count))); err != nil {
			if t := typeOf(err); t == "invalidCursor" || t == "expiredCursor" {
				p.shrunk = true
				return nil
			}
			return err
		}
	}
}

// page asks for one page, of groups without members. A page too large is asked for smaller.
func (p *pager) page(ctx context.Context, query ...string) (*listing, error) {
	if p.pages++; p.pages > maxPages {
		return nil, &target.Error{Op: p.op, Code: target.Unavailable, Message: fmt.Sprintf("the list has no end: %d pages were read", maxPages)}
	}
	if p.filter != "" {
		query = append(query, param("filter", p.filter))
	}
	exclude := p.kind == target.Group && !p.a.learned.knows(noExclude, p.kind, "")
	c := call{op: p.op, method: http.MethodGet, path: []string{endpoint(p.kind)}, query: query}
	if exclude {
		c.query = append(slices.Clone(query), "excludedAttributes=members")
	}
	ans, err := p.a.send(ctx, c)
	if exclude && statusOf(err) == http.StatusBadRequest {
		c.query = query
		if ans, err = p.a.send(ctx, c); err == nil {
			p.a.learned.learn(noExclude, p.kind, "")
		}
	}
	if errors.Is(err, target.ErrTooLarge) && p.count > 1 {
		smaller := slices.Clone(query)
		p.count = max(1, p.count/4)
		for i, q := range smaller {
			if len(q) > 6 && q[:6] == "count=" {
				smaller[i] = param("count", strconv.Itoa(p.count))
			}
		}
		return p.page(ctx, smaller...)
	}
	if err != nil {
		return nil, err
	}
	return ans.listing(c, p.kind)
}

// take yields what is new on a page and reports whether something was.
func (p *pager) take(page *listing) (fresh bool, err error) {
	if page.total >= 0 && page.total < p.total && page.total != page.came {
		p.shrunk = true
	}
	if page.total != page.came || p.total < 0 {
		p.total = page.total
	}
	p.entries += page.came - len(page.resources) // some without an id, which nobody can link
	added := page.resources[:0]
	for _, r := range page.resources {
		key := maphash.String(p.seed, r.ID)
		pass, known := p.seen[key]
		if pass != p.pass {
			p.seen[key] = p.pass
			p.entries++
			fresh = true
		}
		if !known {
			added = append(added, r)
		}
	}
	if len(added) == 0 {
		return fresh, nil
	}
	return true, p.yield(added)
}
