package scimtest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed zabbix/setup.sql
var zabbixSetup string

// A ZabbixCluster is Zabbix 7 as zabbix/install has put it into a folder, with a PostgreSQL of its own that
// holds its tables. Its SCIM knows userName, which never changes, active, and what is mapped to a user's
// name. It keeps no externalId and shows no displayName. A filter is answered with the one resource itself,
// pages are ignored, active is always shown true, a deletion only switches a user off and is answered with 200,
// as every request is, and members are changed as a whole only. The scripts of testdata/stories count on
// what it does not have; testdata/zabbix has what can be told of it.
type ZabbixCluster struct {
	dir    string // of the installation
	socket string // folder of the database's socket
	made   int
}

// StartZabbix starts the database. It ends with the test.
func StartZabbix(tb testing.TB, dir string) *ZabbixCluster {
	tb.Helper()
	z := &ZabbixCluster{dir: dir}
	var err error
	if z.socket, err = os.MkdirTemp("", "zabbix"); err != nil {
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
	ctl := filepath.Join(bin, "pg_ctl")
	z.postgres(tb, "", ctl, "-D", data, "-w", "-t", "120", "-l", filepath.Join(z.socket, "log"), "-o",
		fmt.Sprintf("-k %s -c listen_addresses='' -c fsync=off -c full_page_writes=off", z.socket), "start")
	tb.Cleanup(func() { z.postgres(tb, "", ctl, "-D", data, "-m", "immediate", "stop") })
	z.postgres(tb, "", "createdb", "-h", z.socket, "-U", "postgres", "tables")
	for _, file := range []string{"schema", "images", "data"} {
		out, err := exec.Command("zcat", filepath.Join(dir, "root/usr/share/zabbix-server-pgsql", file+".sql.gz")).Output()
		if err != nil {
			tb.Fatalf("read Zabbix's %s: %v", file, err)
		}
		z.sql(tb, "tables", string(out))
	}
	return z
}

// postgres runs a command of PostgreSQL, which refuses to be root.
func (z *ZabbixCluster) postgres(tb testing.TB, input, name string, args ...string) string {
	tb.Helper()
	argv := append([]string{name}, args...)
	if os.Geteuid() == 0 {
		argv = append([]string{"runuser", "-u", "postgres", "--"}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin = "/", strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, errs.String())
	}
	return out.String()
}

func (z *ZabbixCluster) sql(tb testing.TB, database, text string, args ...string) string {
	tb.Helper()
	return z.postgres(tb, text, "psql", append([]string{"-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", z.socket, "-U", "postgres", database}, args...)...)
}

// Zabbix starts a fresh Zabbix. Only Token of the options counts.
func (z *ZabbixCluster) Zabbix(tb testing.TB, opts Options) *Server {
	tb.Helper()
	opts = withDefaults(opts)
	z.made++
	database := fmt.Sprintf("zabbix%d", z.made)
	z.postgres(tb, "", "createdb", "-h", z.socket, "-U", "postgres", "-T", "tables", database)
	z.sql(tb, database, zabbixSetup, "-v", "token="+opts.Token)
	address := z.php(tb, database)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", address
		r.Out.URL.Path = "/api_scim.php" + strings.TrimPrefix(r.In.URL.Path, "/v2")
		r.Out.URL.RawPath = ""
	}}
	s := start(tb, opts, proxy)
	s.inactive = func(tb testing.TB) map[string]bool {
		ids := map[string]bool{}
		for _, id := range strings.Fields(z.sql(tb, database, "select userid from users where roleid is null")) {
			ids[id] = true
		}
		return ids
	}
	return s
}

// php serves Zabbix's pages with PHP's own server, and returns its address.
func (z *ZabbixCluster) php(tb testing.TB, database string) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "php", "-S", address, "-t", filepath.Join(z.dir, "root/usr/share/zabbix"))
	cmd.Dir = filepath.Join(z.dir, "root/usr/share/zabbix")
	cmd.Env = append(os.Environ(), "ZABBIX_SOCKET="+z.socket, "ZABBIX_DATABASE="+database)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { cancel(); cmd.Wait() })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get((&url.URL{Scheme: "http", Host: address, Path: "/api_scim.php/ServiceProviderConfig"}).String())
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return address
			}
		}
		if time.Now().After(deadline) {
			tb.Fatalf("Zabbix does not answer: %v", err)
		}
	}
}
