package reconcile

import (
	"context"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/state"
)

// searchChunk is how many objects a search reads in one transaction: a cycle that wants to write
// waits no longer than that takes.
const searchChunk = 5000

// A Match is an object of the directory that a search found.
type Match struct {
	Kind    graphsync.Kind
	ID      graphsync.ID
	Name    string // displayName
	Address string // userPrincipalName, else mail; "" for a group without an address
	Removed bool   // deleted in Entra
}

// Search returns the objects of the snapshot, users first, whose user principal name, display name
// or address contains text in any case, and at most limit of them. A text that is an object id
// finds that object alone. When ctx ends it returns what it has found so far and no error.
func Search(ctx context.Context, tenant *state.Tenant, text string, limit int, kinds ...graphsync.Kind) (found []Match, err error) {
	id, parseErr := graphsync.ParseID(text)
	want := strings.ToLower(text)
	for _, kind := range kinds {
		var after graphsync.ID
		for more := true; more && ctx.Err() == nil && len(found) < limit; {
			err := tenant.View(func(tx *state.Tx) error {
				if parseErr == nil {
					more = false
					if object, ok := tx.Objects().Get(kind, id); ok {
						found = append(found, matchOf(&object))
					}
					return nil
				}
				n := 0
				for object := range tx.Objects().All(kind, after) {
					if contains(&object, want) {
						found = append(found, matchOf(&object))
					}
					after = object.ID
					if n++; n == searchChunk || len(found) == limit {
						return nil
					}
				}
				more = false
				return nil
			})
			if err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

func contains(object *state.Object, want string) bool {
	for _, name := range []string{"userPrincipalName", "displayName", "mail"} {
		if strings.Contains(strings.ToLower(desired.StringProperty(object, name)), want) {
			return true
		}
	}
	return false
}

func matchOf(object *state.Object) Match {
	m := Match{
		Kind: object.Kind, ID: object.ID, Removed: object.Removed != graphsync.NotRemoved,
		Name: desired.StringProperty(object, "displayName"), Address: desired.StringProperty(object, "userPrincipalName"),
	}
	if m.Address == "" {
		m.Address = desired.StringProperty(object, "mail")
	}
	return m
}
