package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

type postgres struct{}

var postgresDialect = &dialect{
	name: "PostgreSQL", open: `"`, close: `"`, mark: dollar,
	text:      func(expr string) string { return expr + "::text" },
	fold:      func(mark string) string { return "lower(" + mark + ")" },
	exact:     func(expr, mark string) string { return expr + "::text = " + mark + "::text" },
	returning: true, emptyRow: "DEFAULT VALUES", alone: true, keeps: true, booleans: true, dollars: true,
}

func (postgres) dialect() *dialect { return postgresDialect }

func (postgres) snapshot() *stdsql.TxOptions {
	return &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true}
}

func (postgres) connect(dsn string, cfg *Config) (*stdsql.DB, string, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, "", errors.New("it is no connection string of PostgreSQL, such as postgres://user:password@host/database")
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "entrasync"
	}
	if _, set := c.RuntimeParams["statement_timeout"]; !set {
		// Before this side gives up: what the server itself has ended was certainly not done.
		c.RuntimeParams["statement_timeout"] = strconv.FormatInt(cfg.Timeout.Milliseconds()*9/10, 10)
	}
	return stdlib.OpenDB(*c), c.Password, nil
}

func (postgres) place(dsn, _ string) (string, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s:%d/%s?%s", c.Host, c.Port, c.Database, c.RuntimeParams["search_path"]), nil
}

func (postgres) classify(err error) (problem, bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return problem{notSent: pgconn.SafeToRetry(err)}, false
	}
	p := problem{column: e.ColumnName}
	switch e.Code {
	case "23505":
		p.is = taken
	case "23503":
		p.is = dangling
	case "22P02", "22003", "22007", "22008":
		p.is = malformed
	case "40001", "40P01":
		p.is = deadlock
	case "42501":
		p.is = forbidden
	case "25006":
		p.is = readOnly
	case "42P01", "42703", "3F000", "3D000", "42883", "42804":
		p.is = misfit
	case "55P03", "57014":
		p.is = busy
	default:
		switch e.Code[:min(2, len(e.Code))] {
		case "28":
			p.is = unauthorized
		case "53", "58":
			p.is = busy
		case "57", "08": // the server or the connection ends: whether it still did what it was told cannot be known
			return p, false
		}
	}
	return p, true
}

func (postgres) describe(ctx context.Context, db runner, name string) (*described, error) {
	d := &described{columns: map[string]*fact{}}
	table := postgresDialect.table(name)
	err := each(ctx, db, `SELECT a.attname, format_type(a.atttypid, NULL), t.typcategory = 'S', t.typcategory = 'B', NOT a.attnotnull,
		a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> ''
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`, []any{table},
		func(scan func(...any) error) error {
			var column string
			f := &fact{}
			err := scan(&column, &f.kind, &f.textual, &f.boolean, &f.nullable, &f.filled)
			d.columns[column] = f
			return err
		})
	if err != nil {
		return nil, err
	}
	var last string
	err = each(ctx, db, `SELECT i.indexrelid::text, i.indisunique, pg_get_indexdef(i.indexrelid, k, true)
		FROM pg_index i, generate_series(1, i.indnkeyatts) k WHERE i.indrelid = to_regclass($1) AND i.indisvalid ORDER BY i.indexrelid, k`, []any{table},
		func(scan func(...any) error) error {
			var id, key string
			var unique bool
			if err := scan(&id, &unique, &key); err != nil {
				return err
			}
			if id != last {
				d.indexes = append(d.indexes, index{unique: unique})
				last = id
			}
			i := &d.indexes[len(d.indexes)-1]
			i.keys = append(i.keys, plainKey(key))
			return nil
		})
	return d, err
}

// plainKey brings the key of an index into one form: name or lower(name).
func plainKey(key string) string {
	plain := strings.NewReplacer(`"`, "", "::text", "", "`", "", "[", "", "]", "").Replace(key)
	if inner, ok := strings.CutPrefix(strings.ToLower(plain), "lower("); ok {
		return "lower(" + strings.Trim(plain[len(plain)-len(inner):], "()") + ")"
	}
	return plain
}

func (postgres) denied(ctx context.Context, db runner, table string, wanted []string) (missing []string, err error) {
	for _, privilege := range wanted {
		// A privilege on columns is enough where each statement needs no others; PREPARE would not tell.
		err := each(ctx, db, `SELECT coalesce(has_table_privilege(to_regclass($1), $2) OR ($2 <> 'DELETE' AND has_any_column_privilege(to_regclass($1), $2)), false)`,
			[]any{postgresDialect.table(table), privilege}, func(scan func(...any) error) error {
				var ok bool
				err := scan(&ok)
				if !ok {
					missing = append(missing, privilege)
				}
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return missing, nil
}
