package configs_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entrasync/configs"
)

func get[V any](t *testing.T, m configs.Map[V], name string) V {
	t.Helper()
	v, ok := m.Get(name)
	if !ok {
		t.Fatalf("no %s among %v", name, m.Names())
	}
	return v
}

func words(texts []configs.Text) []string {
	var out []string
	for _, t := range texts {
		out = append(out, t.Value)
	}
	return out
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := parse(t, string(read(t, "testdata/good/minimal.yaml")), env())
	s := get(t, c.Syncs, "front")
	equal(t, "state", c.State.Dir, "/var/lib/entrasync")
	equal(t, "schedule", c.Schedule, "@every 30m")
	equal(t, "full cycle", c.FullCycle, "CRON_TZ=UTC 0 3 * * 0")
	equal(t, "cloud", c.Cloud, configs.Cloud{Name: "public"})
	equal(t, "listen", c.HTTP.Listen, "127.0.0.1:8417")
	equal(t, "actions", s.Users.Actions, []string{"create", "update", "deactivate", "reactivate"})
	equal(t, "on_remove", s.Users.OnRemove, configs.OnRemove{Action: "deactivate"})
	equal(t, "match", words(s.Users.Match), []string{"externalId", "userName"})
	equal(t, "group actions", s.Groups.Actions, []string{"create", "update"})
	equal(t, "takeover", s.Groups.Takeover, "hold")
	equal(t, "source", s.Groups.Source, configs.GroupSource{Kind: "assigned"})
	equal(t, "scope", s.Scope, configs.Scope{Users: "assigned", IncludeGuests: true})
	equal(t, "guard", s.Guard, configs.Guard{
		Removals:         configs.Limit{Count: new(25), Percent: new(configs.Percent(10))},
		Creations:        configs.Limit{Count: new(1000)},
		Updates:          configs.Limit{Percent: new(configs.Percent(50))},
		MembersRemoved:   configs.Limit{Percent: new(configs.Percent(30))},
		Lost:             configs.Limit{Percent: new(configs.Percent(10))},
		FirstRunRemovals: "hold",
		Identity:         configs.Limit{Count: new(5), Percent: new(configs.Percent(10))},
		RemovalsPerDay:   configs.Limit{Count: new(100), Percent: new(configs.Percent(20))},
		Skipped:          configs.Share{Percent: new(configs.Percent(50)), OfAtLeast: 20},
		GuestAddresses:   "hold",
	})
	equal(t, "quarantine", s.Quarantine, configs.Quarantine{Failures: 60, OfAtLeast: 20})
	a := get(t, s.Users.Attributes, "userName")
	equal(t, "attribute", []string{a.Expr.Value, a.Apply, a.OnNull, a.Owner}, []string{"[userPrincipalName]", "always", "keep", "sync"})
}

func TestStateDirectory(t *testing.T) {
	t.Parallel()
	minimal := string(read(t, "testdata/good/minimal.yaml"))
	systemd := env("STATE_DIRECTORY", "/var/lib/private/entrasync:/var/lib/other")
	equal(t, "systemd's", parse(t, minimal, systemd).State.Dir, "/var/lib/private/entrasync")
	equal(t, "the file's", parse(t, minimal+"state: here\n", systemd).State.Dir, "dir/here")
}

func TestComplete(t *testing.T) {
	t.Parallel()
	c, err := configs.Parse("testdata/good/complete.yaml", read(t, "testdata/good/complete.yaml"), forms, targets)
	if err != nil {
		t.Fatal(err)
	}
	s := get(t, c.Syncs, "front")
	equal(t, "secret file", c.App.ClientSecret.File, "/run/credentials/entrasync.service/client-secret")
	equal(t, "order of attributes", s.Users.Attributes.Names(), []string{"externalId", "userName", "active", "name.givenName",
		`emails[type eq "work"].value`, "userType", "urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName:folders",
		`roles[primary eq "True"].value`})
	role := get(t, s.Users.Attributes, `roles[primary eq "True"].value`)
	equal(t, "priority", words(role.Priority), []string{"SuperUser", "AdminUser", "GeneralUser"})
	equal(t, "alias", get(t, role.Aliases, "BasicUser").Value, "GeneralUser")
	equal(t, "default", role.Default.Value, "GeneralUser")
	equal(t, "clause", []string{s.Scope.Filter[0][0].Operator.Value, s.Scope.Filter[0][0].Value.Value, s.Scope.Filter[0][1].Operator.Value},
		[]string{"EQUALS", "Sales", "IS NOT NULL"})
	scopes := get(t, s.Users.MappingRoles.Roles, "Sales")
	equal(t, "scopes", scopes.Names(), []string{"account", "project:emea"})
	equal(t, "roles", words(get(t, scopes, "project:emea")), []string{"Editor", "Analyst"})
	equal(t, "group match", words(s.Groups.Match), []string{"externalId", "displayName"})
}

