package reconcile

import (
	"entrasync/reconcile/ownership"
	"entrasync/state"
)

// dropLost drops a link whose account has another owner by now, and returns that owner; nothing is done to the account.
func dropLost(owners *ownership.Accounts, in records, ledger *ledger, link *state.Link) (owner state.Owner, lost bool, err error) {
	if owner, lost, err = owners.Lost(link); err != nil || !lost {
		return owner, false, err
	}
	ledger.note("account %s is %s by now: the link of %s to it was dropped", link.TargetID, owners.Describe(owner), link.Key)
	return owner, true, in.forgetLink(link.Kind, link.Source)
}
