// Package sql provisions an application by its database: PostgreSQL, MySQL or MariaDB, SQLite, SQL Server. A configuration
// maps attributes to the columns of a table for users and one for groups.
//
// statements.go builds every statement from that mapping, without a database: identifiers are quoted, values are bound,
// and each condition holds the columns that the configuration fixes, so that no statement can touch a row of another
// owner. dialect.go has what differs between databases; each has a file of its own for what needs a connection.
//
// One operation is one transaction. A result is checked again in Go before it is believed: a database compares texts by
// rules of its own. See configs/docs/sql.md for what users are told.
package sql

import (
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entrasync/target"
)

const (
	defaultTimeout     = time.Minute
	defaultConcurrency = 4
)

// An Adapter provisions one application by its database. Its methods may be called concurrently.
type Adapter struct {
	cfg       Config
	engine    engine
	users     *table
	groups    *table // nil: there are none
	members   *Members
	overrides map[string]*override

	sent atomic.Int64 // statements

	mu   sync.Mutex // protects open
	open *handle    // nil: not connected
}

var (
	_ target.Adapter         = (*Adapter)(nil)
	_ target.Lister          = (*Adapter)(nil)
	_ target.Getter          = (*Adapter)(nil)
	_ target.Sized           = (*Adapter)(nil)
	_ target.MemberWriter    = (*Adapter)(nil)
	_ target.MemberReader    = (*Adapter)(nil)
	_ target.Closer          = (*Adapter)(nil)
	_ target.TrafficReporter = (*Adapter)(nil)
	_ target.Limited         = (*Adapter)(nil)
)

// New returns an adapter. Nothing is read or sent before it is used.
func New(cfg Config) (*Adapter, error) {
	if faults := cfg.Faults(); len(faults) > 0 {
		return nil, errors.New(faults[0].Message)
	}
	e, ok := engines[cfg.Driver]
	if !ok {
		return nil, fmt.Errorf("driver: there is no driver %q", cfg.Driver)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = defaultConcurrency
	}
	a := &Adapter{cfg: cfg, engine: e, users: cfg.Users.table(target.User), overrides: map[string]*override{}}
	if cfg.Groups != nil {
		a.groups, a.members = cfg.Groups.table(), cfg.Groups.Members
	}
	for name, text := range cfg.Statements {
		parsed, err := parseOverride(text, e.dialect())
		if err != nil {
			return nil, fmt.Errorf("statements.%s: %w", name, err)
		}
		a.overrides[name] = parsed
	}
	return a, nil
}

// Concurrency implements [target.Limited].
func (a *Adapter) Concurrency() int { return a.cfg.Concurrency }

// Traffic implements [target.TrafficReporter]: statements that were sent.
func (a *Adapter) Traffic() target.Traffic { return target.Traffic{Requests: a.sent.Load()} }

// table returns that of a kind, or the error of a kind that is not kept.
func (a *Adapter) table(op string, kind target.Kind) (*table, error) {
	switch {
	case kind == target.User:
		return a.users, nil
	case kind == target.Group && a.groups != nil:
		return a.groups, nil
	}
	return nil, &target.Error{Op: op, Code: target.Unsupported, Message: "the target's configuration has no section " + string(kind) + "s",
		Hint: "add the section, or set " + string(kind) + "s.enabled to false in the sync"}
}

// A handle is a connected database and what was learned about its tables.
type handle struct {
	db *stdsql.DB

	writing sync.Mutex // held by the transaction that changes, where a database takes one at a time

	mu     sync.Mutex // protects what follows
	tables map[string]*described
	ready  map[string]*stdsql.Stmt // by text
}

// Place returns what tells the accounts of two configurations apart: the database, the tables and the fixed columns. A
// connection string that cannot be read counts as whole, without its password where one can be told.
func (c Config) Place(dsn string) string {
	where := "unreadable"
	if e, ok := engines[c.Driver]; ok {
		if place, err := e.place(dsn, c.Folder); err == nil {
			where = place
		}
	}
	words := []string{c.Driver, where, c.Users.Table, c.Users.ID.name()}
	words = append(words, c.Users.table(target.User).fixedWords()...)
	if c.Groups != nil {
		words = append(append(words, c.Groups.Table, c.Groups.ID.name()), c.Groups.table().fixedWords()...)
	}
	return strings.Join(words, "\x00")
}

func opName(verb string, kind target.Kind) string { return verb + " " + string(kind) }