func TestForms(t *testing.T) {
	t.Parallel()
	c := parse(t, string(read(t, "testdata/good/forms.yaml")), forms)
	equal(t, "trusted proxies", c.Consent.TrustedProxies, []string{"10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128"})
	one, two := get(t, c.Tenants, "one"), get(t, c.Tenants, "two")
	equal(t, "state", c.State.Dir, "dir/var/state")
	equal(t, "cloud", c.CloudOf(configs.Tenant{}), configs.Cloud{Authority: "https://127.0.0.1:9999", Graph: "http://127.0.0.1:9998"})
	equal(t, "tenant's cloud", c.CloudOf(one), configs.Cloud{Name: "usgov-dod"})
	equal(t, "lower case", one.ID, "aaaaaaaa-1111-1111-1111-111111111111")
	equal(t, "merged", []any{two.ID, two.Paused, one.Paused, c.AppOf(two).ClientID},
		[]any{"22222222-2222-2222-2222-222222222222", false, true, "6a1e0000-0000-0000-0000-000000000001"})
	if c.App.ManagedIdentity == nil || c.AppOf(configs.Tenant{}) != c.App {
		t.Error("the common app is not the managed identity")
	}
	s := get(t, c.Syncs, "one")
	equal(t, "from", words(s.From.Tenants), []string{"one", "two"})
	equal(t, "delete after", s.Users.OnRemove, configs.OnRemove{Action: "delete", DeleteAfter: (30*24 + 12) * time.Hour})
	equal(t, "escape", get(t, s.Users.Attributes, "nick").Expr.Value, `Replace([mail], , "(?<n>.*)@", , "${n}", , )`)
	equal(t, "number as text", get(t, s.Users.Attributes, "level").Default.Value, "7")
	equal(t, "default match order", words(s.Users.Match), []string{"externalId", "userName"})
	equal(t, "guard off", s.Guard.Removals, configs.Limit{})
	equal(t, "count", s.Guard.Creations, configs.Limit{Count: new(12)})
	equal(t, "percent", s.Guard.Updates, configs.Limit{Percent: new(configs.Percent(12.5))})
	equal(t, "plain percent", s.Quarantine.Failures, configs.Percent(75))
	joined := get(t, c.Syncs, "joined")
	if !joined.From.Consented || len(joined.From.Tenants) != 0 {
		t.Errorf("from consented: %+v", joined.From)
	}
	equal(t, "group filter", joined.Groups.Source.Filter[1][0].Operator.Value, "IS TRUE")

	var o scimOptions
	target := get(t, c.Targets, "scim")
	if err := target.Options.Decode(&o); err != nil {
		t.Fatal(err)
	}
	equal(t, "options", o, scimOptions{URL: "https://{tenant}.example.com/v2", Timeout: 90 * time.Second,
		Auth: scimAuth{Basic: &scimBasic{Username: "x", Password: "planted-secret"}}})
	if err := target.Options.Decode(new(fileOptions)); err == nil || !strings.Contains(err.Error(), "unknown key url in targets.scim") {
		t.Errorf("options of another type: %v", err)
	}
	equal(t, "option's position", target.Options.Position("auth", "basic", "username").String(), "dir/entrasync.yaml:29:101")
	var f fileOptions
	if err := get(t, c.Targets, "files").Options.Decode(&f); err != nil {
		t.Fatal(err)
	}
	equal(t, "option's path", f.Path, "dir/{tenant}.jsonl")
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := parse(t, string(read(t, "testdata/good/forms.yaml")), forms)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+"\n", *c)
		fmt.Fprintf(&out, verb+"\n", c.Tenants)
		fmt.Fprintf(&out, verb+"\n", c.Tenants[0].Value.App.Certificate)
		fmt.Fprintf(&out, verb+"\n", c.Targets[1].Value)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("loaded", "config", c, "secret", c.Tenants[0].Value.App.Certificate)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"planted-secret", fmt.Sprintf("%x", "planted-secret")} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("a secret is printed: …%s…", around(out.String(), leak))
		}
	}
	if s, err := c.Tenants[0].Value.App.Certificate.Read(); s != "planted-secret" || err != nil {
		t.Errorf("read %q, %v", s, err)
	}
}

func around(s, part string) string {
	i := strings.Index(s, part)
	return s[max(0, i-80):min(len(s), i+80)]
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	s := configs.Secret{File: file}
	if _, err := s.Read(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("missing file: %v", err)
	}
	for _, c := range []struct{ written, want, err string }{
		{"first\n", "first", ""}, {"second \r\n", "second", ""}, {"\n", "", "is empty"}, {"\xff\x00\n", "\xff\x00\n", ""},
		{strings.Repeat("x", 1<<20+1), "", "larger than 1 MiB"},
	} {
		if err := os.WriteFile(file, []byte(c.written), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Read()
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%.10q: %.20q, %v", c.written, got, err)
		}
	}
	if _, err := (configs.Secret{}).Read(); err == nil {
		t.Error("no secret is read")
	}
}

