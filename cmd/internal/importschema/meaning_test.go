package importschema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/importschema"
	"entrasync/configs"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/scope"
	"entrasync/target"

	"github.com/google/go-cmp/cmp"
)

// The default mapping of a non-gallery application does to a person what Entra does.
func TestDefaultMapping(t *testing.T) {
	t.Parallel()
	result, cfg := convert(t, "default.json")
	sync, _ := cfg.Syncs.Get("app")
	if got := texts(sync.Users.Match); !slices.Equal(got, []string{"userName"}) {
		t.Errorf("users are matched by %v", got)
	}
	if got := texts(sync.Groups.Match); !slices.Equal(got, []string{"displayName"}) || !sync.Groups.Enabled {
		t.Errorf("groups are matched by %v, enabled %v", got, sync.Groups.Enabled)
	}
	var left []string
	for _, note := range result.Notes {
		if note.Kind == importschema.LeftOut {
			left = append(left, note.Place)
		}
	}
	if len(left) > 0 {
		t.Errorf("left out are %q, want nothing", left)
	}
	m, faults := mapping.New(target.User, specs(sync.Users.Attributes))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	source := mapping.Record{"IsSoftDeleted": mapping.BoolValue(false)}
	for _, name := range []string{"userPrincipalName", "displayName", "jobTitle", "mail", "preferredLanguage", "physicalDeliveryOfficeName", "streetAddress",
		"city", "state", "postalCode", "country", "telephoneNumber", "mobile", "facsimileTelephoneNumber", "mailNickname", "employeeId", "department"} {
		source[name] = mapping.StringValue(name + "!")
	}
	source["givenName"], source["surname"] = mapping.StringValue("Ada"), mapping.StringValue("Lovelace")
	account := map[string]any{}
	for _, d := range m.Evaluate(&mapping.Env{Source: source}, true).Attributes {
		d.Attribute.Path.Set(account, d.Value)
	}
	want := map[string]any{
		"userName": "userPrincipalName!", "active": true, "displayName": "displayName!", "title": "jobTitle!", "preferredLanguage": "preferredLanguage!",
		"externalId": "mailNickname!", "name": map[string]any{"givenName": "Ada", "familyName": "Lovelace", "formatted": "Ada Lovelace"},
		"emails": []any{map[string]any{"type": "work", "value": "mail!"}},
		"addresses": []any{map[string]any{"type": "work", "formatted": "physicalDeliveryOfficeName!", "streetAddress": "streetAddress!", "locality": "city!",
			"region": "state!", "postalCode": "postalCode!", "country": "country!"}},
		"phoneNumbers": []any{map[string]any{"type": "work", "value": "telephoneNumber!"}, map[string]any{"type": "mobile", "value": "mobile!"},
			map[string]any{"type": "fax", "value": "facsimileTelephoneNumber!"}},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": map[string]any{"employeeNumber": "employeeId!", "department": "department!"},
	}
	if diff := cmp.Diff(want, account); diff != "" {
		t.Errorf("the account (-want +got):\n%s", diff)
	}
}

func texts(in []configs.Text) (out []string) {
	for _, text := range in {
		out = append(out, text.Value)
	}
	return out
}

