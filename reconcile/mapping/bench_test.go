package mapping_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// benchSource is a user as the snapshot gives it: raw JSON properties.
type benchSource struct {
	raw   map[string][]byte
	roles mapping.Value
}

func (s *benchSource) Attribute(name string) mapping.Value {
	switch name {
	case "IsSoftDeleted":
		return mapping.BoolValue(false)
	case "appRoleAssignments":
		return s.roles
	}
	return mapping.GraphValue(name, graphsync.User, func(property string) []byte { return s.raw[property] })
}

func newBenchSource() *benchSource {
	return &benchSource{
		raw: map[string][]byte{
			"id": []byte(`"5c1e0000-0000-0000-0000-000000000001"`), "userPrincipalName": []byte(`"Ada.Lovelace@contoso.example"`),
			"displayName": []byte(`"Ada Lovelace"`), "givenName": []byte(`"Ada"`), "surname": []byte(`"Lovelace"`), "mail": []byte(`"ada@contoso.example"`),
			"jobTitle": []byte(`"Analyst, Engines"`), "department": []byte(`"Research"`), "officeLocation": []byte(`"London"`),
			"businessPhones": []byte(`["+44 20 7946 0958"]`), "mobilePhone": []byte(`"+44 7700 900123"`), "country": []byte(`"GB"`),
			"employeeId": []byte(`"1815"`), "employeeHireDate": []byte(`"2012-12-10T00:00:00Z"`), "companyName": []byte(`null`), "preferredLanguage": []byte(`"en-GB"`),
		},
		roles: mapping.ListValue(mapping.RoleValue("06b07648-ecfe-589f-9d2f-6325724a46ee", "Admin", "Administrators")),
	}
}

