package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

type sqlserver struct{}

var sqlserverDialect = &dialect{
	name: "SQL Server", open: "[", close: "]", mark: numbered,
	text: func(expr string) string { return "CONVERT(nvarchar(max), " + expr + ")" },
	fold: func(mark string) string { return "lower(" + mark + ")" },
	exact: func(expr, mark string) string {
		return "CONVERT(varbinary(max), CONVERT(nvarchar(max), " + expr + ")) = CONVERT(varbinary(max), CONVERT(nvarchar(max), " + mark + "))"
	},
	output: true, emptyRow: "DEFAULT VALUES",
}

func (sqlserver) dialect() *dialect { return sqlserverDialect }

func (sqlserver) snapshot() *stdsql.TxOptions {
	return &stdsql.TxOptions{Isolation: stdsql.LevelSnapshot}
}

func (sqlserver) connect(dsn string, _ *Config) (*stdsql.DB, string, error) {
	c, err := msdsn.Parse(dsn)
	if err != nil {
		return nil, "", errors.New("it is no connection string of SQL Server, such as sqlserver://user:password@host?database=app")
	}
	return stdsql.OpenDB(mssql.NewConnectorConfig(c)), c.Password, nil
}

func (sqlserver) place(dsn, _ string) (string, error) {
	c, err := msdsn.Parse(dsn)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s:%d/%s/%s", c.Host, c.Port, c.Instance, c.Database), nil
}

func (sqlserver) classify(err error) (problem, bool) {
	var e mssql.Error
	if !errors.As(err, &e) {
		return problem{notSent: errors.Is(err, driver.ErrBadConn)}, false
	}
	p := problem{column: quotedColumn(e.Message)}
	switch e.Number {
	case 2601, 2627:
		p.is = taken
	case 547:
		p.is = dangling
	case 245, 8114, 8169, 8115, 241:
		p.is = malformed
	case 1205, 3960, 1222:
		p.is = deadlock
	case 229, 230, 262, 300:
		p.is = forbidden
	case 18456, 18452, 18470, 4060:
		p.is = unauthorized
	case 3906:
		p.is = readOnly
	case 208, 207, 911, 2812, 102, 3952:
		p.is = misfit
	}
	return p, true
}

func (sqlserver) describe(ctx context.Context, db runner, name string) (*described, error) {
	d := &described{columns: map[string]*fact{}}
	table := sqlserverDialect.table(name)
	err := each(ctx, db, `SELECT c.name, t.name, CAST(CASE WHEN c.collation_name IS NULL THEN 0 ELSE 1 END AS bit), CAST(CASE WHEN t.name = 'bit' THEN 1 ELSE 0 END AS bit),
		c.is_nullable, CAST(CASE WHEN c.is_identity = 1 OR c.is_computed = 1 OR c.default_object_id <> 0 THEN 1 ELSE 0 END AS bit),
		CAST(CASE WHEN c.collation_name LIKE '%[_]CI%' THEN 1 ELSE 0 END AS bit)
		FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID(@p1)`, []any{table},
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
	last := int64(-1)
	err = each(ctx, db, `SELECT i.index_id, i.is_unique, col_name(x.object_id, x.column_id) FROM sys.indexes i JOIN sys.index_columns x
		ON x.object_id = i.object_id AND x.index_id = i.index_id WHERE i.object_id = OBJECT_ID(@p1) AND x.is_included_column = 0 ORDER BY i.index_id, x.key_ordinal`, []any{table},
		func(scan func(...any) error) error {
			var id int64
			var key string
			var unique bool
			if err := scan(&id, &unique, &key); err != nil {
				return err
			}
			if id != last {
				d.indexes = append(d.indexes, index{unique: unique})
				last = id
			}
			i := &d.indexes[len(d.indexes)-1]
			if f := d.columns[key]; f != nil && f.anyCase {
				key = "lower(" + key + ")"
			}
			i.keys = append(i.keys, key)
			return nil
		})
	return d, err
}

func (sqlserver) denied(ctx context.Context, db runner, table string, wanted []string) (missing []string, err error) {
	for _, privilege := range wanted {
		err := each(ctx, db, `SELECT coalesce(HAS_PERMS_BY_NAME(@p1, 'OBJECT', @p2), 0)`, []any{sqlserverDialect.table(table), privilege}, func(scan func(...any) error) error {
			var has int
			err := scan(&has)
			if has == 0 {
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
