package reconcile

import (
	"slices"
	"strings"
	"time"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// An intentLog records what is about to be done before any call is made.
type intentLog struct {
	sync   *Sync
	now    time.Time
	store  *state.Store
	tenant *state.Tenant
	owners *ownership.Accounts
}

// recordIntents writes down what is about to be done, before any call: a change whose answer is lost,
// in a crash or on the way, is looked into by the next cycle.
func (l *intentLog) recordIntents(due []plan.PlacedAction) error {
	var intents []state.Intent
	var creations []state.Creation
	var memberships []*plan.StoredAction
	for _, s := range due {
		a := s.Action
		switch a.Op {
		case plan.Members:
			memberships = append(memberships, a)
			continue
		case plan.Unlink:
			if len(a.Changes) == 0 { // nothing is sent
				continue
			}
		}
		intent := state.Intent{Kind: a.Kind, Source: a.SourceID, Op: string(a.Op), At: l.now}
		if a.Op == plan.Unlink { // before the link goes, the account gets back what it had
			intent.Op = string(plan.Update)
		}
		external := adoptedExternalID(a, l.sync.rules(a.Kind))
		if external != "" {
			intent.Keys = append(intent.Keys, state.MatchKey{Attribute: "externalId", Value: external})
		}
		for j, path := range l.sync.rules(a.Kind).Match {
			if j < len(a.Match) && a.Match[j] != "" && !(external != "" && strings.EqualFold(path, "externalId")) {
				intent.Keys = append(intent.Keys, state.MatchKey{Attribute: path, Value: a.Match[j]})
			}
		}
		if a.TargetID != nil && a.Op != plan.Adopt { // by which the account may be known when the response is lost
			intent.Keys = append(intent.Keys, desired.IdentityChanges(&a.Action)...)
		}
		if intents = append(intents, intent); a.Op == plan.Create {
			creations = append(creations, state.Creation{Owner: l.owners.Owner(a.Kind, a.SourceID), Values: creationValues(a)})
		}
	}
	if err := l.recordMemberships(memberships); err != nil || len(intents) == 0 {
		return err
	}
	if err := l.store.Accounts().BeginCreations(l.sync.application(), creations); err != nil {
		return err
	}
	return l.tenant.Update(func(tx *state.Tx) error {
		objects := make([]state.PendingKey, len(intents))
		for i := range intents {
			objects[i] = state.PendingKey{Kind: intents[i].Kind, ID: intents[i].Source}
		}
		tx.WarmRecords(l.sync.Name, objects, nil)
		for _, intent := range intents {
			unmade, err := l.unmade(tx, &intent)
			if err != nil {
				return err
			}
			if unmade {
				continue
			}
			if err := tx.Intents(l.sync.Name).Put(intent); err != nil {
				return err
			}
		}
		return nil
	})
}

// adoptedExternalID is the externalId that an adoption gives its account, by which is seen whether it
// was carried out; "" for other actions, and where none is mapped.
func adoptedExternalID(a *plan.StoredAction, rules *desired.Rules) string {
	if a.Op != plan.Adopt || !rules.Maps("externalId") {
		return ""
	}
	for _, change := range a.Changes {
		if text, ok := change.New.(string); ok && strings.EqualFold(change.Attribute, "externalId") && !desired.MadeOnApply(text) {
			return text
		}
	}
	for i, path := range rules.Match {
		if i < len(a.Match) && strings.EqualFold(path, "externalId") {
			return a.Match[i]
		}
	}
	return ""
}

// unmade reports whether an intent is about an account that is not linked. Making it failed in this
// cycle: the intent of that has to stay, because the account may be there all the same.
func (l *intentLog) unmade(tx *state.Tx, intent *state.Intent) (bool, error) {
	if op := plan.Op(intent.Op); op == plan.Create || op == plan.Adopt {
		return false, nil
	}
	_, linked, err := tx.Links(l.sync.Name).Get(intent.Kind, intent.Source)
	return !linked, err
}

// recordMemberships marks the memberships that are about to be written: a change whose answer is
// lost is made again, also when the member is to leave by then.
func (l *intentLog) recordMemberships(actions []*plan.StoredAction) error {
	for len(actions) > 0 {
		err := l.tenant.Update(func(tx *state.Tx) error {
			for n := 0; len(actions) > 0 && n < plan.DraftChunk; actions = actions[1:] {
				a := actions[0]
				n += len(a.Add) + len(a.Remove)
				for _, member := range slices.Concat(a.Add, a.Remove) {
					if err := tx.AppliedMembers(l.sync.Name).Put(a.SourceID, member, unsure); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
