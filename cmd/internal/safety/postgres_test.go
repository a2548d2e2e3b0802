package safety

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"entrasync/state/postgres/pgtest"
)

// The same histories with the state in PostgreSQL. Fewer of them: each step waits for the server's disk.
func TestHistoriesOnPostgres(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip("NOT TESTED: the state in PostgreSQL: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	told := 0
	rapid.Check(t, func(rt *rapid.T) {
		if told++; told > 6 && !t.Failed() {
			return
		}
		dsn, err := server.Make()
		if err != nil {
			t.Fatal(err)
		}
		relate(t, rt, dsn)
	})
}
