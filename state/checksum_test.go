package state_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"entrasync/graphsync"
	"entrasync/state"
)

const crowd = 150 // people of a full tenant

// fullTenant writes what a cycle decides by: objects, memberships, assignments, links, work and runs.
func fullTenant(t *testing.T, tn *state.Tenant) {
	t.Helper()
	update(t, tn, func(tx *state.Tx) error {
		errs := []error{tx.Cursors().BeginRound(graphsync.Users, "k", now), tx.Cursors().BeginRound(graphsync.Groups, "k", now)}
		people, groups := &graphsync.Page{Delta: "d"}, &graphsync.Page{Delta: "d"}
		for n := range uint32(crowd) {
			people.Changes = append(people.Changes, user(n, "displayName", fmt.Sprintf(`"person %d"`, n), "accountEnabled", "true"))
		}
		for n := range uint32(4) {
			var members []graphsync.MemberChange
			for m := n; m < crowd; m += 4 {
				members = append(members, joins(m))
			}
			groups.Changes = append(groups.Changes, group(crowd+n, members...))
		}
		_, err1 := tx.PutPage(graphsync.Users, people, now, []string{"front"})
		_, err2 := tx.PutPage(graphsync.Groups, groups, now, []string{"front"})
		errs = append(errs, err1, err2)
		for n := range uint32(crowd) {
			errs = append(errs, tx.Links("front").Put(benchLink(n)), tx.AppliedMembers("front").Put(id(crowd), id(n), fmt.Sprint("target-", n)))
		}
		for n := range 20 {
			errs = append(errs, tx.Holds("front").Put(state.Hold{ID: fmt.Sprint("h-", n), Cause: "a cause", Count: n}),
				tx.Runs("front").Put(state.Run{ID: fmt.Sprint("r-", n), Report: json.RawMessage(`{"summary":{}}`)}))
		}
		return errors.Join(append(errs, tx.PutSyncInfo("front", state.SyncInfo{ConfigHash: "hash", FirstRun: now}))...)
	})
	var rows []graphsync.Assignment
	for n := range uint32(crowd) {
		rows = append(rows, row(n, n, graphsync.User))
	}
	assign(t, tn, rows...)
}

// fullState returns a closed state directory with a full tenant, and that tenant's file.
func fullState(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	fullTenant(t, tn)
	owner := state.Owner{Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(1)}
	if _, err := s.Accounts().Claim("front", "target-1", owner); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.TenantRecords().Put(state.TenantRecord{ID: contoso, Name: "contoso"}), tn.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, contoso.String()+".db")
}

// told is all that a file holds about its tenant, by looking up and by listing.
func told(tx *state.Tx) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		for o := range tx.Objects().All(kind, graphsync.ID{}) {
			say("%s %s", kind, o.ID)
			for name, value := range o.All() {
				say(" %s=%s", name, value)
			}
		}
		for link, err := range tx.Links("front").All(kind, graphsync.ID{}) {
			say("link %+v %v", link, err)
		}
	}
	for n := range uint32(crowd + 10) {
		o, found := tx.Objects().Get(graphsync.User, id(n))
		enabled, _ := o.Value("accountEnabled")
		link, linked, err := tx.Links("front").Get(graphsync.User, id(n))
		source, by := tx.Links("front").ByTarget(graphsync.User, fmt.Sprint("target-", n))
		target, applied := tx.AppliedMembers("front").Get(id(crowd), id(n))
		say("%d: %v %s; %v %s %v; %v %s; %v %s; %v", n, found, enabled, linked, link.Key, err, by, source, applied, target,
			tx.Links("front").SourcesByKey(graphsync.User, state.MatchKey{Attribute: "externalId", Value: fmt.Sprint(n)}))
		for g := range tx.Members().GroupsOf(id(n)) {
			say(" in %s", g)
		}
		for m := range tx.Members().Of(id(n)) {
			say(" has %v", m)
		}
		for a := range tx.Assignments("app").Of(id(n)) {
			say(" %v", a)
		}
	}
	for key := range tx.Pending("front").All(state.PendingKey{}) {
		say("pending %v", key)
	}
	for h := range tx.Holds("front").All() {
		say("%+v", h)
	}
	for _, r := range tx.Runs("front").Latest(50) {
		say("%s %s", r.ID, r.Report)
	}
	say("%v %+v %d %d %d", tx.Syncs(), tx.SyncInfo("front"), tx.Objects().Count(graphsync.User), tx.Assignments("app").Count(), len(tx.Cursors().Get(graphsync.Users).Link))
	return lines
}

