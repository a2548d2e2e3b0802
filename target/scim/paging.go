package scim

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"entrasync/graphsync/paging"
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
	return a.client.all(ctx, kind, yield)
}

func (cl *client) all(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	return cl.list(ctx, kind, opName("list", kind)+"s", "", yield)
}

// A pager walks one list. Totals are hints: some servers give the page's size for one
// (Casdoor, AWS before cursors), and past the end some begin again (SCIMMY).
type pager struct {
	client *client
	kind   target.Kind
	op     string
	filter string
	count  int
	yield  func([]target.Resource) error

	seed    maphash.Seed
	seen    map[uint64]int // by hash of an id, the pass that saw it last
	pass    int
	entries int // of all pages of this pass, without repeated ones
	limits  paging.Limits
	loop    *paging.Detector // of this pass
	total   int              // the last one said, -1 for none
	shrunk  bool             // the total went down, so that something may have moved to a page already read
}

// pager begins a list. Without a filter its pages are as large as the application takes.
func (cl *client) pager(ctx context.Context, kind target.Kind, op, filter string, yield func([]target.Resource) error) *pager {
	p := &pager{
		client: cl, kind: kind, op: op, filter: filter, yield: yield,
		seed: maphash.MakeSeed(), seen: map[uint64]int{}, limits: lookUpLimits,
	}
	announced := 0
	if filter == "" {
		p.limits, announced = listLimits, cl.provider(ctx).maxResults
	}
	p.count = cl.learned.pageSize(pageSize(cl.cfg.PageSize, announced))
	p.loop = paging.New(p.limits)
	return p
}

// Page sizes, where the configuration names none.
const (
	defaultPage = 100   // where the application announces none
	largestPage = 1_000 // of what it announces: a page is read into memory
)

// pageSize is how many resources are asked for at once: what is configured, else what the application
// announces, and never more than that.
func pageSize(configured, announced int) int {
	switch {
	case configured > 0 && announced > 0:
		return min(configured, announced)
	case configured > 0:
		return configured
	case announced > 0:
		return min(announced, largestPage)
	}
	return defaultPage
}

// Size implements [target.Sized] by totalResults of a page with one resource (RFC 7644, section 3.4.2.4). It
// is a hint: some applications give the number of resources on the page.
func (a *Adapter) Size(ctx context.Context, kind target.Kind) (n int, known bool, err error) {
	p := a.client.pager(ctx, kind, opName("count", kind)+"s", "", nil)
	p.count = 1
	page, err := p.page(ctx, param("startIndex", "1"), param("count", "1"))
	if err != nil || page.total < 0 {
		return 0, false, err
	}
	return page.total, true, nil
}