// typical is a mapping as administrators have it: fifteen attributes, direct and computed.
var typical = []mapping.Spec{
	{Path: "externalId", Expr: "[objectId]"},
	{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
	{Path: "active", Expr: `Switch([IsSoftDeleted], , "False", "True", "True", "False")`},
	{Path: "displayName", Expr: "[displayName]"},
	{Path: "name.givenName", Expr: "[givenName]", Required: true},
	{Path: "name.familyName", Expr: "[surname]", Required: true},
	{Path: "name.formatted", Expr: `Join(" ", [givenName], [surname])`},
	{Path: "title", Expr: "[jobTitle]"},
	{Path: `emails[type eq "work"].value`, Expr: "[mail]"},
	{Path: `phoneNumbers[type eq "work"].value`, Expr: "[telephoneNumber]"},
	{Path: "preferredLanguage", Expr: `Replace([preferredLanguage], "-", , , "_", , )`},
	{Path: "userType", Expr: "[companyName]", Default: "Standard", Allowed: []string{"Premium", "Standard"}},
	{Path: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", Expr: `IIF([country]="GB", [department], "Abroad")`},
	{Path: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", Expr: "[employeeId]"},
	{Path: `roles[primary eq "True"].value`, Expr: "SingleAppRoleAssignment([appRoleAssignments])", Priority: []string{"Admin", "User"}},
}

func compiled(t testing.TB, specs ...mapping.Spec) *mapping.Mapping {
	t.Helper()
	m, faults := mapping.New(target.User, specs)
	for _, fault := range faults {
		t.Error(fault)
	}
	if m == nil {
		t.FailNow()
	}
	return m
}

// BenchmarkMapping is the typical mapping alone: the attributes are there as values.
func BenchmarkMapping(b *testing.B) {
	m, source, record := compiled(b, typical...), newBenchSource(), mapping.Record{}
	for _, name := range m.Sources() {
		record[name] = source.Attribute(name)
	}
	benchmarkMapping(b, m, record)
}

// BenchmarkMappingFromJSON is the same with the attributes read from Graph's JSON.
func BenchmarkMappingFromJSON(b *testing.B) {
	benchmarkMapping(b, compiled(b, typical...), newBenchSource())
}

func benchmarkMapping(b *testing.B, m *mapping.Mapping, source mapping.Source) {
	env := &mapping.Env{Source: source}
	b.ReportAllocs()
	for b.Loop() {
		if result := m.Evaluate(env, true); result.Problem != nil {
			b.Fatal(result.Problem)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkChanges(b *testing.B) {
	m, env := compiled(b, typical...), &mapping.Env{Source: newBenchSource()}
	applied := map[string]any{}
	desired := m.Evaluate(env, true).Attributes
	for _, d := range desired {
		applied[d.Attribute.Path.String()] = d.Attribute.Canonical(d.Value)
	}
	held := func(path string) (any, bool) { v, ok := applied[path]; return v, ok }
	for b.Loop() {
		if changes := m.Changes(desired, held, false); len(changes) != 0 {
			b.Fatal(changes)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := mapping.Compile(`Replace(Replace([mobile], , "\\+(?<isdCode>\\d* )(?<phoneNumber>.*)", , "${phoneNumber}", , ), ,"[()\\s-]+", ,"", , )`); err != nil {
			b.Fatal(err)
		}
	}
}

// samples has one call per function over attributes, so that nothing is folded away.
var samples = map[string]string{
	"Append": `Append([s], ".test")`, "Prepend": `Prepend("smtp:", [s])`, "Join": `Join(" ", [s], [t])`, "Left": `Left([s], 3)`, "Mid": `Mid([s], 2, 4)`,
	"InStr": `InStr([s], "ce")`, "ToLower": `ToLower([s])`, "ToUpper": `ToUpper([s])`, "PCase": `PCase([s])`, "StripSpaces": `StripSpaces([t])`, "Trim": `Trim([t])`,
	"NormalizeDiacritics": `NormalizeDiacritics([accents])`, "Word": `Word([t], 2, " ")`, "Replace": `Replace([t], , "[()\\s-]+", , "", , )`, "CStr": `CStr([n])`,
	"ConvertToBase64": `ConvertToBase64([s])`, "ConvertFromBase64": `ConvertFromBase64([base64])`, "ConvertToUTF8Hex": `ConvertToUTF8Hex([s])`, "Guid": `Guid()`,
	"RandomString": `RandomString(12, 2, 2, 2, 2)`, "DNComponent": `DNComponent([dn], 2)`, "StringFromSid": `StringFromSid([sid])`,
	"IIF": `IIF([s] = "x", "a", "b")`, "Switch": `Switch([s], "d", "a", "1", "b", "2")`, "Coalesce": `Coalesce([none], [s])`, "Not": `Not([yes])`, "CBool": `CBool([n])`,
	"BitAnd": `BitAnd([n], 2)`, "IsNull": `IsNull([s])`, "IsNothing": `IsNothing([s])`, "IsNullOrEmpty": `IsNullOrEmpty([s])`, "IsPresent": `IsPresent([s])`, "IsString": `IsString([s])`,
	"IgnoreFlowIfNullOrEmpty": `IgnoreFlowIfNullOrEmpty([s])`, "Redact": `Redact([s])`, "DefaultDomain": `DefaultDomain()`, "SelectUniqueValue": `SelectUniqueValue([s], [t])`,
	"Split": `Split([csv], ",")`, "Item": `Item([list], 2)`, "Count": `Count([list])`, "RemoveDuplicates": `RemoveDuplicates([list])`,
	"Now": `Now()`, "CDate": `CDate([date])`, "DateAdd": `DateAdd("m", 1, CDate([date]))`, "DateDiff": `DateDiff("d", CDate([date]), Now())`, "DateFromNum": `DateFromNum([filetime])`,
	"NumFromDate": `NumFromDate([date])`, "FormatDateTime": `FormatDateTime([day], , "yyyy-MM-dd", "d MMM yyyy")`,
	"SingleAppRoleAssignment": `SingleAppRoleAssignment([roles])`, "AppRoleAssignments": `AppRoleAssignments([roles])`,
	"AppRoleAssignmentsComplex": `AppRoleAssignmentsComplex([roles])`, "AssertiveAppRoleAssignmentsComplex": `AssertiveAppRoleAssignmentsComplex([roles])`,
	"Error": `IIF([s] = "x", Error("no"), "b")`,
}

func sampleEnv() *mapping.Env {
	return &mapping.Env{
		Now: time.Date(2025, 7, 30, 12, 0, 0, 0, time.UTC), DefaultDomain: "contoso.onmicrosoft.com",
		Source: mapping.Record{
			"s": mapping.StringValue("Ada Lovelace"), "t": mapping.StringValue("+44 (20) 7946-0958 "), "n": mapping.IntValue(514), "yes": mapping.BoolValue(true),
			"accents": mapping.StringValue("Zoë Łukasiewicz"), "base64": mapping.StringValue("SABlAGwAbABvAA=="), "dn": mapping.StringValue("cn=Joe,ou=Sales,dc=contoso"),
			"sid": mapping.StringValue("AQUAAAAAAAUVAAAAFc1bBxXNWwcVzVsH9AEAAA=="), "csv": mapping.StringValue("a, b, c"),
			"list": mapping.ListValue(mapping.StringValue("a"), mapping.StringValue("b"), mapping.StringValue("a")),
			"date": mapping.StringValue("2012-03-16T07:00:00Z"), "day": mapping.StringValue("2012-03-16"), "filetime": mapping.StringValue("129699324000000000"),
			"roles": mapping.ListValue(mapping.RoleValue("1", "Admin", "Admins")),
		},
	}
}

func BenchmarkFunction(b *testing.B) {
	for _, f := range mapping.Functions() {
		text, ok := samples[f.Name]
		if !ok {
			b.Errorf("no sample of %s", f.Name)
			continue
		}
		b.Run(f.Name, func(b *testing.B) {
			e, err := mapping.Compile(text)
			if err != nil {
				b.Fatal(err)
			}
			env := sampleEnv()
			env.Random = bytes.NewReader(nil)
			if e.Volatile() {
				env.Random = nil
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Eval(env); err != nil {
					b.Fatal(fmt.Errorf("%s: %w", text, err))
				}
			}
		})
	}
}
