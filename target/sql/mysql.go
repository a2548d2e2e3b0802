package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"
)

type mysql struct{}

var mysqlDialect = &dialect{
	name: "MySQL", open: "`", close: "`", mark: question,
	text: func(expr string) string { return "CAST(" + expr + " AS CHAR)" },
	fold: func(mark string) string { return "lower(" + mark + ")" },
	exact: func(expr, mark string) string {
		return "CAST(CONVERT(" + expr + " USING utf8mb4) AS BINARY) = CAST(" + mark + " AS BINARY)"
	},
	coerces: true, emptyRow: "() VALUES ()", escapes: true,
}

func (mysql) dialect() *dialect { return mysqlDialect }

func (mysql) snapshot() *stdsql.TxOptions {
	return &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true}
}

func (mysql) connect(dsn string, cfg *Config) (*stdsql.DB, string, error) {
	c, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		return nil, "", errors.New("it is no connection string of MySQL, such as user:password@tcp(host:3306)/database?tls=true")
	}
	// A row that has the values already is not one that is missing; what was sent is never put into the text.
	c.ClientFoundRows, c.InterpolateParams, c.MultiStatements, c.AllowAllFiles, c.ParseTime = true, false, false, false, false
	c.Logger = log.New(io.Discard, "", 0) // errors are returned
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	if _, set := c.Params["sql_mode"]; !set { // a value that does not fit is an error, and is not cut
		c.Params["sql_mode"] = "CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
	}
	if c.Timeout == 0 {
		c.Timeout = cfg.Timeout
	}
	connector, err := mysqldriver.NewConnector(c)
	if err != nil {
		return nil, "", err
	}
	return stdsql.OpenDB(connector), c.Passwd, nil
}

func (mysql) place(dsn, _ string) (string, error) {
	c, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		return "", err
	}
	return c.Net + "(" + c.Addr + ")/" + c.DBName, nil
}

func (mysql) classify(err error) (problem, bool) {
	var e *mysqldriver.MySQLError
	if !errors.As(err, &e) {
		return problem{notSent: errors.Is(err, driver.ErrBadConn)}, false
	}
	p := problem{column: quotedColumn(e.Message)}
	switch e.Number {
	case 1062, 1586:
		p.is, p.column = taken, ""
	case 1451, 1452, 1216, 1217:
		p.is, p.column = dangling, ""
	case 1213, 1205, 1020:
		p.is = deadlock
	case 1044, 1142, 1143, 1227, 1370:
		p.is = forbidden
	case 1045, 1698, 1820:
		p.is = unauthorized
	case 1290, 1792, 1836:
		p.is = readOnly
	case 1146, 1054, 1049, 1305, 1064:
		p.is = misfit
	case 1040, 1041, 1203, 1226, 1021, 3024, 1969:
		p.is = busy
	case 1053, 1927, 1317: // the server or the connection is ended
		return p, false
	}
	return p, true
}

// quotedColumn returns the column that a message names, "" for none.
func quotedColumn(message string) string {
	_, rest, ok := strings.Cut(strings.ToLower(message), "column '")
	if !ok {
		return ""
	}
	at := len(message) - len(rest)
	name, _, _ := strings.Cut(message[at:], "'")
	return name
}

// schemaAndTable splits a name; "" is the schema of the connection.
func schemaAndTable(name string) (schema, table string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}

func (mysql) describe(ctx context.Context, db runner, name string) (*described, error) {
	d := &described{columns: map[string]*fact{}}
	schema, table := schemaAndTable(name)
	args := []any{schema, table}
	err := each(ctx, db, `SELECT column_name, column_type, character_maximum_length IS NOT NULL AND data_type NOT IN ('binary', 'varbinary', 'blob'),
		column_type = 'tinyint(1)', is_nullable = 'YES', column_default IS NOT NULL OR extra LIKE '%auto_increment%' OR extra LIKE '%GENERATED%',
		coalesce(collation_name LIKE '%\_ci', false)
		FROM information_schema.columns WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ?`, args,
		func(scan func(...any) error) error {
			var column string
			f := &fact{}
			err := scan(&column, &f.kind, &f.textual, &f.boolean, &f.nullable, &f.filled, &f.anyCase)
			d.columns[column] = f
			return err
		})
	if err != nil {
		return nil, err
	}
	var last string
	err = each(ctx, db, `SELECT index_name, non_unique = 0, coalesce(column_name, '') FROM information_schema.statistics
		WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ? ORDER BY index_name, seq_in_index`, args,
		func(scan func(...any) error) error {
			var id, key string
			var unique bool
			if err := scan(&id, &unique, &key); err != nil {
				return err
			}
			if id != last || len(d.indexes) == 0 {
				d.indexes = append(d.indexes, index{unique: unique})
				last = id
			}
			i := &d.indexes[len(d.indexes)-1]
			if f := d.columns[key]; f != nil && f.anyCase {
				key = "lower(" + key + ")" // which it is as good as
			}
			i.keys = append(i.keys, key)
			return nil
		})
	return d, err
}

// denied is told by preparing the statements, which MySQL refuses without the privileges.
func (mysql) denied(context.Context, runner, string, []string) ([]string, error) { return nil, nil }
