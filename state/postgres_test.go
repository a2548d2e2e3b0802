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

// A process on another machine is told who uses the database, and may use it afterwards.
func TestDatabaseIsOfOneWorker(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	first, err := state.OpenPostgres(context.Background(), dsn, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = state.OpenPostgres(context.Background(), dsn, t.TempDir())
	held := (*state.HeldError)(nil)
	if !errors.As(err, &held) || !strings.HasSuffix(held.Holder, fmt.Sprintf(":%d", os.Getpid())) {
		t.Errorf("a second worker: %v", err)
	}
	tenant, err := first.Own(contoso)
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.Update(func(tx *state.Tx) error {
		return tx.Intents("front").Put(state.Intent{Kind: graphsync.User, Source: id(1), Op: "create", Keys: []state.MatchKey{{Attribute: "userName", Value: "ada"}}})
	})
	if err := errors.Join(err, tenant.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	second, err := state.OpenPostgres(context.Background(), dsn, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	// What was being made then may have been made.
	ada := state.Owner{Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(1)}
	if by, making := second.Accounts().CreatorOf("", state.Owner{Tenant: id(2), Sync: "front", Kind: graphsync.User, Source: id(2)}, []string{"ada"}); !making || by != ada {
		t.Errorf("making: %v by %v", making, by)
	}
}
