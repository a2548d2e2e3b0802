// Package pgtest starts a PostgreSQL server for tests: the one that is installed, as Debian does it, with a database of
// its own in a temporary folder and a Unix socket there. It writes to disk as in production.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a running PostgreSQL.
type Server struct {
	dir  string
	bin  string
	as   *account // nil: this user
	proc *exec.Cmd
	next atomic.Int64
}

// An account is the numbers of a user and a group.
type account struct{ user, group int }

// ErrMissing means that PostgreSQL is not installed, or may not be started here.
var ErrMissing = errors.New("PostgreSQL is not installed; run: apt-get install postgresql")

// Start starts a server. Stop it when done.
func Start() (s *Server, err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil, ErrMissing
	}
	s = &Server{bin: filepath.Dir(found[len(found)-1])}
	if s.dir, err = os.MkdirTemp("/tmp", "entrasync-pg"); err != nil { // the name of a socket is short
		return nil, err
	}
	dir := s.dir // s is nil where this function fails
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if os.Geteuid() == 0 { // PostgreSQL does not run as root
		if err := s.demote(); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(s.dir, "data")
	if out, err := s.command("initdb", "-D", data, "-U", "entrasync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.proc = s.command("postgres", "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=256MB")
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.proc.Stdout, s.proc.Stderr = log, log
	if err := s.proc.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := pgx.Connect(context.Background(), s.dsn("postgres"))
		if err == nil {
			return s, c.Close(context.Background())
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			_ = s.Stop()
			return nil, fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, text)
		}
	}
}

// demote has the server run as the user that Debian's package makes.
func (s *Server) demote() error {
	postgres, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	uid, err1 := strconv.Atoi(postgres.Uid)
	gid, err2 := strconv.Atoi(postgres.Gid)
	s.as = &account{uid, gid}
	return errors.Join(err1, err2, os.Chown(s.dir, uid, gid))
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, attributes(s.as)
	return cmd
}

// Run is Start for one test, which ends the server and is skipped where PostgreSQL is not installed.
func Run(tb testing.TB) *Server {
	tb.Helper()
	server, err := Start()
	if errors.Is(err, ErrMissing) {
		tb.Skip("NOT TESTED: the state in PostgreSQL: ", err)
	} else if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// Stop ends the server and removes what it stored.
func (s *Server) Stop() error {
	err := s.proc.Process.Signal(syscall.SIGQUIT) // "immediate shutdown"
	if err == nil {
		_ = s.proc.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) dsn(database string) string {
	return fmt.Sprintf("host=%s user=entrasync dbname=%s", s.dir, database)
}

// Database is Make for a test; it drops it when the test ends, and returns its connection string.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	url, err := s.Make()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP SCHEMA " + nameOf(url) + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return url
}

// Make makes an empty schema, which is as good as a database of its own and faster to make. It lasts as long as the
// server. It returns its connection string.
func (s *Server) Make() (url string, err error) {
	name := fmt.Sprintf("test%d", s.next.Add(1))
	return fmt.Sprintf("postgres:///postgres?host=%s&user=entrasync&search_path=%s", s.dir, name), s.exec("CREATE SCHEMA " + name)
}

// nameOf returns the name of a schema that Make has made.
func nameOf(url string) string {
	_, name, _ := strings.Cut(url, "search_path=")
	return name
}

// TakeOver has another worker own a tenant of a database, in place of its owner, until Release.
func (s *Server) TakeOver(url, tenant string) error {
	return s.tell(url, `UPDATE tenant SET token = token+1, holder = 'another', until = now() + interval '1 hour' WHERE id = $1`, tenant)
}

// Release ends the ownership of a tenant.
func (s *Server) Release(url, tenant string) error {
	return s.tell(url, `UPDATE tenant SET until = '-infinity' WHERE id = $1`, tenant)
}

func (s *Server) tell(url, statement string, args ...any) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement, args...)
	return errors.Join(err, c.Close(ctx))
}

// Rows returns what a query of one column of text finds.
func (s *Server) Rows(url, query string) ([]string, error) {
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	rows, _ := conn.Query(context.Background(), query)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (s *Server) exec(statement string) error { return s.tell(s.dsn("postgres"), statement) }

// Disconnect ends the connections whose application name is in a connection string.
func (s *Server) Disconnect(url string) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	return s.tell(s.dsn("postgres"), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1`, config.RuntimeParams["application_name"])
}
