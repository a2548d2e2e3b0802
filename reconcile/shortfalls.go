package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// A Shortfall is something that an application does not do with what a sync writes, and what to do
// about it. Both are sentences.
type Shortfall struct{ Message, Hint string }

// Bounds on the accounts that are read to find shortfalls.
const (
	shortfallReads = 4      // accounts of each kind of activity
	shortfallScan  = 10_000 // links that are looked through for them
)

// Shortfalls names what an application lacks for a sync of a tenant: what was reported when attributes
// were written, and what a few linked accounts, which are read, do not show. Nothing is changed.
// An application without linked accounts has none.
func (s *Sync) Shortfalls(ctx context.Context, t target.Adapter, tenant *state.Tenant) ([]Shortfall, error) {
	getter, ok := t.(target.Getter)
	if !ok {
		return nil, nil
	}
	var on, off []state.Link
	told := map[string]bool{} // as toldSpace has them
	err := tenant.View(func(tx *state.Tx) error {
		for key := range tx.Space(s.Name, toldSpace).All(nil) {
			told[string(key)] = true
		}
		var err error
		on, off, err = someLinks(tx, s.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	shown, err := readAccounts(ctx, getter, on)
	if err != nil {
		return nil, err
	}
	left, err := readAccounts(ctx, getter, off)
	if err != nil {
		return nil, err
	}
	found := s.notShown(shown, told)
	found = append(found, s.notTaken(told)...)
	active, err := shownActive(ctx, t, left)
	if err != nil {
		return nil, err
	}
	found = append(found, active...)
	if told[remarkKey(graphsync.User, "", target.Kept)] {
		found = append(found, Shortfall{"it keeps accounts that it was told to delete, switched off", "remove them there by hand if they must be gone"})
	}
	return found, nil
}

// someLinks returns a few links of users, of active accounts and of others.
func someLinks(tx *state.Tx, sync string) (on, off []state.Link, err error) {
	n := 0
	for link, err := range tx.Links(sync).All(graphsync.User, graphsync.ID{}) {
		if err != nil {
			return nil, nil, err
		}
		switch {
		case link.Active && len(on) < shortfallReads:
			on = append(on, link)
		case !link.Active && len(off) < shortfallReads:
			off = append(off, link)
		}
		if n++; n == shortfallScan || len(on)+len(off) == 2*shortfallReads {
			break
		}
	}
	return on, off, nil
}

// A readAccount is a linked account as the application shows it.
type readAccount struct {
	link  state.Link
	shown *target.Resource
}

// readAccounts leaves out accounts that cannot be read.
func readAccounts(ctx context.Context, getter target.Getter, links []state.Link) (all []readAccount, err error) {
	for i := range links {
		shown, err := getter.Get(ctx, target.Ref{Kind: target.User, ID: links[i].TargetID})
		if code := target.CodeOf(err); err != nil && (code.Stops() || code == target.Unavailable) {
			return nil, err
		}
		if err == nil {
			all = append(all, readAccount{links[i], shown})
		}
	}
	return all, nil
}

// notShown names attributes that were written and that no account shows.
func (s *Sync) notShown(accounts []readAccount, told map[string]bool) (found []Shortfall) {
	var names []string
	external := false
	for _, a := range s.Users.Mapping.Attributes() {
		path := a.Path.String()
		external = external || strings.EqualFold(path, "externalId")
		written, seen := 0, false
		for i := range accounts {
			if value := accounts[i].link.Applied[path]; len(value) > 0 && string(value) != "null" {
				written++
				seen = seen || accounts[i].shown.Value(a.Path) != nil
			}
		}
		if written > 0 && !seen || written == 0 && told[remarkKey(graphsync.User, path, target.NotShown)] {
			names = append(names, path)
		}
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, "externalId") }) {
		found = append(found, Shortfall{
			"it does not keep externalId, so that nothing but the userName and the state say whose an account is",
			"match by userName, take externalId out of the mapping, and keep a backup of the state: without it, accounts of users who left are not found",
		})
		names = slices.DeleteFunc(names, func(name string) bool { return strings.EqualFold(name, "externalId") })
	} else if !external && len(accounts) > 0 && !slices.ContainsFunc(accounts, func(a readAccount) bool { return textAttribute(a.shown, "externalId") != "" }) {
		found = append(found, Shortfall{
			"its accounts have no externalId, so that nothing but the matching attributes and the state say whose an account is",
			"map externalId to [objectId] if the application keeps it; else keep a backup of the state: without it, accounts of users who left are not found",
		})
	}
	if len(names) > 0 {
		found = append(found, Shortfall{
			fmt.Sprintf("it does not show %s of accounts, so that it cannot be told whether it takes what is written, and changes made there by hand are not noticed", strings.Join(names, ", ")),
			"nothing needs to be done if the application is known to hide them; else take them out of the mapping",
		})
	}
	return found
}

// notTaken names attributes that the application answered to take and did not.
func (s *Sync) notTaken(told map[string]bool) (found []Shortfall) {
	for _, a := range s.Users.Mapping.Attributes() {
		path := a.Path.String()
		switch {
		case !told[remarkKey(graphsync.User, path, target.NotTaken)]:
		case strings.EqualFold(path, "userName"):
			found = append(found, Shortfall{
				"it does not change the userName of an account: users whose name to sign in with changed have their former one there",
				"rename those accounts in the application, or map userName to what does not change",
			})
		default:
			found = append(found, Shortfall{
				fmt.Sprintf("it answers that it takes %s and keeps its own value", path), "take the attribute out of the mapping",
			})
		}
	}
	return found
}

// shownActive says that accounts that are off are shown as active.
func shownActive(ctx context.Context, t target.Adapter, accounts []readAccount) ([]Shortfall, error) {
	for i := range accounts {
		if active, told := activity(accounts[i].shown); !told || !active {
			continue
		}
		off, err := switchedOff(ctx, t, accounts[i].shown)
		if err != nil || !off {
			return nil, err
		}
		return []Shortfall{{
			"it shows accounts that are off as active; a search, which does not find those, tells which are off",
			"see there once that such a user cannot sign in: an account that its search leaves out for another reason counts as off too",
		}}, nil
	}
	return nil, nil
}
