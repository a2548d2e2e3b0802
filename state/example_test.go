package state_test

import (
	"fmt"
	"os"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A page of a delta query, its continuation link and the work it causes are one transaction. What was read is seen by
// later transactions, also by those of the next process.
func Example() {
	if err := readOnePage(); err != nil {
		fmt.Println(err)
	}
	// Output: true "Ada" 1 true
}

func readOnePage() error {
	dir, err := os.MkdirTemp("", "state-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := state.Open(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	tenant, err := store.Tenant(graphsync.ID{0x11})
	if err != nil {
		return err
	}
	defer tenant.Close()
	ada := graphsync.ID{0xad}
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	err = tenant.Update(func(tx *state.Tx) error {
		if err := tx.Cursors().BeginRound(graphsync.Users, "id,displayName", now); err != nil {
			return err
		}
		_, err := tx.PutPage(graphsync.Users, &graphsync.Page{
			Changes: []graphsync.Change{{Kind: graphsync.User, ID: ada, Properties: []graphsync.Property{{Name: "displayName", Value: []byte(`"Ada"`)}}}},
			Next:    "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=1",
		}, now, []string{"people"})
		return err
	})
	if err != nil {
		return err
	}
	return tenant.View(func(tx *state.Tx) error {
		object, known := tx.Objects().Get(graphsync.User, ada)
		name, _ := object.Value("displayName")
		fmt.Println(known, string(name), tx.Pending("people").Count(), tx.Cursors().Get(graphsync.Users).Link != "")
		return nil
	})
}
