package scimtest

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"log"
	"net/http/httputil"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

//go:embed zabbix/setup.sql
var zabbixSetup string

// A ZabbixCluster is Zabbix 7 as zabbix/install has put it into a folder, with a PostgreSQL of its own that
// holds its tables. Its SCIM knows userName, which never changes, active, and what is mapped to a user's
// name. It keeps no externalId and shows no displayName. A filter is answered with the one resource itself,
// pages are ignored, active is always shown true, a deletion only switches a user off and is answered with 200,
// as every request is, and members are changed as a whole only. A new user cannot sign in before a PATCH of
// active or a membership, and a change of memberships switches a user on.
type ZabbixCluster struct {
	dir    string // of the installation
	socket string // folder of the database's socket
	made   atomic.Int64
	pool   *postgresPool // which Zabbix connects to
}

// StartZabbix starts the database. It ends with the test.
func StartZabbix(tb testing.TB, dir string) *ZabbixCluster {
	tb.Helper()
	z := &ZabbixCluster{dir: dir}
	var err error
	if z.socket, err = os.MkdirTemp("/tmp", "zabbix"); err != nil { // PostgreSQL's user can reach it, and its name is short
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(z.socket) })
	if owner, err := user.Lookup("postgres"); err == nil && os.Geteuid() == 0 {
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		if err := os.Chown(z.socket, uid, gid); err != nil {
			tb.Fatal(err)
		}
	}
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		tb.Fatal("Zabbix needs PostgreSQL: see zabbix/install")
	}
	bin, data := bins[len(bins)-1], filepath.Join(z.socket, "data")
	z.postgres(tb, "", filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N")
	server := supervise("QUIT", "/", nil, z.asPostgres(filepath.Join(bin, "postgres"), "-D", data, "-k", z.socket,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")...)
	output, err := server.start()
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	tb.Cleanup(server.stop)
	if said, err := lineWith(output, "ready to accept connections", "FATAL"); err != nil || strings.Contains(said, "FATAL") {
		tb.Fatalf("start PostgreSQL: %s (%v)", said, err)
	}
	pool := filepath.Join(z.socket, "pool") // a short name: the path of a socket has 107 bytes at most
	if err := os.Mkdir(pool, 0o700); err != nil {
		tb.Fatal(err)
	}
	z.pool = startPostgresPool(tb, pool, z.socket)
	z.postgres(tb, "", "createdb", "-h", z.socket, "-U", "postgres", "tables")
	for _, file := range []string{"schema", "data"} {
		out, err := exec.Command("zcat", filepath.Join(dir, "root/usr/share/zabbix-server-pgsql", file+".sql.gz")).Output()
		if err != nil {
			tb.Fatalf("read Zabbix's %s: %v", file, err)
		}
		text, _, cut := strings.Cut(string(out), "\nINSERT INTO hosts (") // templates of monitoring, 99 % of the data
		if cut {
			text += "\nCOMMIT;"
		}
		z.sql(tb, "tables", text)
	}
	return z
}

// postgres runs a command of PostgreSQL, which refuses to be root.
func (z *ZabbixCluster) postgres(tb testing.TB, input, name string, args ...string) string {
	tb.Helper()
	argv := z.asPostgres(append([]string{name}, args...)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin = "/", strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, errs.String())
	}
	return out.String()
}

func (z *ZabbixCluster) asPostgres(argv ...string) []string {
	if os.Geteuid() == 0 {
		return append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"}, argv...)
	}
	return argv
}

func (z *ZabbixCluster) sql(tb testing.TB, database, text string, args ...string) string {
	tb.Helper()
	return z.postgres(tb, text, "psql", append([]string{"-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", z.socket, "-U", "postgres", database}, args...)...)
}

func (z *ZabbixCluster) copyDatabase(tb testing.TB, from, to string) {
	tb.Helper()
	z.pool.drop() // a database that is copied has no users
	z.postgres(tb, "", "createdb", "-h", z.socket, "-U", "postgres", "-T", from, to)
}

// Zabbix starts a fresh Zabbix. Only Token of the options counts.
func (z *ZabbixCluster) Zabbix(tb testing.TB, opts Options) *Server {
	tb.Helper()
	opts = withDefaults(opts)
	database := fmt.Sprintf("zabbix%d", z.made.Add(1))
	z.copyDatabase(tb, "tables", database)
	z.sql(tb, database, zabbixSetup, "-v", "token="+opts.Token)
	php := &phpServer{dir: filepath.Join(z.dir, "root/usr/share/zabbix"), env: []string{"ZABBIX_SOCKET=" + z.pool.dir, "ZABBIX_DATABASE=" + database}}
	php.start(tb)
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", php.address.Load().(string)
		r.Out.URL.Path = "/api_scim.php" + strings.TrimPrefix(r.In.URL.Path, "/v2")
		r.Out.URL.RawPath = ""
	}}
	s := start(tb, opts, proxy)
	by := &zabbixOperator{cluster: z, database: database, server: s}
	s.byHand, s.Stop, s.Resume, s.Backup, s.Restore = by, php.stop, php.start, by.backup, by.restore
	return s
}
