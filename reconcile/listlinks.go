package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A LinkedObject is a user or group with its account in one sync, or with what keeps it from having one.
type LinkedObject struct {
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
	TargetID *string        `json:"target_id"` // nil: no account is linked
	State    LinkState      `json:"state"`
	Adopted  bool           `json:"adopted"`
	Since    *time.Time     `json:"since"`
	Cause    string         `json:"cause,omitempty"` // why the account is inactive
	LastOp   string         `json:"last_op,omitempty"`
	LastAt   *time.Time     `json:"last_at,omitempty"`
	Pinned   *LinkDecision  `json:"pinned"`
	Broken   []LinkDecision `json:"broken"`
	Chosen   *LinkDecision  `json:"chosen"` // an account that is yet to be linked
	Code     string         `json:"code,omitempty"`
	Why      string         `json:"why,omitempty"`
	// Applied is what was last written, by attribute; nil in lists. Redacted values are hidden.
	Applied map[string]any `json:"applied,omitempty"`
}

// A LinkDecision is what an operator decided about a link.
type LinkDecision struct {
	TargetID string    `json:"target_id,omitempty"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason,omitempty"`
}

// A LinkState is how an account stands.
type LinkState string

// The states of the contract.
const (
	LinkActive   LinkState = "active"
	LinkInactive LinkState = "inactive"
	LinkNone     LinkState = "none"     // no account is linked
	LinkOrphaned LinkState = "orphaned" // an account that is provably of this user and has no link
)

// A LinkFilter chooses linked objects; several are alternatives. The zero value chooses all.
type LinkFilter struct {
	Pinned    bool
	Broken    bool // a link of theirs was broken
	Ambiguous bool // several accounts have the matching value
	Orphaned  bool // accounts without a link
	Mismatch  bool // the linked account is another one in the application now
	Chosen    bool // an account was chosen that is not linked yet
	Inactive  bool
}

// ListLinks visits the links of a sync by kind and source id, and then the accounts without a link that were found. It
// asks neither Graph nor the application.
func ListLinks(ctx context.Context, s *Sync, tenant *state.Tenant, filter LinkFilter, visit func(*LinkedObject) error) error {
	l := linkLister{sync: s, tenant: tenant, filter: filter}
	if err := tenant.View(l.readNoted); err != nil {
		return err
	}
	each := l.all
	if !filter.Inactive && filter != (LinkFilter{}) { // few have something noted of them
		each = l.noted
	}
	if err := each(ctx, visit); err != nil {
		return err
	}
	if filter != (LinkFilter{}) && !filter.Orphaned {
		return nil
	}
	return l.orphans(ctx, visit)
}

// ShowLink returns the link of one object with what was applied; nil when nothing is known of it in the sync.
func ShowLink(s *Sync, tenant *state.Tenant, kind graphsync.Kind, id graphsync.ID) (shown *LinkedObject, err error) {
	l := linkLister{sync: s, tenant: tenant}
	err = tenant.View(func(tx *state.Tx) error {
		of := links.Object{Kind: kind, ID: id}
		_, known := tx.Objects().Get(kind, id)
		link, linked, err := tx.Links(s.Name).Get(kind, id)
		if err != nil || !known && !linked {
			return err
		}
		if shown, err = l.object(tx, of); err != nil {
			return err
		}
		if linked {
			shown.Applied = shownValues(s.rules(kind), &link)
		}
		return nil
	})
	return shown, err
}

// shownValues are the values that were last written, without the redacted ones.
func shownValues(rules *desired.Rules, link *state.Link) map[string]any {
	values := make(map[string]any, len(link.Applied))
	for path, raw := range link.Applied {
		values[path] = desired.Redacted // also of what is no longer mapped: whether it was redacted is not known
		if rules.Mapping == nil {
			continue
		}
		for _, mapped := range rules.Mapping.Attributes() {
			if mapped.Path.String() == path && !mapped.Redact {
				values[path] = json.RawMessage(raw)
			}
		}
	}
	return values
}

// A linkLister lists the links of a sync.
type linkLister struct {
	sync   *Sync
	tenant *state.Tenant
	filter LinkFilter

	of []links.Object // with anything noted of them, by kind and source id
}

// readNoted reads which objects have anything noted of them.
func (l *linkLister) readNoted(tx *state.Tx) error {
	found := map[links.Object]bool{}
	table := links.In(tx, l.sync.Name)
	for _, records := range []func(yield func(links.Record) bool){table.Pins(), table.AllBroken(), table.Choices()} {
		for r := range records {
			found[r.Object] = true
		}
	}
	for retry := range tx.Retries(l.sync.Name).All() {
		if retry.Code == ambiguousCode && retry.Key.Member.IsZero() {
			found[links.Object{Kind: retry.Key.Kind, ID: retry.Key.ID}] = true
		}
	}
	for key := range tx.Space(l.sync.Name, plan.MismatchSpace).All(nil) {
		found[links.Object{Kind: graphsync.Kind(key[0]), ID: graphsync.ID(key[1:])}] = true
	}
	l.of = slices.SortedFunc(maps.Keys(found), compareObjects)
	return nil
}

// ambiguousCode is the code of what several accounts match.
const ambiguousCode = "ambiguous_match"

func compareObjects(a, b links.Object) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), compareIDs(a.ID, b.ID))
}

// noted visits the objects that have anything noted of them.
func (l *linkLister) noted(ctx context.Context, visit func(*LinkedObject) error) error {
	for rest := l.of; len(rest) > 0; {
		chunk := rest[:min(len(rest), plan.DraftChunk)]
		rest = rest[len(chunk):]
		if err := l.visit(ctx, chunk, visit); err != nil {
			return err
		}
	}
	return nil
}

