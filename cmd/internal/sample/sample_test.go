package sample

import (
	"os"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// The configuration of the demo loads without a fault or a warning, for paths with any character.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	_, syncs, err := compile.Parse("demo.yaml", Configuration("https://127.0.0.1:1", `/tmp/a "b" #c`, `/tmp/é\x.jsonl`), os.LookupEnv)
	if err != nil || len(syncs) != 1 {
		t.Fatalf("%d syncs, %v", len(syncs), err)
	}
	if warnings := compile.Warnings(syncs); len(warnings) > 0 {
		t.Errorf("warned of %q", warnings)
	}
}

// The same numbers make the same users, and each tenant others.
func TestServer(t *testing.T) {
	t.Parallel()
	_, first := Server(5, 1, 2)
	_, again := Server(5, 1, 2)
	if len(first) != 2 || first[0].ID().String() != TenantID || first[0].ID() == first[1].ID() {
		t.Errorf("tenants %v", first)
	}
	for i := range first {
		if a, b := users(first[i]), users(again[i]); len(a) != 5 || a[0] != b[0] {
			t.Errorf("tenant %d has %v and then %v", i, a, b)
		}
	}
	if TenantName(0) != "contoso" || TenantName(1) != "contoso2" {
		t.Errorf("called %s and %s", TenantName(0), TenantName(1))
	}
}

// The demo's changes are one user more, one changed and one deleted.
func TestChange(t *testing.T) {
	t.Parallel()
	_, tenants := Server(3, 1, 1)
	people := users(tenants[0])
	joiner, address := Change(tenants[0], people[0], people[1])
	if joiner.IsZero() || address == "" || len(users(tenants[0])) != 3 {
		t.Errorf("%s %s joined; %v are there", joiner, address, users(tenants[0]))
	}
}

// users are the ids of the users who are not deleted.
func users(tenant *graphtest.Tenant) (ids []graphsync.ID) {
	for _, u := range tenant.Snapshot().Users {
		ids = append(ids, u.ID)
	}
	return ids
}
