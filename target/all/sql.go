package all

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"entrasync/target"
	"entrasync/target/sql"
)

// SQL are the options of an application that is provisioned by its database.
type SQL struct {
	Driver     string            `yaml:"driver" required:"true" enum:"postgres,mysql,sqlite,sqlserver" doc:"Which database it is. mysql is MariaDB, too."`
	DSN        string            `yaml:"dsn" oneof:"dsn" doc:"Connection string in the form of the driver, such as app.db for SQLite; one with a password is better in a file. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	DSNFile    string            `yaml:"dsn_file" oneof:"dsn" doc:"File with the connection string, read again at the beginning of each cycle."`
	Users      sql.Users         `yaml:"users" required:"true" doc:"The table of users."`
	Groups     *sql.Groups       `yaml:"groups" doc:"The table of groups. Without it the target keeps none."`
	Statements map[string]string `yaml:"statements" doc:"Statements in place of an operation's own: user.create, user.update, user.delete, the same for group, member.add and member.remove. Parameters are named, such as :userName."`

	Timeout     time.Duration `yaml:"timeout" min:"0" doc:"Of one operation. Default: 1m."`
	Concurrency int           `yaml:"concurrency" min:"0" doc:"Most operations at a time. Default: 4."`

	Folder string `yaml:"-" doc:"What the relative path of a SQLite file begins at."`
}

// SetFolder implements the configuration's way to say in which folder it is.
func (o *SQL) SetFolder(dir string) { o.Folder = dir }

func (o *SQL) config() sql.Config {
	return sql.Config{Driver: o.Driver, DSN: secret(o.DSN, o.DSNFile), Folder: o.Folder, Users: o.Users, Groups: o.Groups, Statements: o.Statements,
		Timeout: o.Timeout, Concurrency: o.Concurrency}
}

// Validate implements [Options].
func (o *SQL) Validate() []Fault {
	var c check
	if o.DSN == "" && o.DSNFile == "" {
		c.fault("dsn_file", "is missing", "write the connection string into a file, such as postgres://user:password@host/database, and name it: dsn_file: dsn")
	}
	for _, f := range o.config().Faults() {
		c = append(c, Fault{Key: f.Key, Message: f.Message, Hint: f.Hint})
	}
	return c
}

// For implements [Options].
func (o *SQL) For(tenant string) Options {
	filled := *o
	fill := func(text string) string { return expandTenant(text, tenant) }
	fixed := func(values map[string]sql.Text) map[string]sql.Text {
		all := maps.Clone(values)
		for name, value := range all {
			all[name] = sql.Text(fill(string(value)))
		}
		return all
	}
	filled.DSN, filled.DSNFile = fill(o.DSN), fill(o.DSNFile)
	filled.Users.Table, filled.Users.Fixed, filled.Users.Lists = fill(o.Users.Table), fixed(o.Users.Fixed), maps.Clone(o.Users.Lists)
	for path, list := range filled.Users.Lists {
		list.Table = fill(list.Table)
		filled.Users.Lists[path] = list
	}
	if o.Groups == nil {
		return &filled
	}
	groups := *o.Groups
	groups.Table, groups.Fixed = fill(groups.Table), fixed(groups.Fixed)
	if groups.Members != nil {
		members := *groups.Members
		members.Table = fill(members.Table)
		groups.Members = &members
	}
	filled.Groups = &groups
	return &filled
}

// Accounts implements [Options]: a database has the same rows for every login.
func (o *SQL) Accounts() string {
	place := o.Place()
	if o.Driver != "sqlite" {
		return place
	}
	words := strings.SplitN(place, "\x00", 3)
	if real, err := filepath.EvalSymlinks(words[1]); err == nil {
		words[1] = real
	}
	return strings.Join(words, "\x00")
}

// Place implements [Options]: driver, server, database, tables and fixed columns. Where dsn_file cannot be read, its name.
func (o *SQL) Place() string {
	dsn, err := secret(o.DSN, o.DSNFile)()
	if err != nil {
		return o.config().Place("") + "\x00" + o.DSNFile
	}
	return o.config().Place(dsn)
}

// SharesAccounts implements [Options]. A file with the connection string for each tenant is a database for each.
func (o *SQL) SharesAccounts() bool {
	a, b := o.For("a").(*SQL), o.For("b").(*SQL)
	return a.DSNFile == b.DSNFile && a.Place() == b.Place()
}

// Trusts implements [Options].
func (o *SQL) Trusts() []byte { return nil }

// Open implements [Options].
func (o *SQL) Open(Env) (target.Adapter, error) {
	adapter, err := sql.New(o.config())
	if err != nil {
		return nil, fmt.Errorf("open sql target: %w", err)
	}
	return adapter, nil
}
