package registration_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/registration"
	"entrasync/configs"
	"entrasync/reconcile"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s is not current (%v); run with -update:\n%s", path, err, got)
	}
}

// Each form names each permission with its reason, and what tenants that join by consent need.
func TestForms(t *testing.T) {
	t.Parallel()
	apps := map[string]registration.App{
		"one": {Name: "entrasync", Audience: "AzureADMyOrg", Permissions: []registration.Permission{{Name: "User.Read.All", Why: "reads users"}}},
		"many": {Name: "Ada's sync ${x}", Audience: "AzureADMultipleOrgs", Redirects: []string{"https://sync.example.com/consent/callback"},
			Permissions: []registration.Permission{{Name: "User.Read.All", Why: "reads users"}, {Name: "GroupMember.Read.All", Why: "reads groups"}}},
	}
	for name, app := range apps {
		for _, tool := range registration.Forms {
			text, err := app.Form(tool)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+"."+tool, text)
			for _, p := range app.Permissions {
				if !strings.Contains(text, p.Name) || !strings.Contains(text, p.Why) {
					t.Errorf("%s of %s lacks %s", tool, name, p.Name)
				}
			}
		}
	}
	if _, err := apps["one"].Form("pulumi"); err == nil || !strings.Contains(err.Error(), "want one of az, powershell, terraform, bicep") {
		t.Error(err)
	}
}

// Exactly what a configuration needs is asked for.
func TestOf(t *testing.T) {
	t.Parallel()
	of := func(sync, rest string) registration.App {
		t.Helper()
		file := filepath.Join(t.TempDir(), "entrasync.yaml")
		text := "state: state\napp: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: s}\ntenants: {main: {id: 11111111-1111-1111-1111-111111111111}}\n" +
			"targets: {app: {type: file, path: a.jsonl}}\nsyncs:\n  app:\n    from: main\n    to: app\n" + sync + "\n" + rest
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, syncs, err := compile.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		var inner []*reconcile.Sync
		for _, s := range syncs {
			inner = append(inner, s.Sync)
		}
		return registration.Of("entrasync", cfg, inner)
	}
	names := func(a registration.App) (names []string) {
		for _, p := range a.Permissions {
			names = append(names, p.Name)
		}
		return names
	}
	everyone := of(`    scope: {users: all}
    users: {match: [userName], attributes: {userName: "[userPrincipalName]"}}`, "")
	if got := names(everyone); !slices.Equal(got, []string{"User.Read.All"}) || everyone.Audience != "AzureADMyOrg" || len(everyone.Redirects) != 0 {
		t.Errorf("everyone: %+v", everyone)
	}
	leaving := of(`    users: {match: [userName], attributes: {userName: "[userPrincipalName]", title: "[employeeLeaveDateTime]"}}`,
		"consent: {listen: \"127.0.0.1:0\", public_url: https://sync.example.com}\n")
	if got := names(leaving); !slices.Equal(got, []string{"User.Read.All", "GroupMember.Read.All", "Application.Read.All", "User-LifeCycleInfo.Read.All"}) {
		t.Errorf("with a leave date: %v", got)
	}
	if last := leaving.Permissions[len(leaving.Permissions)-1]; last.Why != "reads employeeLeaveDateTime of users, which the configuration uses" {
		t.Errorf("why: %s", last.Why)
	}
	if leaving.Audience != "AzureADMultipleOrgs" || !slices.Equal(leaving.Redirects, []string{"https://sync.example.com/consent/callback"}) {
		t.Errorf("with consent: %+v", leaving)
	}
}

// What init writes needs the permissions that its comments and the README name.
func TestStarterNamesItsPermissions(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "entrasync.yaml")
	if err := os.WriteFile(file, []byte(configs.Starter()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, syncs, err := compile.LoadUnfilled(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range registration.Of("entrasync", cfg, []*reconcile.Sync{syncs[0].Sync}).Permissions {
		if !strings.Contains(configs.Starter(), p.Name) {
			t.Errorf("the starter does not name %s", p.Name)
		}
	}
}
