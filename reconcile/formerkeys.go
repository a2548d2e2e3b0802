package reconcile

import (
	"encoding/json"
	"strings"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// formerKeys returns the values by which a linked account may still be known.
func formerKeys(tx *state.Tx, sync string, link *state.Link) (keys []state.MatchKey) {
	raw := tx.Space(sync, formerSpace).Get(plan.LinkKey(link.Kind, link.Source))
	if raw == nil || plan.Decode(raw, &keys) != nil {
		return nil
	}
	return keys
}

// keepFormerKeys stores by which values an account was known before an action that a response did not
// confirm, and forgets them when it did.
func keepFormerKeys(tx *state.Tx, sync string, done *result) error {
	space, key := tx.Space(sync, formerSpace), plan.LinkKey(done.action.Kind, done.action.SourceID)
	switch {
	case done.confirmed && space.Has(key):
		return space.Delete(key)
	case done.confirmed || len(done.formerKeys) == 0:
		return nil
	}
	return space.Put(key, plan.Encode(done.formerKeys))
}

// replacedKeys are the matching values of a link that an action replaces.
func replacedKeys(link *state.Link, a *plan.Action, rules *desired.Rules) (keys []state.MatchKey) {
	for _, path := range desired.IdentityPaths(link.Kind, rules) {
		for _, change := range a.Changes {
			if strings.EqualFold(change.Attribute, path.String()) {
				if value := matchingValue(link, rules, path); value != "" {
					keys = append(keys, state.MatchKey{Attribute: path.String(), Value: value})
				}
			}
		}
	}
	return keys
}

// matchingValue is the value of an attribute as it was last written, or as it is matched by.
func matchingValue(link *state.Link, rules *desired.Rules, path target.Path) string {
	if mapped := desired.MappedAt(rules, path); mapped != nil && !mapped.Redact {
		var text string
		if json.Unmarshal(link.Applied[mapped.Path.String()], &text) == nil && text != "" {
			return text
		}
	}
	for _, key := range link.Keys {
		if strings.EqualFold(key.Attribute, path.String()) {
			return key.Value
		}
	}
	return ""
}

// formerSpace keeps, by kind and source id, the matching values that an account had before a
// rename whose response did not show the new ones.
const formerSpace = "former-keys"
