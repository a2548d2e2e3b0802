package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options are how a database is reached.
type Options struct {
	// DSN returns the connection string, in the form of a URL or of key=value. It is asked before each connection, so that
	// a changed password counts without a restart.
	DSN func() (string, error)
	// Holder names this process to others.
	Holder string
	// Migrate brings tables of an older version to the present one. Otherwise they are an *[OldTablesError]. An empty database
	// is always given its tables.
	Migrate bool
}

const (
	// connections is how many work with tenants at most, unless the connection string has pool_max_conns.
	connections = 16
	// reserved is how many there are in addition for leases and the registry: a renewal must not wait for work.
	reserved = 4
	// connectTimeout is how long a connection may take, unless the connection string has connect_timeout.
	connectTimeout = 10 * time.Second
)

// Connect connects to a database. An empty one is given its tables.
func Connect(ctx context.Context, o Options) (*Server, error) {
	work, err := configOf(o.DSN)
	if err != nil {
		return nil, err
	}
	first := work.ConnConfig.Copy()
	first.DefaultQueryExecMode = pgx.QueryExecModeExec // it keeps nothing in the server
	c, err := pgx.ConnectConfig(ctx, first)
	if err != nil {
		return nil, explain(fmt.Errorf("connect to the state's database: %w", err))
	}
	defer c.Close(context.WithoutCancel(ctx))
	pooled, err := prepare(ctx, c, o.Migrate)
	if err != nil {
		return nil, explain(err)
	}
	if pooled {
		work.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	own := work.Copy()
	own.MaxConns = reserved
	s := &Server{holder: o.Holder, clock: time.Now, Pooled: pooled}
	if s.pool, err = pgxpool.NewWithConfig(ctx, work); err != nil {
		return nil, fmt.Errorf("connect to the state's database: %w", err)
	}
	if s.reserved, err = pgxpool.NewWithConfig(ctx, own); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("connect to the state's database: %w", err)
	}
	return s, nil
}

// configOf returns how connections are made.
func configOf(dsn func() (string, error)) (*pgxpool.Config, error) {
	text, err := dsn()
	if err != nil {
		return nil, fmt.Errorf("connect to the state's database: %w", err)
	}
	config, err := parse(text)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(text, "pool_max_conns") {
		config.MaxConns = connections
	}
	if _, given := config.ConnConfig.RuntimeParams["application_name"]; !given {
		config.ConnConfig.RuntimeParams["application_name"] = "entrasync"
	}
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		text, err := dsn()
		if err != nil {
			return err
		}
		fresh, err := parse(text)
		if err != nil {
			return err
		}
		now := fresh.ConnConfig
		c.Host, c.Port, c.Database, c.User, c.Password = now.Host, now.Port, now.Database, now.User, now.Password
		c.TLSConfig, c.Fallbacks = now.TLSConfig, now.Fallbacks
		return nil
	}
	return config, nil
}

// parse reads a connection string. What pgx says of one that it cannot read may hold the password.
func parse(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("connect to the state's database: the connection string cannot be read; write it as postgres://user:password@host:5432/database?sslmode=verify-full, with characters such as @ / : # of the password in percent-encoding")
	}
	if config.ConnConfig.ConnectTimeout == 0 || config.ConnConfig.ConnectTimeout > connectTimeout && !strings.Contains(dsn, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// Describe names a database for people, without its password.
func Describe(dsn string) string {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return "PostgreSQL"
	}
	c := config.ConnConfig
	host := c.Host
	if !strings.HasPrefix(host, "/") {
		host = net.JoinHostPort(host, strconv.Itoa(int(c.Port)))
	}
	return fmt.Sprintf("PostgreSQL database %s at %s", c.Database, host)
}

// A RefusedError says why a database cannot hold the state as it is, and what to do.
type RefusedError struct {
	Why   string
	Cause error
}

// Error says why, with what the server said.
func (e *RefusedError) Error() string {
	if e.Cause == nil {
		return e.Why
	}
	return fmt.Sprintf("%s (%s)", e.Why, oneLine(e.Cause.Error()))
}

// oneLine puts a text of several lines in one. pgx tells each attempt to connect on a line of its own, also where two
// are alike.
func oneLine(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, " ")
}

// Unwrap returns what the server said.
func (e *RefusedError) Unwrap() error { return e.Cause }

// explain adds to an error of the server what to do about it. The codes are PostgreSQL's (appendix A of its manual).
func explain(err error) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		if failed := (*pgconn.ConnectError)(nil); errors.As(err, &failed) {
			return &RefusedError{Why: "connect to the state's database: it cannot be reached; see that the server runs, and that the host, the port, TLS and the firewall are right", Cause: failed}
		}
		return err
	}
	why := map[string]string{
		"28P01": "the state's database refuses the password: correct the connection string",
		"28000": "the state's database refuses this user or address: see its pg_hba.conf",
		"3D000": "the state's database does not exist: make it with CREATE DATABASE, or correct the connection string",
		"42501": "the user of the state's database may not make or use its tables: make it the owner of the database or of a schema",
		"53300": fmt.Sprintf("the state's database has too few connections: raise max_connections, or lower pool_max_conns in the connection string; a worker takes up to %d", connections+reserved),
		"25006": "the state's database is read-only, such as a replica: name the primary in the connection string",
		"57P03": "the state's database is starting or stopping: try again",
	}[said.Code]
	if why == "" {
		return err
	}
	return &RefusedError{Why: why, Cause: err}
}
