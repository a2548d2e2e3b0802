package scimtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A zabbixOperator works on Zabbix's tables, as an administrator does on its pages.
type zabbixOperator struct {
	cluster  *ZabbixCluster
	database string
	server   *Server
}

// sql runs a statement with values, which it names :'a', :'b' and so on.
func (o *zabbixOperator) sql(tb testing.TB, statement string, values ...string) string {
	tb.Helper()
	var args []string
	for i, value := range values {
		args = append(args, "-v", fmt.Sprintf("%c=%s", 'a'+i, value))
	}
	return o.cluster.sql(tb, o.database, statement, args...)
}

// complete adds who can sign in, and the name and last name, which hold displayName and title: see
// setup.sql.
func (o *zabbixOperator) complete(tb testing.TB, users []map[string]any) {
	tb.Helper()
	rows := map[string][]string{}
	for _, line := range strings.Split(o.sql(tb, "select userid, roleid is not null, name, surname from users"), "\n") {
		if fields := strings.SplitN(line, "|", 4); len(fields) == 4 {
			rows[fields[0]] = fields
		}
	}
	for _, u := range users {
		row := rows[u["id"].(string)]
		delete(u, "name") // always empty
		u["active"] = row[1] == "t"
		for i, name := range map[int]string{2: "displayName", 3: "title"} {
			if row[i] != "" {
				u[name] = row[i]
			}
		}
	}
}

func (o *zabbixOperator) seed(tb testing.TB, kind string, resource map[string]any) string {
	tb.Helper()
	body := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:" + kind}}
	for name, value := range resource {
		body[name] = value
	}
	id := o.server.call(tb, http.MethodPost, "/"+kind+"s", body, http.StatusOK)["id"].(string)
	if kind == "User" { // a creation does not make it active
		o.server.Set(tb, "/Users/"+id, "active", resource["active"] != false)
	}
	return id
}

func (o *zabbixOperator) remove(tb testing.TB, path string) {
	tb.Helper()
	o.sql(tb, `delete from users_groups where userid=:'a'; delete from user_scim_group where userid=:'a';
		delete from user_ugset where userid=:'a'; delete from media where userid=:'a'; delete from users where userid=:'a'`, idOf(path))
}

func (o *zabbixOperator) replace(tb testing.TB, path string, resource map[string]any) {
	tb.Helper()
	text := func(name string) string { value, _ := resource[name].(string); return value }
	if strings.HasPrefix(path, "/Groups/") {
		o.sql(tb, "update scim_group set name=:'b' where scim_groupid=:'a'; delete from user_scim_group where scim_groupid=:'a'", idOf(path), text("displayName"))
		return
	}
	o.sql(tb, "update users set username=:'b', name=:'c', surname=:'d' where userid=:'a'", idOf(path), text("userName"), text("displayName"), text("title"))
}

func (o *zabbixOperator) backup(tb testing.TB) {
	tb.Helper()
	o.cluster.copyDatabase(tb, o.database, o.database+"backup")
}

func (o *zabbixOperator) restore(tb testing.TB) {
	tb.Helper()
	o.cluster.pool.drop()
	o.cluster.postgres(tb, "", "dropdb", "-h", o.cluster.socket, "-U", "postgres", o.database)
	o.cluster.copyDatabase(tb, o.database+"backup", o.database)
}

func idOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
