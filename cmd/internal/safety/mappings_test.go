package safety

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// TestRandomMappings: whatever is mapped, however: applied once, there is nothing left to plan,
// neither against what was applied nor against what the application then holds.
func TestRandomMappings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		specs := drawMapping(r)
		users, faults := mapping.New(target.User, specs)
		if len(faults) > 0 {
			r.Skip("not a mapping: ", faults)
		}
		w := newWorld(t, settings{all: true, guests: true})
		w.tenant.Populate(graphtest.GenerateOptions{Users: 12, Seed: rapid.Uint64Range(0, 1000).Draw(r, "company"), App: frontApp})
		w.sync.Users.Mapping, w.sync.Text = users, fmt.Sprintf("%+v", specs)
		report, err := w.run(reconcile.Options{Apply: true})
		if err != nil || report.Result == reconcile.Failed {
			r.Fatalf("apply %+v: %v", specs, err)
		}
		failed := len(report.Errors)
		for _, again := range []reconcile.Options{{}, {Full: true}} {
			report, err := w.run(again)
			if err != nil {
				r.Fatalf("plan again: %v", err)
			}
			if n := report.Summary.Changes(); n > failed {
				for action := range w.syncer().Plan(report).Actions() {
					r.Logf("%s %s %v", action.Op, action.Key, action.Changes)
				}
				r.Fatalf("%d changes are left after %+v was applied (%d records failed)", n, specs, failed)
			}
		}
	})
}

// drawMapping draws a mapping: the two that people are found by, and any others.
func drawMapping(r *rapid.T) []mapping.Spec {
	specs := []mapping.Spec{{Path: "externalId", Expr: "[objectId]"}, {Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true}}
	sources := []string{"[displayName]", "[jobTitle]", "[department]", "[city]", "[mail]", "[mobilePhone]", `Join(" ", [givenName], [surname])`,
		`Switch([department], "Other", "Sales", "S", "Finance", "F")`, `IIF([country]="Germany", "DE", [usageLocation])`, `ToUpper([surname], )`,
		`Left([displayName], 3)`, `SingleAppRoleAssignment([appRoleAssignments])`, `Replace([mail], "@", , , " at ", , )`, "constant",
		`NormalizeDiacritics([displayName])`, `IgnoreFlowIfNullOrEmpty([employeeId])`, `Coalesce([mobilePhone], [officeLocation], "none")`}
	paths := []string{"active", "displayName", "title", "nickName", "userType", "preferredLanguage", "name.givenName", "name.familyName", "name.formatted",
		`emails[type eq "work"].value`, `phoneNumbers[type eq "mobile"].value`, `addresses[type eq "work"].locality`, `addresses[type eq "work"].country`,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}
	for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(paths), 0, 9, rapid.ID).Draw(r, "paths") {
		spec := mapping.Spec{Path: path,
			Expr:   rapid.SampledFrom(sources).Draw(r, "source"),
			Apply:  rapid.SampledFrom([]string{"", "always", "create"}).Draw(r, "apply"),
			Owner:  rapid.SampledFrom([]string{"", "sync", "login"}).Draw(r, "owner"),
			Redact: rapid.Bool().Draw(r, "redact"),
		}
		spec.OnNull = rapid.SampledFrom([]string{"", "keep", "clear"}).Draw(r, "on null")
		if rapid.Bool().Draw(r, "has default") {
			spec.Default = "by default"
			spec.OnNull = rapid.SampledFrom([]string{"keep", "default"}).Draw(r, "on null, with a default")
		}
		switch path {
		case "active":
			spec = mapping.Spec{Path: path, Expr: "Not([IsSoftDeleted])"}
		case "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":
			spec = mapping.Spec{Path: path, Expr: "[manager]"}
		}
		if spec.Expr == `SingleAppRoleAssignment([appRoleAssignments])` {
			spec.Priority = roles
		}
		specs = append(specs, spec)
	}
	return specs
}
