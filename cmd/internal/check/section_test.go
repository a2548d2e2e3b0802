package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile/snapshot"
)

// A connection that hangs takes its own time limit and no more; the others are reported, in order.
func TestCheckIsBoundedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := New(nil, 0, func(s *Section) { Print(console.Output{W: &out}, s) })
		began := time.Now()
		c.each(t.Context(), 20, 30*time.Second, func(ctx context.Context, i int, s *Section) {
			if i%2 == 1 {
				s.Pass("target", "%d answers", i)
				return
			}
			<-ctx.Done()
			s.Fail("target", ctx.Err())
		})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("20 targets, 10 of which hang, took %s", took)
		}
		if !strings.Contains(out.String(), "✗ target: no complete answer within 30s") || !strings.Contains(out.String(), "✓ target: 19 answers") {
			t.Errorf("printed %s", out.String())
		}
		if d := DocumentOf(&c.Tested, nil); d.OK || len(d.Checks) != 20 {
			t.Errorf("the document: %+v", d)
		}
	})
}

// The document has lists and never null, and is ok when nothing failed; a warning changes nothing.
func TestDocument(t *testing.T) {
	t.Parallel()
	var fine, bad Section
	fine.Pass("state", "%s", "/var/lib")
	fine.warn("secrets", "readable", "chmod")
	bad.Fail("target", advice.With(errors.New("refused"), "look at it"))
	for name, tt := range map[string]struct {
		tested *Section
		faults configs.Faults
		want   string
	}{
		"nothing": {&Section{}, nil, `{"format":"entrasync/check/1","ok":true,"checks":[],"faults":[],"warnings":[]}`},
		"fine": {&fine, nil, `{"format":"entrasync/check/1","ok":true,"checks":[{"check":"state","ok":true,"detail":"/var/lib"}],"faults":[],` +
			`"warnings":[{"check":"secrets","message":"readable","hint":"chmod"}]}`},
		"bad": {&bad, nil, `{"format":"entrasync/check/1","ok":false,"checks":[{"check":"target","ok":false,"detail":"refused","hint":"look at it"}],"faults":[],"warnings":[]}`},
	} {
		if got, err := json.Marshal(DocumentOf(tt.tested, tt.faults)); err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if d := DocumentOf(&Section{}, configs.Faults{{Message: "x"}}); d.OK || len(d.Faults) != 1 {
		t.Errorf("a configuration that does not load: %+v", d)
	}
}

// What a token lacks is an error with what it leaves empty, and what it has too much is a warning.
func TestPermissions(t *testing.T) {
	t.Parallel()
	users := snapshot.Requirements{UserProperties: []string{"id", "displayName"}}
	hired := snapshot.Requirements{UserProperties: []string{"id", "employeeHireDate"}}
	complete := hiddenMembers{complete: true}
	for name, tt := range map[string]struct {
		needs        snapshot.Requirements
		held         []string
		hidden       hiddenMembers
		failed, warn string // parts, "" for none
	}{
		"just enough":         {users, []string{"User.Read.All"}, complete, "", ""},
		"nothing":             {users, nil, complete, "missing: User.Read.All", ""},
		"too much":            {users, []string{"User.Read.All", "Mail.Read"}, complete, "", "not needed: Mail.Read"},
		"a hidden group":      {users, []string{"User.Read.All"}, hiddenMembers{groups: []string{"Board"}, complete: true}, "the members of Board are left out", ""},
		"a hidden group read": {users, []string{"User.Read.All", graphsync.HiddenMembers}, hiddenMembers{groups: []string{"Board"}, complete: true}, "", ""},
		"not all looked at":   {users, []string{"User.Read.All"}, hiddenMembers{looked: 1}, "", "1 group was looked at for a hidden membership"},
		"hire dates":          {hired, []string{"User.Read.All"}, complete, "", "employeeHireDate may come back null"},
	} {
		var s Section
		checkPermissions("tenant contoso", tt.needs, tt.held, tt.hidden, &s)
		failed, warned := "", ""
		for _, f := range s.Checks {
			if !f.OK {
				failed += f.Detail
			}
		}
		for _, w := range s.Warnings {
			warned += w.Message
		}
		if !strings.Contains(failed, tt.failed) || tt.failed == "" && failed != "" || !strings.Contains(warned, tt.warn) || tt.warn == "" && warned != "" {
			t.Errorf("%s: failed %q, warned %q", name, failed, warned)
		}
	}
}

// Files with secrets that every user of the machine can read are named with what to do, those of targets too.
func TestSecretWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cfg, _, err := compile.Parse("entrasync.yaml", []byte(`
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret_file: `+write("app", 0o644)+`}
http: {token_file: `+write("http", 0o640)+`}
tenants:
  contoso: {id: 11111111-1111-1111-1111-111111111111}
targets:
  open: {type: scim, url: "https://scim.example.com", auth: {bearer_token_file: `+write("scim", 0o604)+`}}
  gone: {type: scim, url: "https://gone.example.com", auth: {bearer_token_file: `+filepath.Join(dir, "gone")+`}}
syncs:
  one: {from: contoso, to: open, users: {attributes: {userName: "[mail]"}}}
  two: {from: contoso, to: gone, users: {attributes: {userName: "[mail]"}}}
`), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(SecretWarnings(cfg), "\n")
	if strings.Count(got, "chmod o-rwx") != 2 || !strings.Contains(got, "app.client_secret_file: ") || !strings.Contains(got, "targets.open.auth.bearer_token_file: ") {
		t.Errorf("warned of\n%s", got)
	}
}
