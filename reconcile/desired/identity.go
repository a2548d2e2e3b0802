package desired

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An IdentityVerdict says whose a resource is that was read under a linked id. A link alone proves
// nothing: applications that are restored from a backup give ids out again.
type IdentityVerdict uint8

const (
	indeterminate IdentityVerdict = iota // it shows nothing that would tell
	Ours
	Foreign
)

// An Account is what is known of the account of one directory object.
type Account struct {
	source graphsync.ID
	known  []knownValue // what decides comes first
}

// A knownValue is an attribute by which an account is recognized, with the values it may have: as
// last written, and as written before or due now where a change is under way.
type knownValue struct {
	path    target.Path
	mapped  *mapping.Attribute // nil: it only matches
	decides bool               // this sync wrote it to say whose the account is
	applied []json.RawMessage  // in the form that is kept with links
	texts   []string           // in lower case
}

// KnownAccount gathers what a link says of its account: externalId, which decides where this sync
// wrote it, the matching attributes, and the name.
func KnownAccount(link *state.Link, rules *Rules) *Account {
	a := &Account{source: link.Source}
	for _, path := range IdentityPaths(link.Kind, rules) {
		k := knownValue{path: path, mapped: MappedAt(rules, path)}
		if k.mapped != nil {
			if raw, ok := link.Applied[k.mapped.Path.String()]; ok && string(raw) != "null" {
				k.applied = append(k.applied, raw)
				k.decides = IsExternalID(path)
			}
		}
		for _, key := range link.Keys {
			if strings.EqualFold(key.Attribute, path.String()) && key.Value != "" {
				k.texts = append(k.texts, strings.ToLower(key.Value))
			}
		}
		a.known = append(a.known, k)
	}
	slices.SortStableFunc(a.known, func(x, y knownValue) int {
		switch {
		case x.decides == y.decides:
			return 0
		case x.decides:
			return -1
		}
		return 1
	})
	return a
}

// IdentityPaths are the attributes that tell one account of a kind from another: the matching
// attributes, and externalId and the name as far as they are mapped.
func IdentityPaths(kind graphsync.Kind, rules *Rules) (paths []target.Path) {
	name := "userName"
	if kind == graphsync.Group {
		name = "displayName"
	}
	texts := slices.Clone(rules.Match)
	for _, usual := range []string{"externalId", name} {
		if rules.Maps(usual) {
			texts = append(texts, usual)
		}
	}
	for _, text := range texts {
		path, err := target.ParsePath(text)
		if err == nil && !slices.ContainsFunc(paths, path.Equal) {
			paths = append(paths, path)
		}
	}
	return paths
}

// IsExternalID reports whether a path is the externalId of SCIM (RFC 7643 section 3.1).
func IsExternalID(path target.Path) bool {
	return path.Schema() == "" && strings.EqualFold(path.Name(), "externalId")
}

// MappedAt returns the mapping of an attribute, nil when it has none.
func MappedAt(rules *Rules, path target.Path) *mapping.Attribute {
	for _, a := range rules.Mapping.Attributes() {
		if a.Path.Equal(path) {
			return a
		}
	}
	return nil
}

// May adds a value that the account may have too.
func (a *Account) May(path, value string) {
	for i := range a.known {
		if k := &a.known[i]; value != "" && strings.EqualFold(k.path.String(), path) {
			k.texts = append(k.texts, strings.ToLower(value))
		}
	}
}

// MayHave adds a value in the form in which links keep it, such as a digest of a redacted one.
func (a *Account) MayHave(path string, value json.RawMessage) {
	for i := range a.known {
		if k := &a.known[i]; len(value) > 0 && string(value) != "null" && strings.EqualFold(k.path.String(), path) {
			k.applied = append(k.applied, value)
		}
	}
}

// Evaluate decides whose a resource is: externalId decides where this sync wrote it and the resource
// shows one. Otherwise a resource that shows none of the known values is not the account.
func (a *Account) Evaluate(r *target.Resource) IdentityVerdict {
	shows, common := false, false
	for i := range a.known {
		k := &a.known[i]
		shown := r.Value(k.path)
		texts := ShownTexts(shown)
		if len(texts) == 0 {
			continue
		}
		exact, anyCase := k.fits(a.source, shown, texts)
		switch {
		case !k.decides:
			shows, common = true, common || exact || anyCase
		case exact:
			return Ours
		case !anyCase: // an application may change the case of what it stores: then it decides nothing
			return Foreign
		}
	}
	switch {
	case common:
		return Ours
	case shows:
		return Foreign
	}
	return indeterminate
}

