package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

type sqlite struct{}

// Backquotes: what stands in double quotes and is no column would count as a text.
var sqliteDialect = &dialect{
	name: "SQLite", open: "`", close: "`", mark: question,
	text:      func(expr string) string { return "CAST(" + expr + " AS TEXT)" },
	fold:      func(mark string) string { return "lower(" + mark + ")" },
	exact:     func(expr, mark string) string { return "CAST(" + expr + " AS TEXT) = " + mark + " COLLATE BINARY" },
	returning: true, emptyRow: "DEFAULT VALUES", oneWriter: true,
}

func (sqlite) dialect() *dialect { return sqliteDialect }

func (sqlite) snapshot() *stdsql.TxOptions { return &stdsql.TxOptions{ReadOnly: true} }

// file splits a connection string into the path of the file and what follows it.
func (sqlite) file(dsn, folder string) (path, query string, err error) {
	path, query, _ = strings.Cut(strings.TrimSpace(dsn), "?")
	if rest, ok := strings.CutPrefix(path, "file:"); ok {
		if path, err = url.PathUnescape(strings.TrimPrefix(rest, "//")); err != nil {
			return "", "", err
		}
	}
	switch {
	case path == "" || strings.Contains(path, ":memory:") || strings.Contains(query, "mode=memory"):
		return "", "", errors.New("it names no file")
	case !filepath.IsAbs(path):
		path = filepath.Join(folder, path)
	}
	path, err = filepath.Abs(path)
	return path, query, err
}

func (s sqlite) connect(dsn string, cfg *Config) (*stdsql.DB, string, error) {
	path, query, err := s.file(dsn, cfg.Folder)
	if err != nil {
		return nil, "", errors.New("it is no file of SQLite, such as app.db")
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return nil, "", errors.New("what follows the ? is no list of settings, such as _pragma=foreign_keys(1)")
	}
	if !settings.Has("mode") {
		settings.Set("mode", "rw") // a file that is not there is a mistake, and is not made
	}
	// First in the list, so that a pragma of the configuration has the last word.
	pragmas := []string{fmt.Sprintf("busy_timeout(%d)", (cfg.Timeout / 2).Milliseconds()), "foreign_keys(1)"}
	settings["_pragma"] = append(pragmas, settings["_pragma"]...)
	settings.Set("_txlock", "immediate")
	// On Windows file:///C:/app.db.
	path = "/" + strings.TrimPrefix(filepath.ToSlash(path), "/")
	db, err := stdsql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: "//" + (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}).String())
	return db, "", err
}

func (s sqlite) place(dsn, folder string) (string, error) {
	path, _, err := s.file(dsn, folder)
	return path, err
}

func (sqlite) classify(err error) (problem, bool) {
	var e *sqlitedriver.Error
	if !errors.As(err, &e) {
		return problem{notSent: errors.Is(err, driver.ErrBadConn)}, false
	}
	p := problem{}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		p.is = taken
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		p.is = dangling
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		if i := strings.LastIndexByte(e.Error(), '.'); i >= 0 {
			p.column, _, _ = strings.Cut(e.Error()[i+1:], " ")
		}
	default:
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			p.is = deadlock
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			p.is = readOnly
		case sqlite3.SQLITE_CANTOPEN:
			p.is = absent
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			p.is = misfit
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
			p.is = busy
		case sqlite3.SQLITE_INTERRUPT:
			return problem{}, false
		case sqlite3.SQLITE_ERROR:
			if strings.Contains(e.Error(), "no such ") || strings.Contains(e.Error(), "has no column") {
				p.is = misfit
			}
		}
	}
	return p, true
}

func (sqlite) describe(ctx context.Context, db runner, name string) (*described, error) {
	d := &described{columns: map[string]*fact{}}
	schema, table := schemaAndTable(name)
	if schema == "" {
		schema = "main"
	}
	err := each(ctx, db, `SELECT name, upper(type), "notnull" = 0, dflt_value IS NOT NULL OR pk > 0 OR hidden > 1 FROM pragma_table_xinfo(?, ?)`, []any{table, schema},
		func(scan func(...any) error) error {
			var column string
			f := &fact{}
			err := scan(&column, &f.kind, &f.nullable, &f.filled)
			f.boolean = strings.HasPrefix(f.kind, "BOOL")
			f.textual = strings.Contains(f.kind, "CHAR") || strings.Contains(f.kind, "TEXT") || strings.Contains(f.kind, "CLOB")
			d.columns[column] = f
			return err
		})
	if err != nil {
		return nil, err
	}
	var last string
	err = each(ctx, db, `SELECT l.name, l."unique", coalesce(x.name, ''), coalesce(x.coll, ''), coalesce((SELECT sql FROM sqlite_schema s WHERE s.name = l.name), '')
		FROM pragma_index_list(?1, ?2) l, pragma_index_xinfo(l.name, ?2) x WHERE x.key ORDER BY l.name, x.seqno`, []any{table, schema},
		func(scan func(...any) error) error {
			var id, key, collation, made string
			var unique bool
			if err := scan(&id, &unique, &key, &collation, &made); err != nil {
				return err
			}
			if id != last || len(d.indexes) == 0 {
				d.indexes = append(d.indexes, index{unique: unique})
				last = id
			}
			i := &d.indexes[len(d.indexes)-1]
			switch {
			case key == "": // an expression, which only the text of the index has
				key = lowered(made)
			case strings.EqualFold(collation, "NOCASE"):
				key = "lower(" + key + ")"
			}
			i.keys = append(i.keys, key)
			return nil
		})
	if err != nil || len(d.columns) == 0 {
		return d, err
	}
	// The key of a table without a name of its own, INTEGER PRIMARY KEY, has no index in the list.
	err = each(ctx, db, `SELECT name FROM pragma_table_xinfo(?, ?) WHERE pk = 1 AND upper(type) = 'INTEGER'`, []any{table, schema}, func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		d.indexes = append(d.indexes, index{unique: true, keys: []string{key}})
		return err
	})
	return d, err
}

// lowered returns the first lower(name) of an index's text, "" for none.
func lowered(made string) string {
	at := strings.Index(strings.ToLower(made), "lower(")
	if at < 0 {
		return ""
	}
	inner, _, _ := strings.Cut(made[at+len("lower("):], ")")
	return "lower(" + strings.Trim(strings.TrimSpace(inner), "\"`[]") + ")"
}

// denied deletes no row, which a file that can only be read refuses all the same.
func (s sqlite) denied(ctx context.Context, db runner, table string, _ []string) ([]string, error) {
	_, err := db.ExecContext(ctx, "DELETE FROM "+sqliteDialect.table(table)+" WHERE 0")
	return nil, err
}
