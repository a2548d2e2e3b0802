package state_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

// Several processes use a database at once: what one claims or is making is known to the others at once, and a tenant is
// worked on by one.
func TestDatabaseIsOfSeveralWorkers(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	open := func() *state.Store {
		store, err := state.OpenPostgres(context.Background(), dsn, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	first, second := open(), open()
	ada := state.Owner{Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(1)}
	eve := state.Owner{Tenant: other, Sync: "front", Kind: graphsync.User, Source: id(2)}
	maker := func(want bool) {
		t.Helper()
		by, making, err := second.Accounts().CreatorOf("app", eve, []string{"x", "Ada@contoso.example"})
		if err != nil || making != want || making && by != ada {
			t.Errorf("making: %v by %v, %v", making, by, err)
		}
		if _, known, err := second.Accounts().Number(); known == want || err != nil {
			t.Errorf("the claims are known: %v, %v", known, err)
		}
	}
	maker(false)
	tenant, err := first.Own(contoso)
	if err != nil {
		t.Fatal(err)
	}
	var held *state.HeldError
	if _, err := second.Own(contoso); !errors.As(err, &held) || held.Holder != first.Workers().Name() || !strings.Contains(held.Holder, fmt.Sprintf(":%d:", os.Getpid())) {
		t.Errorf("a second worker of the tenant: %v", err)
	}
	intent := state.Intent{Kind: graphsync.User, Source: id(1), Op: "create", Keys: []state.MatchKey{{Attribute: "userName", Value: "ada@contoso.example"}}}
	err = errors.Join(first.Accounts().BeginCreations("app", []state.Creation{{Owner: ada, Values: []string{"", "ada@contoso.example"}}}), tenant.Update(func(tx *state.Tx) error {
		return errors.Join(tx.PutSyncInfo("front", state.SyncInfo{Location: state.Location{ID: "app"}}), tx.Intents("front").Put(intent))
	}))
	if err != nil {
		t.Fatal(err)
	}
	maker(true)
	// The worker that has the tenant next knows it by the intent, which outlives the one before.
	if err := errors.Join(first.Accounts().EndCreations(ada), tenant.Close()); err != nil {
		t.Fatal(err)
	}
	maker(false)
	next, err := second.Own(contoso)
	if err != nil {
		t.Fatal(err)
	}
	maker(true)
	if present, err := first.Accounts().Claim("app", "a-1", ada); err != nil || present != ada {
		t.Errorf("claimed by %v, %v", present, err)
	}
	if present, err := second.Accounts().Claim("app", "a-1", eve); err != nil || present != ada {
		t.Errorf("a claimed account goes to %v, %v", present, err)
	}
	err = next.Update(func(tx *state.Tx) error { return tx.Intents("front").Delete(graphsync.User, id(1)) })
	if err := errors.Join(err, next.Close()); err != nil {
		t.Fatal(err)
	}
	if next, err = first.Own(contoso); err != nil {
		t.Fatal(err)
	}
	maker(false)
	if err := errors.Join(next.Close(), first.RemoveTenant(contoso)); err != nil {
		t.Fatal(err)
	}
	if owner, owned, err := second.Accounts().OwnerOf("app", "a-1", graphsync.User); owned || err != nil {
		t.Errorf("the account of a removed tenant is %v's, %v", owner, err)
	}
}
