package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/state/postgres/pgtest"
)

// databasePassword is in every connection string. The server of the tests asks for none.
const databasePassword = "the-database-password-of-no-output"

// TestFleet are stories with the state in PostgreSQL. In addition to the other commands there are:
//
//	second VERB …     a second worker, as service
//	database lose     ends the connections, and lets no new ones be made
//	database back     lets connections be made again
func TestFleet(t *testing.T) {
	t.Parallel()
	server := pgtest.Run(t)
	t.Run("scripts", func(t *testing.T) {
		files, err := filepath.Glob("testdata/fleet/*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatalf("no scripts: %v", err)
		}
		runScriptFilesWith(t, files, "elimity", func(env *testscript.Env) error {
			d, err := newScriptDatabase(server, env)
			if err == nil {
				env.Values[worldKey{}].(*world).database = d
			}
			return err
		})
	})
}

// A scriptDatabase is the database of one script. The file dsn in the script's folder leads to it.
type scriptDatabase struct {
	server *pgtest.Server
	url    string
	file   string
}

func newScriptDatabase(server *pgtest.Server, env *testscript.Env) (*scriptDatabase, error) {
	url, err := server.Make()
	if err != nil {
		return nil, err
	}
	d := &scriptDatabase{server: server, file: filepath.Join(env.WorkDir, "dsn")}
	_, schema, _ := strings.Cut(url, "search_path=")
	d.url = fmt.Sprintf("%s&password=%s&application_name=%s", url, databasePassword, schema)
	env.Setenv("DSN", d.url)
	env.Setenv("DB_PASSWORD", databasePassword)
	config, err := os.ReadFile("testdata/fleet.yaml")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "entrasync.yaml"), config, 0o600); err != nil {
		return nil, err
	}
	return d, d.back()
}

func (d *scriptDatabase) back() error { return os.WriteFile(d.file, []byte(d.url+"\n"), 0o600) }

func (d *scriptDatabase) lose() error {
	if err := os.WriteFile(d.file, []byte(strings.Replace(d.url, "host=", "host=/nowhere", 1)), 0o600); err != nil {
		return err
	}
	return d.server.Disconnect(d.url)
}

func (w *world) databaseCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || w.database == nil {
		ts.Fatalf("usage: database lose|back, in a script of testdata/fleet")
	}
	switch args[0] {
	case "lose":
		ts.Check(w.database.lose())
	case "back":
		ts.Check(w.database.back())
	default:
		ts.Fatalf("database %s: no such verb", args[0])
	}
}

func (w *world) secondCommand(ts *testscript.TestScript, neg bool, args []string) {
	w.daemon(ts, &w.second, neg, args)
}
