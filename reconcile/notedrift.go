package reconcile

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A compare of a sync that says what is done about drift leaves the links as they are: what was applied is known, and
// what differs is kept beside it. A cycle then writes again what the configuration says is to be put right.

// driftEvent is the event of the audit log for a difference that a compare has found.
const driftEvent = "drift"

// notesDrift reports whether a compare keeps what differs, instead of taking it over into the links.
func (c *comparer) notesDrift() bool { return c.sync.Drift != nil || c.opts.Drift }

// noteDrift keeps how some accounts differ.
func (c *comparer) noteDrift(found []observedLink) error {
	return c.tenant.Update(func(tx *state.Tx) error {
		if err := c.noteShown(tx, found); err != nil {
			return err
		}
		for i := range found {
			if err := c.noteAccount(tx, &found[i].link, found[i].shown); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteShown notes which attributes the application shows of some account.
func (c *comparer) noteShown(tx *state.Tx, found []observedLink) error {
	seen, noted := drift.In(tx, c.sync.Name), map[string]bool{}
	for i := range found {
		shown, kind := found[i].shown, found[i].link.Kind
		if shown == nil {
			continue
		}
		for _, attribute := range c.sync.rules(kind).Mapping.Attributes() {
			path := attribute.Path.String()
			if noted[path] || attribute.Own(shown.Value(attribute.Path)) == nil {
				continue
			}
			noted[path] = true
			if seen.Shows(kind, path) {
				continue
			}
			if err := seen.PutShown(kind, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteAccount keeps how one account differs. An account that is another one now is no drift: identify has it.
func (c *comparer) noteAccount(tx *state.Tx, link *state.Link, shown *target.Resource) error {
	r, seen := c.opts.records(tx, c.sync), drift.In(tx, c.sync.Name)
	record := &drift.Record{Account: link.TargetID, Key: link.Key}
	at := drift.Compare{Since: c.now, Run: c.runID}
	switch {
	case shown == nil && link.Kind == graphsync.User && !link.Active:
		return errors.Join(r.forgetStillActive(link.Source), r.forgetMismatch(link.Kind, link.Source), seen.Forget(link.Kind, link.Source))
	case shown == nil:
		record.Missing = &at
		if c.sync.Drift.Gone() != drift.Report {
			if err := r.putMismatch(link, &mismatch{TargetID: link.TargetID, Run: c.runID, Gone: true}); err != nil {
				return err
			}
		}
	case identityIn(tx, c.sync, c.now, link, shown, nil) == desired.Foreign:
		return errors.Join(seen.Forget(link.Kind, link.Source), c.noteForeign(tx, link, shown))
	default:
		if err := r.delete(plan.MismatchSpace, plan.LinkKey(link.Kind, link.Source)); err != nil {
			return err
		}
		active, err := c.activeDrift(r, link, shown)
		if err != nil {
			return err
		}
		record.Differences = append(active, c.valueDrift(tx, link, shown)...)
		for i := range record.Differences {
			record.Differences[i].Compare = at
		}
	}
	news, gone, err := seen.Put(link, record)
	if err != nil {
		return err
	}
	if gone {
		news = append(news, drift.Difference{Attribute: "account", Applied: plan.Encode(link.TargetID)})
	}
	if len(news) > 0 {
		if c.ledger.drifted(len(news)); c.opts.auditsDrift() {
			if err := c.auditDrift(tx, link, news); err != nil {
				return err
			}
		}
	}
	return c.pendDrift(tx, link, record)
}

// activeDrift compares whether an account is on. One that the application does not keep off is named as skipped in each
// cycle, and is no drift.
func (c *comparer) activeDrift(r records, link *state.Link, shown *target.Resource) ([]drift.Difference, error) {
	active, told := activity(shown)
	switch {
	case link.Kind != graphsync.User || !told:
		return nil, nil
	case active == link.Active:
		if !active {
			return nil, r.forgetStillActive(link.Source)
		}
		return nil, nil
	case active:
		if known, remembered := stillActiveOf(r.tx, r.sync, link); remembered && known.Attempts > 0 {
			return nil, nil
		}
		if c.sync.Drift.SwitchedOn() != drift.Report {
			if _, err := r.compareActivity(link, shown); err != nil {
				return nil, err
			}
		}
	}
	return []drift.Difference{{Attribute: "active", Applied: plan.Encode(link.Active), Shown: plan.Encode(active)}}, nil
}

// valueDrift compares the values of an account.
func (c *comparer) valueDrift(tx *state.Tx, link *state.Link, shown *target.Resource) []drift.Difference {
	told, seen := tx.Space(c.sync.Name, toldSpace), drift.In(tx, c.sync.Name)
	clears := func(path string) bool {
		return seen.Shows(link.Kind, path) && !told.Has([]byte(remarkKey(link.Kind, path, target.NotShown)))
	}
	return valuesThatDiffer(c.sync.rules(link.Kind), link, shown, knownShown(tx, c.sync.Name, link), clears)
}

// valuesThatDiffer are the values of an account that are not what was applied. Values of redacted attributes are left
// out: what is kept of them is a digest. So are values that the application is known to have instead of what was
// written. clears reports whether an attribute that is absent was emptied, and is not merely not shown.
func valuesThatDiffer(rules *desired.Rules, link *state.Link, resource *target.Resource, known func(*mapping.Attribute, any) bool, clears func(path string) bool) (found []drift.Difference) {
	for _, attribute := range rules.Mapping.Attributes() {
		path := attribute.Path.String()
		raw, written := link.Applied[path]
		if !written || attribute.OnCreateOnly() || attribute.Redact || link.Kind == graphsync.User && strings.EqualFold(path, "active") {
			continue
		}
		d := drift.Difference{Attribute: path, Applied: slices.Clone(raw)}
		shown := attribute.Own(resource.Value(attribute.Path))
		switch {
		case shown == nil && !clears(path):
			continue
		case shown == nil:
			d.Shown = json.RawMessage("null")
		case showsAsApplied(attribute, raw, shown) || known(attribute, shown):
			continue
		default:
			d.Shown = json.RawMessage(desired.Canonical(link.Source, attribute, shown))
		}
		found = append(found, d)
	}
	return found
}

// auditsDrift reports whether what is found is put into the audit log: not what a plan finds, which is no compare that
// anyone asked for.
func (o *Options) auditsDrift() bool { return o.Apply || o.Drift }

func (c *comparer) auditDrift(tx *state.Tx, link *state.Link, news []drift.Difference) error {
	about := plan.Action{Op: driftEvent, Kind: link.Kind, SourceID: link.Source, TargetID: &link.TargetID, Key: link.Key, Why: "the application holds something else than what was applied"}
	for _, d := range news {
		about.Changes = append(about.Changes, plan.Change{Attribute: d.Attribute, Old: orNil(d.Applied), New: orNil(d.Shown)})
	}
	entry := c.opts.auditEntry(c.sync, c.runID, driftEvent, "found")
	entry.At, entry.Objects, entry.About = c.now, []graphsync.ID{link.Source}, plan.Encode(&about)
	return tx.Audit().Append(entry)
}

func orNil(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

// pendDrift has a cycle without a full read look at an account that is to be put right.
func (c *comparer) pendDrift(tx *state.Tx, link *state.Link, record *drift.Record) error {
	if !c.opts.Drift || !c.opts.Apply {
		return nil
	}
	due := record.Missing != nil && c.sync.Drift.Gone() != drift.Report
	for _, d := range record.Differences {
		due = due || driftMode(c.sync.Drift, link, d.Attribute) != drift.Report
	}
	if !due {
		return nil
	}
	return tx.Pending(c.sync.Name).Add(state.PendingKey{Kind: link.Kind, ID: link.Source})
}

// driftMode is what is done about the difference of an attribute.
func driftMode(p *drift.Policy, link *state.Link, attribute string) drift.Mode {
	switch {
	case link.Kind != graphsync.User || attribute != "active":
		return p.Attribute(attribute)
	case link.Active:
		return p.SwitchedOff()
	}
	return p.SwitchedOn()
}

// endDrift drops what is known of accounts that are no longer linked, and notes the compare.
func (c *comparer) endDrift() error {
	if !c.notesDrift() {
		return nil
	}
	return c.tenant.Update(func(tx *state.Tx) error {
		seen := drift.In(tx, c.sync.Name)
		var void []state.PendingKey
		for key, record := range seen.All() {
			link, linked, err := tx.Links(c.sync.Name).Get(key.Kind, key.ID)
			if err != nil {
				return err
			}
			if !linked || link.TargetID != record.Account {
				void = append(void, key)
			}
		}
		for _, key := range void {
			if err := seen.Forget(key.Kind, key.ID); err != nil {
				return err
			}
		}
		return seen.PutCompared(drift.Compare{Since: c.now, Run: c.runID})
	})
}

// forgetDrift drops differences that an action has ended.
func forgetDrift(tx *state.Tx, sync string, a *plan.StoredAction) error {
	switch a.Op {
	case plan.Create, plan.Adopt, plan.Delete, plan.Unlink:
		return drift.In(tx, sync).Forget(a.Kind, a.SourceID)
	}
	return drift.In(tx, sync).Written(a.Kind, a.SourceID, a.Changes)
}
