package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// Bounds of a search: what it finds at most, and how long it looks.
const (
	searchLimit = 50
	searchTime  = 5 * time.Second
)

// A peoplePage is a search and, when it finds one object, why that one is as it is.
type peoplePage struct {
	page
	Query   string
	Found   []found
	Cut     bool // there may be more
	Explain []explained
	History []pastEvent // what was done to the one that is explained, newest first
}

// A found object of the directory.
type found struct {
	TenantName string
	tenant     graphsync.ID
	reconcile.Match
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
	looked := map[graphsync.ID]bool{}
	for i := range syncs {
		if looked[syncs[i].Tenant] {
			continue
		}
		looked[syncs[i].Tenant] = true
		if err := s.search(ctx, &syncs[i], &data); err != nil {
			return "", nil, err
		}
	}
	data.Cut = ctx.Err() != nil || len(data.Found) == searchLimit
	if len(data.Found) == 1 {
		data.Explain = s.explain(ctx, syncs, &data.Found[0], data.Now)
		var err error
		if data.History, err = s.history(&data.Found[0]); err != nil {
			return "", nil, err
		}
	}
	return "people", data, nil
}

// search adds what one tenant has to what is found.
func (s *Server) search(ctx context.Context, sync *Sync, data *peoplePage) error {
	tenant, err := s.Store.Tenant(sync.Tenant)
	if err != nil {
		return err
	}
	defer tenant.Close()
	matches, err := reconcile.Search(ctx, tenant, data.Query, searchLimit-len(data.Found), graphsync.User, graphsync.Group)
	for _, match := range matches {
		data.Found = append(data.Found, found{TenantName: sync.TenantName, tenant: sync.Tenant, Match: match})
	}
	return err
}

// explain says for each sync of the tenant why a person has, or has not, an account.
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
	case "inactive", "disabled", "ignored", "pinned", "broken", "chosen":
		return "held"
	}
	return "paused"
}
