package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// Bounds of a search: what it finds at most, how long it looks, and how many objects it reads
// in one transaction.
const (
	searchLimit = 50
	searchTime  = 5 * time.Second
	searchChunk = 5000
)

// A peoplePage is a search and, when it finds one object, why that one is as it is.
type peoplePage struct {
	page
	Query   string
	Found   []found
	Cut     bool // there may be more
	Explain []explained
}

// A found object of the directory.
type found struct {
	TenantName string
	tenant     graphsync.ID
	Kind       graphsync.Kind
	ID         graphsync.ID
	Name       string // displayName
	Address    string // userPrincipalName, else mail
	Removed    bool
}

// An explained object, in one sync.
type explained struct {
	Sync Sync
	*reconcile.Explanation
	Trouble string // why it cannot be explained
}

func (s *Server) people(r *http.Request, p page) (string, any, error) {
	data := peoplePage{page: p.titled("People", "/people"), Query: strings.TrimSpace(r.FormValue("q"))}
	if data.Query == "" {
		return "people", data, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchTime)
	defer cancel()
	syncs := s.Syncs()
	search := search{Server: s, want: strings.ToLower(data.Query)}
	search.id, _ = graphsync.ParseID(data.Query)
	looked := map[graphsync.ID]bool{}
	for i := range syncs {
		if tenant := syncs[i].Tenant; !looked[tenant] {
			looked[tenant] = true
			if err := search.tenant(ctx, &syncs[i]); err != nil {
				return "", nil, err
			}
		}
	}
	data.Found, data.Cut = search.found, ctx.Err() != nil || len(search.found) == searchLimit
	if len(data.Found) == 1 {
		data.Explain = s.explain(ctx, syncs, &data.Found[0], data.Now)
	}
	return "people", data, nil
}

type search struct {
	*Server
	want  string // in lower case
	id    graphsync.ID
	found []found
}

// tenant searches one tenant, some objects in a transaction: a cycle that is going on must not
// wait for it.
func (q *search) tenant(ctx context.Context, sync *Sync) error {
	tenant, err := q.Store.Tenant(sync.Tenant)
	if err != nil {
		return err
	}
	defer tenant.Close()
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		var after graphsync.ID
		for more := true; more && ctx.Err() == nil && len(q.found) < searchLimit; {
			err := tenant.View(func(tx *state.Tx) error {
				if !q.id.IsZero() {
					more = false
					if object, ok := tx.Object(kind, q.id); ok {
						q.take(sync, &object)
					}
					return nil
				}
				n := 0
				for object := range tx.Objects(kind, after) {
					if q.fits(&object) {
						q.take(sync, &object)
					}
					after = object.ID
					if n++; n == searchChunk || len(q.found) == searchLimit {
						return nil
					}
				}
				more = false
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *search) fits(object *state.Object) bool {
	for _, name := range []string{"userPrincipalName", "displayName", "mail"} {
		if strings.Contains(strings.ToLower(property(object, name)), q.want) {
			return true
		}
	}
	return false
}

func (q *search) take(sync *Sync, object *state.Object) {
	f := found{
		TenantName: sync.TenantName, tenant: sync.Tenant, Kind: object.Kind, ID: object.ID, Removed: object.Removed != graphsync.NotRemoved,
		Name: property(object, "displayName"), Address: property(object, "userPrincipalName"),
	}
	if f.Address == "" {
		f.Address = property(object, "mail")
	}
	q.found = append(q.found, f)
}

func property(object *state.Object, name string) string {
	raw, ok := object.Value(name)
	if !ok {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// explain tells in each sync of the tenant why somebody has, or has not, an account.
func (s *Server) explain(ctx context.Context, syncs []Sync, f *found, now time.Time) (all []explained) {
	tenant, err := s.Store.Tenant(f.tenant)
	if err != nil {
		return []explained{{Trouble: err.Error()}}
	}
	defer tenant.Close()
	for _, sync := range syncs {
		if sync.Tenant != f.tenant || f.Kind == graphsync.Group && !sync.Groups.Enabled {
			continue
		}
		e := explained{Sync: sync}
		e.Explanation, err = reconcile.Explain(ctx, sync.Sync, tenant, reconcile.Subject{Kind: f.Kind, Key: f.ID.String()}, now)
		switch {
		case errors.Is(err, reconcile.ErrUnknownSubject):
			e.Trouble = "It is no longer in the snapshot."
		case err != nil:
			e.Trouble = err.Error()
		}
		all = append(all, e)
	}
	return all
}

// stepClass is the class a result of the chain is shown in.
func stepClass(result string) string {
	switch result {
	case "yes", "present", "direct", "group", "member", "granted", "active":
		return "ok"
	case "no", "deleted", "purged", "problem", "unclear":
		return "failed"
	case "inactive", "disabled", "ignored":
		return "held"
	}
	return "paused"
}