// Editors of Windows write a byte order mark, PowerShell UTF-16.
func TestSecretFileOfWindows(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "secret")
	for what, content := range map[string]string{
		"UTF-8 with a mark": "\xef\xbb\xbfs3cr\u00e9t\r\n", "UTF-16": "\xff\xfes\x003\x00c\x00r\x00\xe9\x00t\x00\r\x00\n\x00",
		"UTF-16, big end first": "\xfe\xff\x00s\x003\x00c\x00r\x00\xe9\x00t", "UTF-16 without a mark": "s\x003\x00c\x00r\x00\xe9\x00t\x00\r\x00\n\x00",
		"UTF-8": "s3cr\u00e9t\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := (configs.Secret{File: name}).Read(); err != nil || got != "s3cr\u00e9t" {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	text := string(read(t, "testdata/good/minimal.yaml")) + `        plain: Join([a], [b])
        double: "Join(\"x\", [b])"
        single: 'Join(''x'', [b])'
        block: |
          Join([a], [b])
        variable: "${LETTER}Join([b])"
`
	c := parse(t, text, env("LETTER", "x"))
	attributes := get(t, c.Syncs, "front").Users.Attributes
	for name, column := range map[string]int{"plain": 26, "double": 30, "single": 30, "block": 16, "variable": 19} {
		expr := get(t, attributes, name).Expr
		at := expr.At(strings.Index(expr.Value, "[b]") + 1)
		line := strings.Split(text, "\n")[at.Line-1]
		if at.Column != column {
			t.Errorf("%s: column %d, want %d: %s", name, at.Column, column, line)
		} else if exact := strings.HasPrefix(line[at.Column-1:], "[b]"); exact != (name != "block" && name != "variable") {
			t.Errorf("%s: %s", name, line[at.Column-1:])
		}
	}
	equal(t, "nearest section", c.Position("syncs", "front", "guard", "updates").String(), "dir/entrasync.yaml:9:3")
	equal(t, "value", c.Position("syncs", "front", "to").String(), "dir/entrasync.yaml:11:9")
	equal(t, "name", attributes[0].Pos.String(), "dir/entrasync.yaml:14:9")
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "2w": 336 * time.Hour, "1w1d1h": 193 * time.Hour, "0": 0,
	} {
		if got, err := configs.ParseDuration(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "5", "d", "-1h", "-1d", "1d2w", "1.5d", "99999999999w", "1d-1h", "9223372036s9223372036s", "1 d"} {
		if got, err := configs.ParseDuration(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Min(0).Draw(t, "d"))
		days := rapid.IntRange(0, 1000).Draw(t, "days")
		if got, err := configs.ParseDuration(d.String()); got != d || err != nil {
			t.Fatalf("%v: %v, %v", d, got, err)
		}
		if got, err := configs.ParseDuration(fmt.Sprintf("%dd", days)); got != time.Duration(days)*24*time.Hour || err != nil {
			t.Fatalf("%d days: %v, %v", days, got, err)
		}
	})
}

// What is escaped comes back as it was, whatever the environment holds.
func TestEscape(t *testing.T) {
	t.Parallel()
	minimal := string(read(t, "testdata/good/minimal.yaml"))
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringMatching(`[a${}A:-]{1,20}`).Draw(t, "text")
		quoted, err := json.Marshal(configs.Escape(want))
		if err != nil {
			t.Fatal(err)
		}
		c, err := configs.Parse("e.yaml", []byte(minimal+"        title: "+string(quoted)+"\n"), env("a", "1", "A", "2"))
		if err != nil {
			t.Fatal(err)
		}
		s, _ := c.Syncs.Get("front")
		if a, _ := s.Users.Attributes.Get("title"); a.Expr.Value != want {
			t.Fatalf("%s comes back as %s", want, a.Expr.Value)
		}
	})
}

func TestNearest(t *testing.T) {
	t.Parallel()
	candidates := []string{"from", "to", "on_remove", "client_secret_file"}
	for word, want := range map[string]string{"form": "from", "onRemove": "on_remove", "on-remove": "on_remove",
		"client_secrets_file": "client_secret_file", "x": "", "elsewhere": "", strings.Repeat("x", 1000): ""} {
		if got := configs.Nearest(word, candidates); got != want {
			t.Errorf("%.20s: %q, want %q", word, got, want)
		}
	}
}

// A function in an adapter's options reads a secret, given as text or in a file, again on each call.
func TestSecretFunction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	load := func(auth string) scimOptions {
		text := strings.Replace(string(read(t, "testdata/good/minimal.yaml")), "type: scim,", "type: scim, auth: {"+auth+"},", 1)
		c, err := configs.Parse(filepath.Join(dir, "c.yaml"), []byte(text), env())
		if err != nil {
			t.Fatal(err)
		}
		var o scimOptions
		if err := get(t, c.Targets, "front").Options.Decode(&o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	if s, err := load("bearer_token: abc").Auth.Bearer(); s != "abc" || err != nil {
		t.Errorf("as text: %q, %v", s, err)
	}
	inFile := load("bearer_token_file: token").Auth.Bearer
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := inFile(); s != want || err != nil {
			t.Errorf("in a file: %q, %v", s, err)
		}
	}
	if load("basic: {username: x}").Auth.Bearer != nil {
		t.Error("there is a function where there is no secret")
	}
}

// The JSON of a section names what it says in the order it says it, not where.
func TestJSONHasNoPlaces(t *testing.T) {
	t.Parallel()
	text := string(read(t, "testdata/good/complete.yaml"))
	var out [2]string
	for i, text := range []string{text, "# moved\n\n" + text} {
		data, err := json.Marshal(get(t, parse(t, text, forms).Syncs, "front"))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(data)
	}
	equal(t, "moved by two lines", out[1], out[0])
	if !strings.Contains(out[0], `"Roles":{"Sales":{"account":["Viewer"],"project:emea":["Editor","Analyst"]}}`) {
		t.Errorf("roles are not in order: %s", out[0])
	}
}

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("testdata/good/complete.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var many strings.Builder
	tenants := "tenants:\n"
	before, after, _ := strings.Cut(string(data), tenants)
	many.WriteString(before + tenants)
	for i := range 500 {
		fmt.Fprintf(&many, "  t%d: {id: 00000000-0000-0000-0000-%012d}\n", i, i)
	}
	many.WriteString(after)
	for name, text := range map[string][]byte{"tenants=1": data, "tenants=501": []byte(many.String())} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := configs.Parse("c.yaml", text, forms, targets); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The state may be in a database. Its connection string is not shown.
func TestStateInADatabase(t *testing.T) {
	t.Parallel()
	minimal := string(read(t, "testdata/good/minimal.yaml"))
	for given, want := range map[string]string{
		"postgres://u:planted@db/x":                          "postgres://u:planted@db/x",
		"PostgreSQL://u:planted@db/x":                        "PostgreSQL://u:planted@db/x",
		"{dsn: 'postgres://u:planted@db/x'}":                 "postgres://u:planted@db/x",
		"{dsn: 'host=db password=planted', scratch: /tmp/x}": "host=db password=planted",
	} {
		c := parse(t, minimal+"\nstate: "+given+"\n", env())
		if dsn, err := c.State.DSN.Read(); err != nil || dsn != want || !c.State.InDatabase() || c.State.Dir != "" {
			t.Errorf("%s: %v, %v", given, c.State, err)
		}
		if shown := fmt.Sprintf("%+v", c.State); strings.Contains(shown, "planted") {
			t.Errorf("%s is shown as %s", given, shown)
		}
	}
	c := parse(t, minimal+"\nstate: {dsn_file: dsn}\n", env())
	if file := c.State.DSN.File; !strings.HasSuffix(file, "dsn") {
		t.Errorf("the file is %q", file)
	}
	for given, want := range map[string]string{
		"mysql://u:planted@db/x":      "neither a folder nor a PostgreSQL database",
		"{scratch: /tmp}":             "dsn",
		"{dsn: planted, dsn_file: x}": "dsn",
		"{path: /x, dsn_file: x}":     "path and dsn_file are both given",
	} {
		_, err := configs.Parse("c.yaml", []byte("state: "+given+"\n"), env())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", given, err)
		}
	}
}

// The state may be in a folder that is encrypted. Paths count from the folder of the configuration.
func TestStateWithAKey(t *testing.T) {
	t.Parallel()
	minimal := string(read(t, "testdata/good/minimal.yaml"))
	for given, want := range map[string]configs.State{
		"{path: var, key_file: key}": {Dir: "dir/var", KeyFile: "dir/key"},
		"{path: /var/x}":             {Dir: "/var/x"},
		"{key_file: /etc/key}":       {Dir: "/var/lib/entrasync", KeyFile: "/etc/key"},
	} {
		c, err := configs.Parse("dir/c.yaml", []byte(minimal+"\nstate: "+given+"\n"), env())
		if err != nil || c.State != want {
			t.Errorf("%s: %+v, want %+v; %v", given, c.State, want, err)
		}
	}
	c := parse(t, minimal+"\nstate: {key_file: key}\n", env("STATE_DIRECTORY", "/var/lib/one:/var/lib/two"))
	equal(t, "state", c.State.Dir, "/var/lib/one")
}
