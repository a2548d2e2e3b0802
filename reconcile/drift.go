package reconcile

import (
	"encoding/json"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// drifted brings a link to what its account shows, and reports whether that was anything new.
// Values of redacted attributes are left out: what is kept of them is a digest. So are values that
// the application is known to have instead of what was written.
func drifted(rules *desired.Rules, now time.Time, link *state.Link, resource *target.Resource, known func(*mapping.Attribute, any) bool) bool {
	changed := false
	for _, attribute := range rules.Mapping.Attributes() {
		path := attribute.Path.String()
		raw, written := link.Applied[path]
		shown := attribute.Own(resource.Value(attribute.Path))
		if !written || shown == nil || attribute.OnCreateOnly() || attribute.Redact {
			continue
		}
		if showsAsApplied(attribute, raw, shown) || known(attribute, shown) {
			continue
		}
		link.Applied[path] = desired.Canonical(link.Source, attribute, shown)
		changed = true
	}
	if _, told := resource.Attributes["active"]; told && link.Kind == graphsync.User && link.Active == inactive(resource) {
		link.Active, link.InactiveSince = !link.Active, time.Time{}
		if !link.Active {
			link.InactiveSince = now
		}
		changed = true
	}
	return changed
}

// showsAsApplied reports whether what an application shows of an attribute is what was last
// applied, be it in a spelling of its own.
func showsAsApplied(attribute *mapping.Attribute, raw json.RawMessage, shown any) bool {
	var applied any
	if json.Unmarshal(raw, &applied) != nil {
		return false
	}
	return attribute.Equal(applied, shown) || attribute.Path.Judge(applied, shown) == target.Respelled
}