func tell(dir string) (lines []string, err error) {
	s, err := state.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	tn, err := s.Tenant(contoso)
	if err != nil {
		return nil, err
	}
	defer tn.Close()
	err = tn.View(func(tx *state.Tx) error { lines = told(tx); return nil })
	return lines, err
}

// One changed bit, anywhere but in the number of entries that a page's head gives: either the file is
// damaged, or nothing that is read from it differs. An account that is not found is a decision, too.
func TestAFlippedBitIsNeverADecision(t *testing.T) {
	t.Parallel()
	dir, path := fullState(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tell(dir)
	if err != nil {
		t.Fatal(err)
	}
	rnd, noticed := rand.New(rand.NewPCG(7, 7)), 0
	const pageSize, flips = 4096, 300
	for n := range flips {
		at := 2*pageSize + rnd.IntN(len(good)-2*pageSize)
		if in := at % pageSize; in >= 10 && in < 16 {
			continue // a page's number of entries and of pages that follow
		}
		bad := append([]byte(nil), good...)
		bad[at] ^= 1 << rnd.IntN(8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := tell(dir)
		var damaged *state.DamagedError
		switch {
		case errors.As(err, &damaged) && damaged.Path == path:
			noticed++
		case err != nil && strings.Contains(err.Error(), path): // who owns it, or which version it has
			noticed++
		case err != nil:
			t.Errorf("flip %d at %d: %v", n, at, err)
		case strings.Join(got, "\n") != strings.Join(want, "\n"):
			t.Errorf("flip %d at page %d, byte %d: something else is read, and nothing is said (-good +bad):\n%s", n, at/pageSize, at%pageSize, cmp.Diff(want, got))
		}
	}
	if noticed < flips/8 {
		t.Errorf("only %d of %d flipped bits were noticed", noticed, flips)
	}
}

func TestSchemaVersionZero(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"registry.db", contoso.String() + ".db"} {
		dir, _ := filled(t, 1)
		path := filepath.Join(dir, name)
		edit(t, path, func(b *bbolt.Tx) error {
			return b.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, 0))
		})
		_, err := readAll(t, dir)
		if damaged := (*state.DamagedError)(nil); !errors.As(err, &damaged) || damaged.Path != path || !strings.Contains(err.Error(), "schema version is 0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Files from before checksums open: they are copied once, and tell the same as before.
func TestFilesWithoutChecksumsAreUpgraded(t *testing.T) {
	t.Parallel()
	dir, path := fullState(t)
	registry := filepath.Join(dir, "registry.db")
	want, err := tell(dir)
	if err != nil {
		t.Fatal(err)
	}
	withoutChecksums(t, path, 1)
	withoutChecksums(t, registry, 3)
	// What an interrupted upgrade left behind.
	if err := os.WriteFile(path+".upgrade", []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := tell(dir)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "after the upgrade", got, want)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.upgrade")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner, ok, err := s.Accounts().OwnerOf("front", "target-1", graphsync.User)
	if err != nil || !ok || owner.Source != id(1) || s.TenantRecords().NameOf(contoso) != "contoso" {
		t.Errorf("the registry: %+v %v %v, %s", owner, ok, err, s.TenantRecords().NameOf(contoso))
	}
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	defer tn.Close()
	if err := tn.Check(); err != nil {
		t.Error(err)
	}
}

// withoutChecksums gives a file the form it had in a schema version before checksums.
func withoutChecksums(t *testing.T, path string, version uint32) {
	t.Helper()
	var strip func(b *bbolt.Bucket, header bool) error
	strip = func(b *bbolt.Bucket, header bool) error {
		var keys [][]byte
		if err := b.ForEach(func(k, _ []byte) error { keys = append(keys, append([]byte(nil), k...)); return nil }); err != nil {
			return err
		}
		var errs []error
		for _, k := range keys {
			v := b.Get(k)
			switch {
			case v == nil:
				errs = append(errs, strip(b.Bucket(k), false))
			case header && strings.HasPrefix(string(k), "bucket\x00"):
				errs = append(errs, b.Delete(k))
			case header && (string(k) == "schema" || string(k) == "kind" || string(k) == "of"):
			default:
				errs = append(errs, b.Put(k, append([]byte(nil), v[:len(v)-4]...)))
			}
		}
		return errors.Join(errs...)
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		err := tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return strip(b, string(name) == "meta") })
		return errors.Join(err, tx.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, version)))
	})
}
