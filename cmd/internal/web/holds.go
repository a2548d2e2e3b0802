package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A holdsPage is everything that waits for an approval.
type holdsPage struct {
	page
	Rows     []row
	Rejected []row  // those with something that was rejected and is due
	Answered string // the last decision: approved, rejected; or empty
	Count    int
	Next     Sync // the sync that was answered
}

func (s *Server) holds(r *http.Request, p page) (string, any, error) {
	data := holdsPage{page: p.titled("Holds", "/holds")}
	for _, row := range p.rows {
		if len(row.Holds) > 0 {
			data.Rows = append(data.Rows, row)
		}
		if len(row.syncStatus.Rejected) > 0 {
			data.Rejected = append(data.Rejected, row)
		}
	}
	switch done := r.FormValue("answered"); done {
	case "approved", "rejected":
		if sync, err := s.statuses.find(r.Context(), r.FormValue("sync"), r.FormValue("tenant")); err == nil {
			data.Answered, data.Next = done, sync.Sync
		}
	}
	return "holds", data, nil
}

// A heldPage is one hold with every action in it.
type heldPage struct {
	page
	Row     row
	Hold    hold
	Pager   pager
	Actions []runLine
	Guide   string // what the guard is and what to look at
	Moved   bool   // a decision was refused, as the hold is no longer what was shown
}

// Named reports whether the actions shown change memberships of people.
func (p heldPage) Named() bool {
	return slices.ContainsFunc(p.Actions, func(l runLine) bool { return len(l.Members) > 0 })
}

// Path is where a hold's page is, and where its decision goes.
func (h hold) Path(sync Sync) string { return pathOf("holds", sync.Name, sync.TenantName, h.ID) }

// Complete reports whether the sample shows every account.
func (h hold) Complete() bool { return len(h.Sample) >= h.Count }

func (s *Server) holdPage(r *http.Request, p page) (string, any, error) {
	return s.showHold(r, p, false)
}

func (s *Server) showHold(r *http.Request, p page, moved bool) (string, any, error) {
	row, err := s.statuses.find(r.Context(), r.PathValue("sync"), r.PathValue("tenant"))
	if err != nil {
		return "", nil, err
	}
	for _, hold := range slices.Concat(row.Holds, row.syncStatus.Rejected) {
		if hold.ID != r.PathValue("hold") {
			continue
		}
		data := heldPage{page: p.titled("Hold "+hold.ID, "/holds"), Row: row, Hold: hold, Pager: pagerOf(r, hold.Count), Guide: s.Advice(hold.Guard), Moved: moved}
		data.Actions, err = s.heldActions(&row.Sync, hold.ID, data.Pager)
		return "hold", data, err
	}
	return "", nil, errNotFound
}

// heldActions reads the part of a hold that is shown.
func (s *Server) heldActions(sync *Sync, hold string, p pager) (actions []runLine, err error) {
	err = view(s.Store, sync.Tenant, func(tx *state.Tx) error {
		n := 0
		for action, err := range guard.HeldActions(tx, sync.Name, hold) {
			if err != nil {
				return err
			}
			if n++; n <= p.From() {
				continue
			}
			if actions = append(actions, runLine{Action: action.Action, Members: action.Members}); len(actions) == pageSize {
				break
			}
		}
		return nil
	})
	return actions, err
}

// decideHold approves or rejects a hold, exactly as it was shown.
func (s *Server) decideHold(w http.ResponseWriter, r *http.Request) {
	if !s.posted(w, r, "Nothing was done") {
		return
	}
	do, word := guard.Approve, "approved"
	switch r.PostFormValue("answer") {
	case "approve":
	case "reject":
		do, word = guard.Reject, "rejected"
	default:
		http.Error(w, "The answer to a hold is approve or reject. Nothing was done.", http.StatusBadRequest)
		return
	}
	moved := false
	s.page(func(r *http.Request, p page) (string, any, error) {
		sync, err := s.statuses.find(r.Context(), r.PathValue("sync"), r.PathValue("tenant"))
		if err != nil {
			return "", nil, err
		}
		n := 0
		hold := r.PathValue("hold")
		by := plan.Decision{Via: state.ActorPage, Reason: strings.TrimSpace(r.PostFormValue("reason")), At: s.Now().UTC().Truncate(time.Second)}
		by.By, _, _ = r.BasicAuth()
		if by.By == "" {
			by.By = "the status page"
		}
		err = s.update(&sync.Sync, func(tx *state.Tx) error {
			digests, err := guard.HeldDigests(tx, sync.Name)
			if err != nil {
				return err
			}
			if moved = digests[hold] != r.PostFormValue("digest"); moved {
				return nil
			}
			n, err = do(tx, sync.Name, hold, by)
			return err
		})
		switch {
		case err != nil:
			return "", nil, fmt.Errorf("decide about hold %s of sync %s, tenant %s: %w", hold, sync.Name, sync.TenantName, err)
		case moved:
			return s.showHold(r, p, true)
		}
		s.Log.Info("hold "+word, "sync", sync.Name, "tenant", sync.TenantName, "hold", hold, "actions", n, "by", by.By, "reason", by.Reason)
		query := url.Values{"answered": {word}, "sync": {sync.Name}, "tenant": {sync.TenantName}}
		w.Header().Set("Location", "/holds?"+query.Encode())
		return "", nil, errSeeOther
	})(w, r)
}

// update writes a tenant's state.
func (s *Server) update(sync *Sync, write func(tx *state.Tx) error) error {
	tenant, err := s.Store.Tenant(sync.Tenant)
	if err != nil {
		return err
	}
	defer tenant.Close()
	return tenant.Update(write)
}