// fits compares a shown value with the known ones, in the target's form.
func (k *knownValue) fits(source graphsync.ID, shown any, texts []string) (exact, anyCase bool) {
	for _, raw := range k.applied {
		if string(Canonical(source, k.mapped, shown)) == string(raw) {
			return true, true
		}
		var applied any
		if json.Unmarshal(raw, &applied) != nil {
			continue
		}
		if k.mapped.Equal(applied, shown) {
			return true, true
		}
		anyCase = anyCase || slices.ContainsFunc(ShownTexts(applied), func(text string) bool { return ContainsFold(texts, text) })
	}
	for _, text := range k.texts {
		anyCase = anyCase || ContainsFold(texts, text)
	}
	return false, anyCase
}

// ContainsFold reports whether a text is among others, in any case.
func ContainsFold(texts []string, text string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.EqualFold(t, text) })
}

// ShownTexts returns the texts of a value or of the elements of a list.
func ShownTexts(value any) (texts []string) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			texts = append(texts, ShownTexts(element)...)
		}
	case map[string]any:
		return ShownTexts(value["value"])
	default:
		if text := target.Digits(value); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// Describe says by what people know a resource. What must not be seen is left out.
func Describe(kind graphsync.Kind, rules *Rules, r *target.Resource) string {
	var parts []string
	for _, path := range IdentityPaths(kind, rules) {
		if mapped := MappedAt(rules, path); mapped != nil && mapped.Redact {
			continue
		}
		if texts := ShownTexts(r.Value(path)); len(texts) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", path, target.Clean(strings.Join(texts, ", "))))
		}
	}
	if len(parts) == 0 {
		return "nothing that is known"
	}
	return strings.Join(parts, " and ")
}

// ChangesIdentity reports whether an action must not be carried out on an account that is not
// known to be the linked one: it removes or brings back, or changes by what the account is
// recognized or addressed.
func ChangesIdentity(a *plan.Action, rules *Rules) bool {
	switch a.Op {
	case plan.Deactivate, plan.Delete, plan.Reactivate:
		return true
	case plan.Update:
		paths := IdentityPaths(a.Kind, rules)
		return slices.ContainsFunc(a.Changes, func(change plan.Change) bool {
			path, err := target.ParsePath(change.Attribute)
			if err != nil {
				return false
			}
			address := a.Kind == graphsync.User && path.Schema() == "" && strings.EqualFold(path.Name(), "emails")
			return address || slices.ContainsFunc(paths, path.Equal)
		})
	}
	return false
}

// IdentityChanges are the new values of an action by which its account is known from then on, or
// already, when the response to an earlier attempt was lost.
func IdentityChanges(a *plan.Action) (keys []state.MatchKey) {
	for _, change := range a.Changes {
		if text, ok := change.New.(string); ok && !MadeOnApply(text) {
			keys = append(keys, state.MatchKey{Attribute: change.Attribute, Value: text})
		}
	}
	return keys
}

// WithChanges adds to a known account what an action writes, in the form links keep, and what it
// replaces: a response may show either.
func (a *Account) WithChanges(changes []plan.Change, applied map[string]json.RawMessage) *Account {
	for path, value := range applied {
		a.MayHave(path, value)
	}
	for _, change := range changes {
		if old, ok := change.Old.(string); ok && !MadeOnApply(old) {
			a.May(change.Attribute, old)
		}
	}
	return a
}

// CarriesExternalID reports whether a resource has the externalId that the account has.
func (a *Account) CarriesExternalID(r *target.Resource) bool {
	for i := range a.known {
		k := &a.known[i]
		if !IsExternalID(k.path) {
			continue
		}
		shown := r.Value(k.path)
		exact, anyCase := k.fits(a.source, shown, ShownTexts(shown))
		return exact || anyCase && !k.decides
	}
	return false
}

// AsPlanned is what is known of the account of an action that has no link yet: what it matched by,
// and what is written. externalId decides where it is written.
func AsPlanned(a *plan.StoredAction, rules *Rules, applied map[string]json.RawMessage) *Account {
	link := state.Link{Kind: a.Kind, Source: a.SourceID, Applied: applied}
	for i, path := range rules.Match {
		if i < len(a.Match) && a.Match[i] != "" {
			link.Keys = append(link.Keys, MatchKey(path, a.Match[i]))
		}
	}
	return KnownAccount(&link, rules)
}
