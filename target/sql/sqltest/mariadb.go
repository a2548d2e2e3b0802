package sqltest

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
)

// A MariaDB is a running server: the one that Debian installs, with its data in a temporary folder and a Unix socket
// there.
type MariaDB struct {
	dir  string
	as   *account // nil: this user
	proc *exec.Cmd
	next atomic.Int64
}

// An account is a user of this machine.
type account struct{ user, group int }

// ErrNoMariaDB means that MariaDB is not installed.
var ErrNoMariaDB = errors.New("MariaDB is not installed; run: apt-get install mariadb-server")

// StartMariaDB starts a server. Stop it when done.
func StartMariaDB() (s *MariaDB, err error) {
	server, err := exec.LookPath("mariadbd")
	if err != nil {
		server = "/usr/sbin/mariadbd"
	}
	if _, err := os.Stat(server); err != nil {
		return nil, ErrNoMariaDB
	}
	s = &MariaDB{}
	if s.dir, err = os.MkdirTemp("/tmp", "entrasync-maria"); err != nil { // the name of a socket is short
		return nil, err
	}
	dir := s.dir
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if os.Geteuid() == 0 { // it does not run as root
		if err := s.demote(); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(s.dir, "data")
	if out, err := s.command("mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--innodb-flush-method=nosync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	s.proc = s.command(server, "--no-defaults", "--datadir="+data, "--socket="+s.socket(), "--skip-networking", "--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=2", "--max-connections=200", "--pid-file="+s.dir+"/pid")
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.proc.Stdout, s.proc.Stderr = log, log
	if err := s.proc.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := s.tell("SELECT 1")
		if err == nil {
			return s, nil
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			_ = s.Stop()
			return nil, fmt.Errorf("MariaDB does not answer: %w\n%s", err, text)
		}
	}
}

// demote has the server run as the user that Debian's package makes.
func (s *MariaDB) demote() error {
	known, err := user.Lookup("mysql")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoMariaDB, err)
	}
	uid, err1 := strconv.Atoi(known.Uid)
	gid, err2 := strconv.Atoi(known.Gid)
	s.as = &account{uid, gid}
	return errors.Join(err1, err2, os.Chown(s.dir, uid, gid))
}

func (s *MariaDB) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, attributes(s.as)
	cmd.Env = append(os.Environ(), "TMPDIR="+s.dir) // that of the tests may be closed to its user
	return cmd
}

func (s *MariaDB) socket() string { return filepath.Join(s.dir, "s") }

func (s *MariaDB) dsn(database string) string {
	return fmt.Sprintf("root@unix(%s)/%s", s.socket(), database)
}

func (s *MariaDB) tell(statement string) error {
	db, err := stdsql.Open("mysql", s.dsn(""))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.Background(), statement)
	return errors.Join(err, db.Close())
}

// Make makes an empty database and returns its connection string.
func (s *MariaDB) Make() (dsn string, err error) {
	name := fmt.Sprintf("test%d", s.next.Add(1))
	return s.dsn(name), s.tell("CREATE DATABASE " + name + " CHARACTER SET utf8mb4")
}

// Stop ends the server and removes what it stored.
func (s *MariaDB) Stop() error {
	err := s.proc.Process.Kill()
	if err == nil {
		_ = s.proc.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