func (cl *client) list(ctx context.Context, kind target.Kind, op, filter string, yield func([]target.Resource) error) error {
	p := cl.pager(ctx, kind, op, filter, yield)
	walk := p.byIndex
	if filter == "" && cl.provider(ctx).cursor && !cl.learned.knows(noCursor, kind, "") {
		walk = p.byCursor
	}
	for p.pass = 1; p.pass <= maxPasses; p.pass++ {
		p.entries, p.total, p.shrunk, p.loop = 0, -1, false, paging.New(p.limits)
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
		fresh, err := p.take(page, strconv.Itoa(start+page.came))
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

// byCursor pages by cursor (RFC 9865); the first one is empty. A service that claims cursors and
// refuses them, or gives none although its page is not everything, is paged by index.
func (p *pager) byCursor(ctx context.Context) error {
	page, err := p.page(ctx, "cursor", param("count", strconv.Itoa(p.count)))
	refused := statusOf(err) != 0 && target.CodeOf(err) != target.Unauthorized
	if refused || err == nil && page.next == "" && (page.total > page.came || page.total < 0 && page.came >= p.count) {
		p.client.learned.learn(noCursor, p.kind, "")
		return p.byIndex(ctx)
	}
	if err != nil {
		return err
	}
	return p.follow(ctx, page)
}

// follow continues from the first page of a list by cursor. A cursor that is no longer good
// begins the pass again.
func (p *pager) follow(ctx context.Context, page *listing) error {
	for {
		if _, err := p.take(page, page.next); err != nil || page.next == "" {
			return err
		}
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

// page asks for one page, of groups without members. A page too large, to be sent or for the
// application, is asked for smaller.
func (p *pager) page(ctx context.Context, query ...string) (*listing, error) {
	if p.filter != "" {
		query = append(query, param("filter", p.filter))
	}
	c := call{op: p.op, method: http.MethodGet, path: []string{endpoint(p.kind)}, query: query}
	ans, err := p.ask(ctx, &c)
	if errors.Is(err, target.ErrTooLarge) && p.count > 1 {
		return p.page(ctx, p.smaller(query, p.count/4)...)
	}
	if p.count > 1 && refusesCount(err) && counted(query) && !slices.Contains(query, "cursor") {
		return p.atMost(ctx, query, err)
	}
	if err != nil {
		return nil, err
	}
	return ans.listing(c, p.kind)
}

// ask sends the request of a page, without members where the application takes that.
func (p *pager) ask(ctx context.Context, c *call) (*response, error) {
	if p.kind != target.Group || p.client.learned.knows(noExclude, p.kind, "") {
		return p.client.send(ctx, *c)
	}
	without := *c
	without.query = append(slices.Clone(c.query), "excludedAttributes=members")
	ans, err := p.client.send(ctx, without)
	if !refusesQuery(err) {
		return ans, err
	}
	if ans, err = p.client.send(ctx, *c); err == nil {
		p.client.learned.learn(noExclude, p.kind, "")
	}
	return ans, err
}

// atMost finds the page size that an application takes when it refused a larger one. RFC 7644,
// section 3.4.2.4, has it give less; some refuse instead.
func (p *pager) atMost(ctx context.Context, query []string, refused error) (*listing, error) {
	sizes := []int{50, 20, 10, 1}
	if statusOf(refused) >= 500 {
		sizes = []int{10} // more likely an error of its own, which is repeated each time
	}
	for _, count := range sizes {
		if count >= p.count {
			continue
		}
		c := call{op: p.op, method: http.MethodGet, path: []string{endpoint(p.kind)}, query: p.smaller(query, count)}
		ans, err := p.ask(ctx, &c)
		if refusesCount(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		page, err := ans.listing(c, p.kind)
		if err == nil {
			p.client.learned.setPageSize(count)
		}
		return page, err
	}
	return nil, refused
}

// smaller is a query with a smaller count, which holds from then on.
func (p *pager) smaller(query []string, count int) []string {
	p.count = max(1, count)
	smaller := slices.Clone(query)
	for i := range smaller {
		if strings.HasPrefix(smaller[i], "count=") {
			smaller[i] = param("count", strconv.Itoa(p.count))
		}
	}
	return smaller
}

func counted(query []string) bool {
	return slices.ContainsFunc(query, func(q string) bool { return strings.HasPrefix(q, "count=") })
}

// refusesCount reports whether a page may have been refused for its size.
func refusesCount(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusInternalServerError:
		return true
	}
	return false
}

// take yields what is new on a page and reports whether something was. next stands for the page behind
// it, "" for none.
func (p *pager) take(page *listing, next string) (fresh bool, err error) {
	var ids []byte
	for _, r := range page.resources {
		ids = append(append(ids, r.ID...), 0)
	}
	if err := p.loop.Page(page.came, ids, next); err != nil {
		return false, asLoop(p.op, err)
	}
	if page.total >= 0 && page.total < p.total && page.total != page.came {
		p.shrunk = true
	}
	if page.total != page.came || p.total < 0 {
		p.total = page.total
	}
	p.entries += page.came - len(page.resources) // some without an id, which cannot be linked
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
