package sql

import (
	"context"
	stdsql "database/sql"
	"strconv"
	"strings"
	"time"
)

// A dialect is what the text of statements differs in.
type dialect struct {
	name  string
	open  string // quotes an identifier: what stands before it,
	close string // and behind it; doubled where it is part of the name

	mark  func(n int) string             // the n-th parameter, from 1
	text  func(expr string) string       // an expression as text
	fold  func(mark string) string       // the lower-case form of a parameter that is compared with lower()
	exact func(expr, mark string) string // whether an expression, as text, has exactly the bytes of a parameter

	returning bool // INSERT and UPDATE … RETURNING
	output    bool // INSERT and UPDATE … OUTPUT INSERTED, and TOP in place of LIMIT
	coerces   bool // = makes numbers of texts: 'abc' = 0
	emptyRow  string
	oneWriter bool // one transaction changes at a time
	keeps     bool // the driver keeps statements that were prepared
	alone     bool // one statement is a transaction that costs less than BEGIN and COMMIT
	booleans  bool // true and false are written as such
	escapes   bool // a backslash in a text quotes the next character
	dollars   bool // $tag$ begins a text
}

// An engine is one kind of database.
type engine interface {
	dialect() *dialect

	// connect returns a pool, without having used it. The secret that a connection string holds is returned for redaction.
	connect(dsn string, cfg *Config) (db *stdsql.DB, secret string, err error)

	// place says which database a connection string leads to, without a credential.
	place(dsn, folder string) (string, error)

	// classify says what an error of the database is about; server is false where the database has not answered.
	classify(err error) (p problem, server bool)

	// describe reads what a table has. One that does not exist has no columns.
	describe(ctx context.Context, db runner, table string) (*described, error)

	// denied returns the privileges that are missing on a table, of SELECT, INSERT, UPDATE and DELETE.
	denied(ctx context.Context, db runner, table string, wanted []string) ([]string, error)

	// snapshot are the options of a transaction whose reads all see one state.
	snapshot() *stdsql.TxOptions
}

// A runner sends statements: a pool or a transaction.
type runner interface {
	QueryContext(ctx context.Context, query string, args ...any) (*stdsql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (stdsql.Result, error)
	PrepareContext(ctx context.Context, query string) (*stdsql.Stmt, error)
}

var engines = map[string]engine{"postgres": postgres{}, "mysql": mysql{}, "sqlite": sqlite{}, "sqlserver": sqlserver{}}

// quote returns a name as an identifier.
func (d *dialect) quote(name string) string {
	return d.open + strings.ReplaceAll(name, d.close, d.close+d.close) + d.close
}

// table returns a name of several parts.
func (d *dialect) table(name string) string {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = d.quote(parts[i])
	}
	return strings.Join(parts, ".")
}

func dollar(n int) string   { return "$" + strconv.Itoa(n) }
func question(int) string   { return "?" }
func numbered(n int) string { return "@p" + strconv.Itoa(n) }

// A described table is what the database says of it.
type described struct {
	columns map[string]*fact
	indexes []index
}

// A fact is what the database says of a column.
type fact struct {
	kind     string // as the database names the type
	textual  bool
	boolean  bool
	nullable bool
	filled   bool // has a value where an INSERT names none
	anyCase  bool // = compares in any case
}

// An index has keys: names of columns, or lower(name). One with a condition covers part of the rows.
type index struct {
	unique bool
	keys   []string
}

func (d *described) fact(name string) *fact {
	if f := d.columns[name]; f != nil {
		return f
	}
	return &fact{nullable: true}
}

// within bounds one statement or operation.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