// all visits every link, and the objects without a link that have anything noted of them.
func (l *linkLister) all(ctx context.Context, visit func(*LinkedObject) error) error {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		var after graphsync.ID
		for more := true; more; {
			var chunk []links.Object
			err := l.tenant.View(func(tx *state.Tx) error {
				for link, err := range tx.Links(l.sync.Name).All(kind, after) {
					if err != nil {
						return err
					}
					if chunk = append(chunk, links.Object{Kind: kind, ID: link.Source}); len(chunk) == plan.DraftChunk {
						break
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if more = len(chunk) == plan.DraftChunk; more {
				after = chunk[len(chunk)-1].ID
			}
			if err := l.visit(ctx, l.withNoted(chunk, kind, more), visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// withNoted adds to a chunk of links the noted objects that belong before its end, or all others of the kind at the end.
func (l *linkLister) withNoted(chunk []links.Object, kind graphsync.Kind, more bool) []links.Object {
	n := 0
	for _, of := range l.of {
		if of.Kind != kind || more && compareObjects(of, chunk[len(chunk)-1]) > 0 {
			break
		}
		n++
	}
	chunk = append(chunk, l.of[:n]...)
	l.of = l.of[n:]
	slices.SortFunc(chunk, compareObjects)
	return slices.Compact(chunk)
}

// visit visits those of some objects that the filter chooses.
func (l *linkLister) visit(ctx context.Context, chunk []links.Object, visit func(*LinkedObject) error) error {
	found := make([]*LinkedObject, 0, len(chunk))
	err := l.tenant.View(func(tx *state.Tx) error {
		for _, of := range chunk {
			o, err := l.object(tx, of)
			if err != nil {
				return err
			}
			if l.filter.chooses(o) {
				found = append(found, o)
			}
		}
		return nil
	})
	for _, o := range found {
		err = errors.Join(err, ctx.Err())
		if err == nil {
			err = visit(o)
		}
	}
	return err
}

func (f LinkFilter) chooses(o *LinkedObject) bool {
	return f == (LinkFilter{}) ||
		f.Pinned && o.Pinned != nil || f.Broken && len(o.Broken) > 0 || f.Chosen && o.Chosen != nil ||
		f.Ambiguous && o.Code == ambiguousCode || f.Mismatch && o.Code == identityMismatch ||
		f.Inactive && o.State == LinkInactive
}

// object puts together what is known of one object.
func (l *linkLister) object(tx *state.Tx, of links.Object) (*LinkedObject, error) {
	object, _ := tx.Objects().Get(of.Kind, of.ID)
	link, linked, err := tx.Links(l.sync.Name).Get(of.Kind, of.ID)
	if err != nil {
		return nil, err
	}
	o := &LinkedObject{Kind: of.Kind, SourceID: of.ID, State: LinkNone, Broken: []LinkDecision{}}
	if linked {
		o.Key, o.State = desired.KeyOf(&object, &link), LinkInactive
		if o.TargetID, o.Adopted, o.Since, o.Cause = &link.TargetID, link.Adopted, &link.Since, link.Cause; link.Active {
			o.State = LinkActive
		}
		if !link.LastAt.IsZero() {
			o.LastOp, o.LastAt = link.LastOp, &link.LastAt
		}
	} else {
		o.Key = desired.KeyOf(&object, nil)
	}
	table := links.In(tx, l.sync.Name)
	if pin := table.Pin(of); pin != nil {
		o.Pinned = decisionOf(pin)
	}
	if choice := table.Choice(of); choice != nil && !(linked && choice.Account == link.TargetID) {
		o.Chosen = decisionOf(choice)
	}
	for broken := range table.BrokenOf(of) {
		o.Broken = append(o.Broken, *decisionOf(&broken))
	}
	if retry, ok := tx.Retries(l.sync.Name).Get(state.PendingKey{Kind: of.Kind, ID: of.ID}); ok {
		o.Code, o.Why = retry.Code, retry.Message
	}
	if raw := tx.Space(l.sync.Name, plan.MismatchSpace).Get(plan.LinkKey(of.Kind, of.ID)); raw != nil && linked {
		var m mismatch
		if err := plan.Decode(raw, &m); err != nil {
			return nil, err
		}
		o.Code, o.Why = identityMismatch, m.why()
	}
	return o, nil
}

func decisionOf(r *links.Record) *LinkDecision {
	return &LinkDecision{TargetID: r.Account, By: r.By, At: r.At, Reason: r.Reason}
}

// orphans visits the accounts without a link, as the last complete look found them.
func (l *linkLister) orphans(ctx context.Context, visit func(*LinkedObject) error) error {
	var after []byte
	for more := true; more; {
		var found []*LinkedObject
		err := l.tenant.View(func(tx *state.Tx) error {
			more = false
			for key, raw := range tx.Space(l.sync.Name, orphanSpace).All(after) {
				var o orphan
				if err := plan.Decode(raw, &o); err != nil {
					return err
				}
				after = slices.Clone(key)
				if link, linked, err := tx.Links(l.sync.Name).Get(graphsync.User, o.Source); err != nil || linked && link.TargetID == o.Account {
					if err != nil {
						return err
					}
					continue
				}
				why := "the account carries the externalId of this user, or was owned by the sync, and has no link"
				if o.Unknown {
					why = "the account carries the object id of a user whom the directory does not know"
				}
				found = append(found, &LinkedObject{Kind: graphsync.User, SourceID: o.Source, Key: o.Name, TargetID: &o.Account, State: LinkOrphaned, Broken: []LinkDecision{}, Code: "orphaned", Why: why})
				if more = len(found) == plan.DraftChunk; more {
					break
				}
			}
			return nil
		})
		for _, o := range found {
			err = errors.Join(err, ctx.Err())
			if err == nil {
				err = visit(o)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
