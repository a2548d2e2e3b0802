package all_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/all"
	"entrasync/target/ldap"
	"entrasync/target/scim/scimtest"
	"entrasync/target/sql"

	"github.com/google/go-cmp/cmp"
)

func write(tb testing.TB, path, text string) string {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func path(tb testing.TB, text string) target.Path {
	tb.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// The keys are what configuration files are written with: none goes, and each says what it is.
func TestKeys(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"file": {"path"},
		"exec": {"command", "concurrency", "config", "env", "secrets", "timeout"},
		"sql": {
			"concurrency", "driver", "dsn", "dsn_file",
			"groups", "groups.columns", "groups.delete", "groups.delete.column", "groups.fixed", "groups.id", "groups.id.column", "groups.id.generated", "groups.id.value",
			"groups.members", "groups.members.group", "groups.members.table", "groups.members.user", "groups.table",
			"statements", "timeout",
			"users", "users.active", "users.active.column", "users.active.false", "users.active.true", "users.columns", "users.delete", "users.delete.column", "users.fixed",
			"users.id", "users.id.column", "users.id.generated", "users.id.value", "users.lists", "users.table",
		},
		"ldap": {
			"bind_dn", "ca_file", "concurrency", "groups", "groups.attributes", "groups.base", "groups.class", "groups.fixed", "groups.member",
			"groups.placeholder", "groups.rdn", "page_size", "password", "password_file", "plain_ldap", "profile", "rate", "start_tls", "timeout", "url",
			"users", "users.active", "users.active.attribute", "users.active.base", "users.active.false", "users.active.true", "users.attributes",
			"users.base", "users.classes", "users.empty", "users.fixed", "users.password", "users.rdn",
		},
		"webhook": {
			"ca_file", "client_certificate_file", "client_key_file", "concurrency", "events_only", "max_response_mib", "plain_http", "proxy",
			"rate", "secret", "secret_file", "timeout", "url",
		},
		"scim": {
			"auth", "auth.basic", "auth.basic.password", "auth.basic.password_file", "auth.basic.username",
			"auth.bearer_token", "auth.bearer_token_file",
			"auth.oauth2", "auth.oauth2.client_id", "auth.oauth2.client_secret", "auth.oauth2.client_secret_file",
			"auth.oauth2.scope", "auth.oauth2.token_url",
			"ca_file", "client_certificate_file", "client_key_file", "concurrency", "dialect", "group_schemas",
			"max_response_mib", "members_per_patch", "no_filter", "page_size", "plain_http", "proxy", "rate", "replace", "timeout", "url", "verify_writes",
		},
	}
	got := map[string][]string{}
	for name, fresh := range all.Types {
		var walk func(typ reflect.Type, prefix string)
		walk = func(typ reflect.Type, prefix string) {
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Tag.Get("yaml") == "-" {
					continue // no key
				}
				key := prefix + f.Tag.Get("yaml")
				got[name] = append(got[name], key)
				if f.Tag.Get("yaml") == "" || !strings.HasSuffix(f.Tag.Get("doc"), ".") {
					t.Errorf("%s: %s has no key or no sentence in its tags", name, f.Name)
				}
				inner := f.Type
				if inner.Kind() == reflect.Pointer {
					inner = inner.Elem()
				}
				if inner.Kind() == reflect.Struct {
					walk(inner, key+".")
				}
			}
		}
		walk(reflect.TypeOf(fresh()).Elem(), "")
		slices.Sort(got[name])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options all.Options
		want    []string
	}{
		"good scim": {&all.SCIM{
			URL: "https://scim.example.com/{tenant}/?aadOptscim062020", Proxy: "http://proxy:3128",
			ClientCertificateFile: "c", ClientKeyFile: "k", GroupSchemas: []string{"urn:x:y"},
			Auth: all.SCIMAuth{Basic: &all.SCIMBasic{Username: "u", PasswordFile: "p"}},
		}, nil},
		"every fault at once": {&all.SCIM{
			Auth:                  all.SCIMAuth{Basic: &all.SCIMBasic{Username: "u"}, OAuth2: &all.SCIMOAuth2{ClientID: "c"}},
			ClientCertificateFile: "c", Proxy: "proxy:3128", GroupSchemas: []string{"group"},
		}, []string{
			"auth.basic: auth.basic has no password (add password_file)",
			"auth.oauth2: auth.oauth2 has no secret (add client_secret_file)",
			"client_certificate_file: client_certificate_file has no key beside it (add client_key_file)",
			"proxy: proxy is not an address (write proxy: http://proxy.example.com:3128)",
			`group_schemas: group_schemas number 1, "group", is not a URN (write group_schemas: ["http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"])`,
		}},
		"http beyond this machine": {&all.SCIM{URL: "http://scim.example.com/v2", Auth: all.SCIMAuth{OAuth2: &all.SCIMOAuth2{
			TokenURL: "HTTP://login.example.com/token", ClientID: "c", ClientSecretFile: "s"}}}, []string{
			"url: url is http, so that anyone on the network path reads the credential and every account (use https, or write plain_http: true beside it)",
			"auth.oauth2.token_url: auth.oauth2.token_url is http, so that anyone on the network path reads the credential and every account (use https, or write plain_http: true beside it)",
		}},
		"http beyond this machine by a tenant's name": {&all.SCIM{URL: "http://{tenant}.example.com/v2"}, []string{
			"url: url is http, so that anyone on the network path reads the credential and every account (use https, or write plain_http: true beside it)",
		}},
		"http to a name like this machine's": {&all.SCIM{URL: "http://localhost.example.com/v2"}, []string{
			"url: url is http, so that anyone on the network path reads the credential and every account (use https, or write plain_http: true beside it)",
		}},
		"http that is wanted": {&all.SCIM{URL: "http://scim.internal/v2", PlainHTTP: true}, nil},
		"http on localhost":   {&all.SCIM{URL: "http://localhost:8080/v2"}, nil},
		"http on 127.1.2.3":   {&all.SCIM{URL: "http://127.1.2.3/v2"}, nil},
		"http on ::1":         {&all.SCIM{URL: "http://[::1]:8080/v2"}, nil},
		"key without certificate": {&all.SCIM{ClientKeyFile: "k"}, []string{
			"client_key_file: client_key_file has no certificate beside it (add client_certificate_file)",
		}},
		"good file": {&all.File{Path: "people.jsonl"}, nil},
		"good exec": {&all.Exec{Command: []string{"/opt/acme/provision", "--env", "prod"}, Env: []string{"HOME"}}, nil},
		"every fault of exec": {&all.Exec{Command: []string{"provision"}, Env: []string{"HOME=/root", ""}}, []string{
			`command: command names the program "provision" by no absolute path (write command: [/opt/acme/provision])`,
			"env: env number 1 is no name of a variable (write env: [HOME, LANG]; a value goes under config or secrets)",
			"env: env number 2 is no name of a variable (write env: [HOME, LANG]; a value goes under config or secrets)",
		}},
		"no program": {&all.Exec{}, []string{"command: command names no program (write command: [/opt/acme/provision])"}},
		"a program per tenant": {&all.Exec{Command: []string{"/opt/{tenant}/provision"}}, []string{
			`command: command has {tenant} in the program's path (hand the tenant over as an argument: command: [/opt/acme/provision, "{tenant}"])`,
		}},
		"good webhook": {&all.Webhook{URL: "https://app.example.com/hooks", SecretFile: "whsec"}, nil},
		"webhook by http": {&all.Webhook{URL: "http://app.example.com/hooks", Secret: "whsec"}, []string{
			"url: url is http, so that anyone on the network path reads the credential and every account (use https, or write plain_http: true beside it)",
		}},
		"webhook unsigned": {&all.Webhook{URL: "https://app.example.com/hooks"}, []string{
			"secret_file: secret_file is missing: messages are signed (make a secret: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\")",
		}},
		"good sql": {&all.SQL{Driver: "sqlite", DSN: "app.db", Users: sql.Users{Table: "app.people", Columns: map[string]string{"userName": "login"},
			Active: sql.Active{Column: "disabled_at", False: "now"}}, Statements: map[string]string{"user.create": "INSERT INTO app.people (login) VALUES (:userName) RETURNING id"}}, nil},
		"every fault of sql": {&all.SQL{Driver: "postgres", Users: sql.Users{
			Table: "a.b.c.d", ID: sql.ID{Column: "id\x00"}, Columns: map[string]string{"userName": "login", "active": "on", "emails[": "mail", "title": "login"},
			Active: sql.Active{Column: "status", True: "A"}, Lists: map[string]sql.List{"title": {Table: "t", Owner: "", Value: "v"}},
		}, Groups: &sql.Groups{Table: "", Columns: map[string]string{"displayName": "name"}, Members: &sql.Members{Table: "m", Group: "g", User: ""}},
			Statements: map[string]string{"user.move": "x", "user.create": "SELECT :nonsense", "user.delete": "DELETE FROM a; DROP TABLE a"},
		}, []string{
			"dsn_file: dsn_file is missing (write the connection string into a file, such as postgres://user:password@host/database, and name it: dsn_file: dsn)",
			"users.table: users.table has more parts than database, schema and table (write app.people)",
			"users.id.column: users.id.column is no name: it has a NUL character ()",
			"users.columns.active: users.columns.active has a key of its own (write users.active: {column: on})",
			`users.columns.emails[: users.columns.emails[ cannot be read: attribute path "emails[", column 8: an attribute name is missing (such as userName, name.familyName or emails[type eq "work"].value)`,
			`users: users uses the column "login" twice (each column has one meaning)`,
			`users.active: users.active says the value of one state only (give both: active: {column: status, true: A, false: L})`,
			"users.lists.title.owner: users.lists.title.owner is no name: it is empty ()",
			"users.lists.title: users.lists.title is under users.columns too (keep one of them)",
			"groups.table: groups.table is no name: it is empty ()",
			"groups.members.user: groups.members.user is no name: it is empty ()",
			"statements.user.create: statements.user.create has the parameter :nonsense, which stands for nothing (parameters are :id, attributes of the section's columns, and their columns)",
			"statements.user.delete: statements.user.delete is more than one statement ()",
			"statements.user.move: statements.user.move is no operation (known: group.create, group.delete, group.update, member.add, member.remove, user.create, user.delete, user.update)",
		}},
		"good ldap": {&all.LDAP{URL: "ldaps://ldap.example.com", BindDN: "cn=sync,dc=example", PasswordFile: "pw", Profile: "openldap", Users: ldap.Users{Base: "ou=people,dc=example",
			Attributes: map[string]string{"userName": "uid", "name.familyName": "sn"}, Active: ldap.Active{Attribute: "pwdAccountLockedTime", False: "000001010000Z"}},
			Groups: &ldap.Groups{Base: "ou=groups,dc=example", Attributes: map[string]string{"displayName": "cn"}}}, nil},
		"good ad": {&all.LDAP{URL: "ldap://dc1.example.com", StartTLS: true, BindDN: `EXAMPLE\sync`, PasswordFile: "pw", Profile: "ad", Users: ldap.Users{Base: "ou=people,dc=example", Password: "random",
			Attributes: map[string]string{"userName": "userPrincipalName", "title": "title"}}}, nil},
		"a socket": {&all.LDAP{URL: "ldapi:///run/slapd/ldapi", Profile: "openldap", Users: ldap.Users{Base: "ou=people,dc=example", Attributes: map[string]string{"userName": "uid"}}}, nil},
		"every fault of ldap": {&all.LDAP{URL: "ldap://ldap.example.com:3268", BindDN: "admin", Profile: "openldap", Users: ldap.Users{
			Base: "people", RDN: "u)(uid=*", Classes: []string{"inetOrgPerson)"}, Attributes: map[string]string{"userName": "uid=*", "title": "userPassword", "active": "x", "nickName": "cn", "displayName": "cn", "emails[": "mail", "id": "y"},
			Fixed: map[string]string{"cn": "a", "o": ""}, Active: ldap.Active{Attribute: "cn", True: "a", False: "A"}, Password: "random",
		}, Groups: &ldap.Groups{Class: "posixGroup", Member: "(", Placeholder: "none", Attributes: map[string]string{"members": "description"}}}, []string{
			"url: url leads to the global catalog, which can only be read (leave the port out: it is 389 or 636)",
			`bind_dn: bind_dn "admin" is no name of an entry (such as ou=people,dc=example,dc=com)`,
			`users.base: users.base "people" is no name of an entry (such as ou=people,dc=example,dc=com)`,
			`users.rdn: users.rdn "u)(uid=*" is no name of an attribute or class (letters, digits and hyphens, beginning with a letter)`,
			"users.attributes.active: users.attributes.active has a key of its own (write users.active: {attribute: x, false: …})",
			`users.attributes.emails[: users.attributes.emails[ cannot be read: attribute path "emails[", column 8: an attribute name is missing (such as userName, name.familyName or emails[type eq "work"].value)`,
			"users.attributes.id: users.attributes.id is not mapped (leave it out)",
			"users.attributes.nickName: users.attributes.nickName is written to cn, as displayName is (each attribute has one meaning)",
			"users.attributes.title: users.attributes.title cannot be userPassword (passwords are not provisioned)",
			`users.attributes.userName: users.attributes.userName "uid=*" is no name of an attribute or class (letters, digits and hyphens, beginning with a letter)`,
			"users.fixed.cn: users.fixed.cn is mapped to nickName, too (keep one of them)",
			"users.fixed.o: users.fixed.o has no value (give it one, or leave it out)",
			`users.classes: users.classes "inetOrgPerson)" is no name of an attribute or class (letters, digits and hyphens, beginning with a letter)`,
			"users.active: users.active has one value for both states (give at least one of true and false a value of its own)",
			"users.password: users.password is for profile ad only (leave it out: no password is needed to enable an account here)",
			"groups.base: groups.base is missing (such as ou=people,dc=example,dc=com)",
			"groups.attributes.members: groups.attributes.members is not mapped (leave it out)",
			"groups.class: groups.class has members by their login (memberUid), which is not supported (use groupOfNames, or a class that has members by their name)",
			`groups.member: groups.member "(" is no name of an attribute or class (letters, digits and hyphens, beginning with a letter)`,
			`groups.placeholder: groups.placeholder "none" is no name of an entry (such as ou=people,dc=example,dc=com)`,
			"url: url is ldap without TLS, so that anyone on the network path reads the password and every account (use ldaps://, or write start_tls: true or plain_ldap: true beside it)",
			"password_file: password_file is missing (write the password of bind_dn into a file, and name it)",
		}},
		"a directory":   {&all.File{Path: "people/"}, []string{"path: path is a directory (write path: people.jsonl)"}},
		"its own other": {&all.File{Path: "a.journal"}, []string{"path: path ends in .journal, which is the name of the file's own journal (write path: people.jsonl)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range c.options.Validate() {
				got = append(got, fmt.Sprintf("%s: %s (%s)", strings.Join(f.Key, "."), f.Message, f.Hint))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestForOneTenant(t *testing.T) {
	t.Parallel()
	shared := &all.SCIM{URL: "https://{tenant}.example.com/{tenant}", PageSize: 7}
	if got, want := shared.For("contoso"), (&all.SCIM{URL: "https://contoso.example.com/contoso", PageSize: 7}); !cmp.Equal(got, all.Options(want)) {
		t.Errorf("got %+v", got)
	}
	if shared.URL != "https://{tenant}.example.com/{tenant}" {
		t.Errorf("the shared options became %q", shared.URL)
	}
	if got := (&all.File{Path: "/data/{tenant}.jsonl"}).For("contoso").(*all.File).Path; got != "/data/contoso.jsonl" {
		t.Errorf("got %q", got)
	}
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	people := filepath.Join(t.TempDir(), "people.jsonl")
	a, err := (&all.File{Path: people}).Open(all.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(t.Context(), target.User, []target.Attribute{{Path: path(t, "userName"), Value: "ada"}}); err != nil {
		t.Fatal(err)
	}
	if err := a.(target.Closer).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(people); err != nil || !strings.Contains(string(text), `"userName":"ada"`) {
		t.Errorf("the file holds %q (%v)", text, err)
	}
}

// A real server over TLS with its own certificate, and a token that is changed under way.
func TestOpenSCIM(t *testing.T) {
	t.Parallel()
	server := scimtest.Elimity(t, scimtest.Options{TLS: true})
	token := write(t, filepath.Join(t.TempDir(), "token"), server.Token+"\n")
	a, err := (&all.SCIM{URL: server.URL + "/", CAFile: server.CAFile, Auth: all.SCIMAuth{BearerTokenFile: token}}).Open(all.Env{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	find := func() error {
		_, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada")
		return err
	}
	if err := find(); err != nil {
		t.Fatalf("with the right token: %v", err)
	}
	write(t, token, "no longer good")
	if err := find(); target.CodeOf(err) != target.Unauthorized {
		t.Errorf("with a wrong token: %v", err)
	} else if strings.Contains(err.Error(), "no longer good") {
		t.Errorf("the error tells the token: %v", err)
	}
	// As Kubernetes and careful people rotate: another file, moved into the place of the old.
	if err := os.Rename(write(t, token+".new", server.Token), token); err != nil {
		t.Fatal(err)
	}
	if err := find(); err != nil {
		t.Errorf("with the right token again: %v", err)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if err := find(); target.CodeOf(err) != target.Unauthorized || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("without the file: %v", err)
	}
}

// Each form of auth and each setting arrives on the wire.
func TestOpenSCIMAuthorizes(t *testing.T) {
	t.Parallel()
	secretFile := write(t, filepath.Join(t.TempDir(), "secret"), "from file\r\n")
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+password))
	}
	app := &fakeApp{}
	for want, auth := range map[string]all.SCIMAuth{
		"":                 {},
		"Bearer in config": {BearerToken: "in config"},
		"Bearer from file": {BearerTokenFile: secretFile},
		basic("in config"): {Basic: &all.SCIMBasic{Username: "user", Password: "in config"}},
		basic("from file"): {Basic: &all.SCIMBasic{Username: "user", PasswordFile: secretFile}},
		"Bearer issued to client/from file for [a b]": {OAuth2: &all.SCIMOAuth2{
			TokenURL: "https://login.example.com/token", ClientID: "client", ClientSecretFile: secretFile, Scope: "a  b",
		}},
	} {
		a, err := (&all.SCIM{URL: "https://app.example.com/v2", Auth: auth, Dialect: "entra-legacy"}).Open(all.Env{Base: app, Version: "1.2.3"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada"); err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		last := app.last()
		if got := last.Header.Get("Authorization"); got != want {
			t.Errorf("authorized with %q, want %q", got, want)
		}
		if agent := last.Header.Get("User-Agent"); !strings.Contains(agent, "1.2.3") {
			t.Errorf("User-Agent %q does not tell the version", agent)
		}
	}
}

func TestOpenSCIMSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]*all.SCIM{
		"url":     {URL: "scim.example.com"},
		"ca_file": {URL: "https://scim.example.com", CAFile: filepath.Join(t.TempDir(), "missing.pem")},
		"dialect": {URL: "https://scim.example.com", Dialect: "klingon"},
	} {
		if _, err := o.Open(all.Env{}); err == nil || !strings.HasPrefix(err.Error(), "open scim target: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
}

// fakeApp answers in process: tokens at /token, and to everything else an empty list.
type fakeApp struct {
	mu      sync.Mutex // guards request
	request *http.Request
}

func (f *fakeApp) last() *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.request
}

func (f *fakeApp) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.URL.Path == "/token" {
		id, secret, ok := r.BasicAuth()
		if !ok {
			r.ParseForm()
			id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
		} else {
			r.ParseForm()
			secret = strings.ReplaceAll(secret, "+", " ")
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"issued to %s/%s for %v","token_type":"bearer","expires_in":3600}`, id, secret, strings.Fields(r.PostForm.Get("scope")))
	} else {
		f.mu.Lock()
		f.request = r
		f.mu.Unlock()
		w.Header().Set("Content-Type", "application/scim+json")
		io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)
	}
	return w.Result(), nil
}
