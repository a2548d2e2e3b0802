package state_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"entrasync/state"
	"entrasync/state/postgres/pgtest"
)

// onlyFiles are the tests of what files alone have: damage, checksums, the lock, and claims that are apart from the
// links because one of two files was lost.
const onlyFiles = `^Test(RegistryIs|AFlippedBit|SchemaVersionZero|FilesWithoutChecksums|DamagedFile|RandomDamage|Versions|FileOfAnother|` +
	`ClaimsFollowTheLinks|StartWritesNothing|CreationsOutlive|FilesAre|SecondProcess|LockEnds|StateIsNotADirectory|RecordsByID|ClaimsInMemory|ClaimsOfAKilled|` +
	`LinksAreFoundWhile|VersionsInFiles|IndexMembers|InvitationStanding|ExportOf|ImportNeeds|DamagedExport)|^Example`

// onlyPostgres are the tests of what a database alone has.
const onlyPostgres = `^TestDatabase`

// server is where stores are while the tests run for the second time; nil: in files.
var server *pgtest.Server

// databases are those of the directories that tests open.
var databases sync.Map

// TestMain runs the tests on files, and then on PostgreSQL unless -short is given. It also lets the test binary be the second process that
// wants a directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STATE_TEST_OPEN"); dir != "" {
		_, err := state.Open(dir)
		fmt.Print(err)
		os.Exit(0)
	}
	flag.Parse()
	skipped := flag.Lookup("test.skip").Value.String()
	if skipped == "" {
		_ = flag.Set("test.skip", onlyPostgres)
	}
	code := m.Run()
	if testing.Short() {
		fmt.Println("NOT TESTED: the state in PostgreSQL, which make test does")
		os.Exit(code)
	}
	started, err := pgtest.Start()
	switch {
	case errors.Is(err, pgtest.ErrMissing):
		fmt.Println("NOT TESTED: the state in PostgreSQL:", err)
		os.Exit(code)
	case err != nil:
		fmt.Println(err)
		os.Exit(1)
	}
	server = started
	if skipped == "" {
		_ = flag.Set("test.skip", onlyFiles)
	}
	if flag.Lookup("rapid.checks").Value.String() == "100" {
		_ = flag.Set("rapid.checks", "10") // a transaction waits for the disk, and a step for the server
	}
	fmt.Println("on PostgreSQL:")
	code = max(code, m.Run())
	if err := server.Stop(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// openDir opens the store of a directory: files there, or a database that belongs to it.
func openDir(dir string) (*state.Store, error) {
	if server == nil {
		return state.Open(dir)
	}
	dsn, known := databases.Load(dir)
	if !known {
		made, err := server.Make()
		if err != nil {
			return nil, err
		}
		dsn = made
		databases.Store(dir, made)
	}
	return state.OpenPostgres(context.Background(), dsn.(string), dir)
}