// Options of a mapping, in addition to the golden file: what the loaded configuration says.
func TestOptions(t *testing.T) {
	t.Parallel()
	_, cfg := convert(t, "everything.json")
	sync, _ := cfg.Syncs.Get("app")
	users := sync.Users
	if got := texts(users.Match); !slices.Equal(got, []string{"externalId", "userName"}) {
		t.Errorf("matching attributes are %v, want them by priority", got)
	}
	if slices.Contains(users.Actions, "delete") || slices.Contains(sync.Groups.Actions, "delete") {
		t.Error("delete was switched on")
	}
	type short struct {
		Expr, Default, Apply string
		Required, Multi      bool
	}
	got := map[string]short{}
	for path, a := range users.Attributes.All() {
		s := short{Expr: a.Expr.Value, Apply: a.Apply, Required: a.Required, Multi: a.Multi}
		if a.Default != nil {
			s.Default = a.Default.Value
		}
		got[path] = s
	}
	want := map[string]short{
		"externalId":                      {Expr: "[objectId]", Apply: "create"},
		"userName":                        {Expr: "ToLower([userPrincipalName])", Apply: "always", Required: true},
		"active":                          {Expr: "Not([IsSoftDeleted])", Apply: "always"},
		"displayName":                     {Expr: `Replace([displayName], , "\\s+", , " ")`, Apply: "always"},
		"nickName":                        {Expr: `Switch([department], , "Sales", "S")`, Apply: "always"},
		"userType":                        {Expr: "Employee", Apply: "create"},
		"locale":                          {Expr: "en-US", Apply: "always"},
		"profileUrl":                      {Expr: `"https://people.example.com/${me}"`, Apply: "always"},
		"preferredLanguage":               {Expr: "[preferredLanguage]", Default: "en", Apply: "always"},
		"title":                           {Expr: "[jobTitle]", Apply: "create"},
		`roles[primary eq "True"].value`:  {Expr: "SingleAppRoleAssignment([appRoleAssignments])", Apply: "always"},
		"entitlements":                    {Expr: "AppRoleAssignmentsComplex([appRoleAssignments])", Apply: "always"},
		"urn:example:2.0:User:folders":    {Expr: `Split([extensionAttribute1], ",")`, Apply: "create", Multi: true},
		"urn:example:2.0:User:costCenter": {Expr: "[extensionAttribute2]", Apply: "always"},
		"urn:example:2.0:User:badge":      {Expr: "RandomString(8, 2, 0, 0, 0, )", Apply: "always"},
		"urn:example:2.0:User:teams":      {Expr: "[memberOf]", Apply: "always", Multi: true},
		"urn:example:2.0:User:greeting":   {Expr: `"Say \"hi\", [now]"`, Apply: "always"},
		"urn:example:2.0:User:manager":    {Expr: "[manager]", Apply: "always"},
		"urn:example:2.0:User:mail":       {Expr: "[Mail]", Apply: "always"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// schema puts one object mapping of users into a schema.
func schema(object string) string {
	return `{"synchronizationRules":[{"name":"R","sourceDirectoryName":"Azure Active Directory","targetDirectoryName":"app","objectMappings":[` + object + `]}]}`
}

// users is an object mapping with what else stands in it.
func users(more, attributes string) string {
	if more != "" {
		more += ","
	}
	return `{"name":"Users","sourceObjectName":"User","targetObjectName":"U",` + more +
		`"attributeMappings":[{"targetAttributeName":"userName","matchingPriority":1,"source":{"type":"Attribute","name":"userPrincipalName","expression":"[userPrincipalName]"}}` + attributes + `]}`
}

func imported(t *testing.T, text string) (*importschema.Result, configs.Sync) {
	t.Helper()
	result, err := importschema.Convert("schema.json", []byte(text), importschema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := load(result.YAML)
	if err != nil {
		t.Fatalf("the section does not load: %v\n%s", err, result.YAML)
	}
	sync, _ := cfg.Syncs.Get("app")
	return result, sync
}

func TestActions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ more, want, remove, note string }{
		{`"flowTypes":"Add, Update, Delete"`, "[create update deactivate reactivate]", "deactivate", "add delete to actions"},
		{`"flowTypes":"Add,Update"`, "[create update deactivate reactivate]", "deactivate", ""},
		{`"flowTypes":"Add"`, "[create]", "nothing", ""},
		{`"flowTypes":"Update"`, "[update deactivate reactivate]", "deactivate", ""},
		{`"flowTypes":"Delete"`, "[deactivate]", "deactivate", "add delete to actions"},
		{`"flowTypes":["Add","Sometimes"]`, "[create]", "nothing", `"Sometimes" is not known`},
		{`"flowTypes":"None"`, "[]", "nothing", ""},
		{``, "[create update deactivate reactivate]", "deactivate", "Add and Update were assumed"},
		{`"enabled":false,"flowTypes":"Add"`, "[]", "nothing", "switched off in Entra"},
	} {
		result, sync := imported(t, schema(users(tt.more, "")))
		if got := fmt.Sprint(sync.Users.Actions); got != tt.want || sync.Users.OnRemove.Action != tt.remove {
			t.Errorf("%s: actions %s, on_remove %s", tt.more, got, sync.Users.OnRemove.Action)
		}
		if !strings.Contains(notes(result), tt.note) {
			t.Errorf("%s: no note says %q in\n%s", tt.more, tt.note, notes(result))
		}
	}
}

func notes(result *importschema.Result) string {
	var b strings.Builder
	for _, note := range result.Notes {
		fmt.Fprintf(&b, "%s %s\n", note.Kind, note)
		if !strings.Contains(result.YAML, "# "+note.Message) && !strings.Contains(result.YAML, note.String()) {
			b.WriteString("MISSING IN THE YAML: " + note.String() + "\n")
		}
	}
	return b.String()
}

// What a filter loses lets no user in.
func TestFilters(t *testing.T) {
	t.Parallel()
	person := func(attribute string) scope.Value {
		return map[string]scope.Value{"department": scope.String("Sales"), "objectId": scope.String("1"), "city": scope.String("Bonn")}[attribute]
	}
	for _, tt := range []struct {
		name, groups string
		want         scope.Verdict
		note         string
	}{
		{"none", ``, scope.In, ""},
		{"no clauses", `{"name":"a","clauses":[]}`, scope.In, "it has no clauses"},
		{"a clause", `{"clauses":[{"operatorName":"EQUALS","sourceOperandName":"department","targetOperand":{"values":["Sales"]}}]}`, scope.In, ""},
		{"OR between groups", `{"clauses":[{"operatorName":"EQUALS","sourceOperandName":"department","targetOperand":{"values":["IT"]}}]},
			{"clauses":[{"operatorName":"Includes","sourceOperandName":"city","targetOperand":{"values":["onn"]}}]}`, scope.In, ""},
		{"one of two is lost", `{"clauses":[{"operatorName":"EQUALS","sourceOperandName":"department","targetOperand":{"values":["IT"]}}]},
			{"clauses":[{"operatorName":"&","sourceOperandName":"city","targetOperand":{"values":["Bonn"]}}]}`, scope.Out, "so that no user enters through it"},
		{"a clause of a group is lost", `{"clauses":[{"operatorName":"EQUALS","sourceOperandName":"department","targetOperand":{"values":["Sales"]}},
			{"operatorName":"IsMemberOf","sourceOperandName":"city","targetOperand":{"values":["x"]}}]}`, scope.Out, "no object passes"},
		{"several values", `{"clauses":[{"operatorName":"EQUALS","sourceOperandName":"city","targetOperand":{"values":["Bonn","Ulm"]}}]}`, scope.Out, "several values"},
		{"a computed attribute", `{"clauses":[{"operatorName":"IS FALSE","sourceOperandName":"IsSoftDeleted"}]}`, scope.Out, "worked out, not stored"},
		{"a pattern that cannot run", `{"clauses":[{"operatorName":"REGEX MATCH","sourceOperandName":"city","targetOperand":{"values":["(?=B).*"]}}]}`, scope.Out, "left out"},
		{"a variable is text", `{"clauses":[{"operatorName":"EQUALS","sourceOperandName":"city","targetOperand":{"values":["${HOME}"]}}]}`, scope.Out, ""},
		{"a unary operator with an empty value", `{"clauses":[{"operatorName":"IS NOT NULL","sourceOperandName":"city","targetOperand":{"values":[""]}}]}`, scope.In, ""},
	} {
		result, sync := imported(t, schema(users(`"scope":{"groups":[`+tt.groups+`]}`, "")))
		filter, faults := scope.Compile(clauses(sync.Scope.Filter), nil)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if got, _ := filter.Match(person, time.Now()); got != tt.want {
			t.Errorf("%s: the person is %s, want %s", tt.name, got, tt.want)
		}
		if !strings.Contains(notes(result), tt.note) || strings.Contains(notes(result), "MISSING") {
			t.Errorf("%s: want a note with %q, got\n%s", tt.name, tt.note, notes(result))
		}
	}
}

// A section can always match people with accounts.
func TestMatching(t *testing.T) {
	t.Parallel()
	attribute := func(path, source string) string {
		return `{"targetAttributeName":"` + path + `","source":{"type":"Attribute","name":"` + source + `"}}`
	}
	for _, tt := range []struct{ attributes, want, note string }{
		{attribute("userName", "mail"), "[userName]", "externalId and userName are used"},
		{attribute("title", "jobTitle"), "[externalId]", "added"},
		{`{"targetAttributeName":"userName","matchingPriority":1,"source":{"type":"Function","expression":"Nonsense([mail])"}}`, "[externalId]", "cannot be matched by"},
	} {
		result, sync := imported(t, schema(`{"sourceObjectName":"User","flowTypes":"Add","attributeMappings":[`+tt.attributes+`]}`))
		if got := fmt.Sprint(texts(sync.Users.Match)); got != tt.want || !strings.Contains(notes(result), tt.note) {
			t.Errorf("%s: match %s, want %s; notes:\n%s", tt.attributes, got, tt.want, notes(result))
		}
	}
}

// Where the text of an expression is missing or damaged, its parsed tree is read.
func TestTrees(t *testing.T) {
	t.Parallel()
	a := func(name string) string { return `{"type":"Attribute","name":"` + name + `"}` }
	k := func(value string) string {
		return `{"type":"Constant","name":"` + value + `","expression":"\"` + value + `\""}`
	}
	p := func(key, value string) string { return `{"key":"` + key + `","value":` + value + `}` }
	f := func(name string, parameters ...string) string {
		return `{"type":"Function","name":"` + name + `","parameters":[` + strings.Join(parameters, ",") + `]}`
	}
	for _, tt := range []struct{ source, want string }{
		{f("Mid", p("source", a("mail")), p("start", k("1")), p("length", k("8"))), `Mid([mail], "1", "8")`},
		{f("Replace", p("source", a("mail")), p("Find", k("@x")), p("Replacement", k(""))), `Replace([mail], "@x", , , "")`},
		{f("Replace", p("source", a("mail")), p("Find", k("<n>")), p("Template", k("<n>@x"))), `Replace([mail], "<n>", , , , , "<n>@x")`},
		{f("Switch", p("source", a("city")), p("defaultValue", k("x")), p("switchValue", k("a")), p("switchValue", k("b"))), `Switch([city], "x", "a", "b")`},
		{f("Switch", p("source", a("city")), p("switchValue", k("a")), p("switchValue", f("ToLower", p("source", a("mail"))))), `Switch([city], , "a", ToLower([mail]))`},
		{f("FormatDateTime", p("source", a("hired")), p("inputFormat", k("yyyy")), p("outputFormat", k("yy"))), `FormatDateTime([hired], , "yyyy", "yy")`},
		{f("Join", p("separator", k(" ")), p("source", a("city")), p("source", a("state"))), `Join(" ", [city], [state])`},
		{f("IIF", p("condition", f("=", p("a", a("city")), p("b", k("Bonn")))), p("x", `{"type":"Constant","name":"IgnoreAttributeFlow","expression":"IgnoreAttributeFlow"}`), p("y", k("z"))),
			`IIF([city] = "Bonn", IgnoreAttributeFlow, "z")`},
		{`{"type":"Function","name":"ToLower","expression":"ToLower([mail","parameters":[` + p("source", a("mail")) + `]}`, `ToLower([mail])`},
		{`{"Type":"Attribute","Name":"mail","Expression":null,"Parameters":null}`, `[mail]`},
	} {
		_, sync := imported(t, schema(users("", `,{"targetAttributeName":"nickName","source":`+tt.source+`}`)))
		if got, _ := sync.Users.Attributes.Get("nickName"); got.Expr.Value != tt.want {
			t.Errorf("%s is %s, want %s", tt.source, got.Expr.Value, tt.want)
		}
	}
}
