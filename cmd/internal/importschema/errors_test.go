package importschema_test

import (
	"bytes"
	"strings"
	"testing"

	"entrasync/cmd/internal/importschema"
	"entrasync/cmd/internal/jsonfile"
)

func TestWrongInput(t *testing.T) {
	t.Parallel()
	good := schema(users("", ""))
	outbound := `{"name":"OUT","sourceDirectoryName":"Azure Active Directory","targetDirectoryName":"app","objectMappings":[` + users("", "") + `]}`
	inbound := `{"name":"IN","sourceDirectoryName":"Workday","targetDirectoryName":"Azure Active Directory","objectMappings":[]}`
	tests := []struct{ name, text, rule, want string }{
		{"nothing", "", "", "schema.json is empty"},
		{"no JSON", "{\n  \"id\": 1,\n  id: 2\n}", "", "schema.json:3:3: this is not JSON"},
		{"a web page", "<!DOCTYPE html>", "", "it looks like a web page"},
		{"cut", good[:len(good)-10], "", "the JSON ends too early"},
		{"a configuration", "syncs:\n  app: {}", "", "schema.json:1:1: this is not JSON"},
		{"an empty object", "{}", "", "schema.json:1:1: there are no synchronizationRules"},
		{"text", `"schema"`, "", "the whole is a string"},
		{"two schemas", "[" + good + ",\n" + good + "]", "", "schema.json:2:1: a list of 2 documents"},
		{"an empty list", "[]", "", "the whole is an array"},
		{"jobs", `{"value":[{"id":"1","templateId":"scim"}]}`, "", "this is a list, such as of jobs"},
		{"a job", `{"id":"1","templateId":"scim","schedule":{}}`, "", "add /schema to its address"},
		{"Graph's refusal", `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}`, "", "Authorization_RequestDenied: Insufficient privileges"},
		{"PowerShell's shallow JSON", `{"synchronizationRules":[{"objectMappings":"@{name=Users}"}]}`, "", "synchronizationRules.objectMappings is a string, which it cannot be; if PowerShell wrote it, use ConvertTo-Json -Depth 100"},
		{"no users", schema(`{"sourceObjectName":"Group","attributeMappings":[]}`), "", `rule "R" maps no users (sourceObjectName User) but "Group"`},
		{"no attribute mappings", schema(`{"sourceObjectName":"User"}`), "", "has no attributeMappings"},
		{"into Entra", `{"synchronizationRules":[` + inbound + `]}`, "", "entrasync reads from Entra only"},
		{"several rules", "{\"synchronizationRules\":[" + outbound + ",\n" + outbound + "]}", "", `schema.json:2:1`},
		{"no such rule", `{"synchronizationRules":[` + outbound + `]}`, "X", `has no synchronization rule "X"; it has "OUT" from`},
	}
	for _, tt := range tests {
		_, err := importschema.Convert("schema.json", []byte(tt.text), importschema.Options{Rule: tt.rule})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	for name, text := range map[string]string{
		"one in a list": "[" + good + "]", "a template around it": `{"id":"t","schema":` + good + `}`,
		"a second rule that writes into Entra": `{"synchronizationRules":[` + inbound + `,` + outbound + `]}`,
	} {
		if _, err := importschema.Convert("schema.json", []byte(text), importschema.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := importschema.Convert("schema.json", []byte(good), importschema.Options{To: "a b"}); err == nil || !strings.Contains(err.Error(), `"a b" cannot be a name`) {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := importschema.Convert("schema.json", []byte(good), importschema.Options{From: "consented", To: "1e3"}); err != nil {
		t.Errorf("names that YAML could take for something else: %v", err)
	}
}

// Nothing in a schema reaches the terminal or the comments as more than text.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const bad = `x\nsyncs: {}\r\u001b[2J\u2028\u0085`
	text := `{"synchronizationRules":[{"name":"` + bad + `","sourceDirectoryName":"` + bad + `","targetDirectoryName":"` + bad + `","objectMappings":[
		{"sourceObjectName":"User","name":"` + bad + `","flowTypes":"` + bad + `","scope":{"groups":[{"name":"` + bad + `","clauses":[
			{"operatorName":"EQUALS","sourceOperandName":"city","targetOperand":{"values":["` + bad + `"]}}]}]},
		 "attributeMappings":[
			{"targetAttributeName":"` + bad + `","source":{"type":"` + bad + `","name":"` + bad + `"}},
			{"targetAttributeName":"nickName","defaultValue":"` + bad + `","flowType":"` + bad + `","source":{"type":"Constant","name":"` + bad + `"}}]},
		{"sourceObjectName":"` + bad + `"}]}]}`
	result, _ := imported(t, text)
	for _, line := range strings.Split(result.YAML, "\n") {
		if strings.ContainsAny(line, "\r\x1b\u2028\u0085") || strings.HasPrefix(line, "syncs: {}") {
			t.Errorf("line %q", line)
		}
	}
	for _, note := range result.Notes {
		if strings.ContainsAny(note.String(), "\n\r\x1b\u2028\u0085") {
			t.Errorf("note %q", note)
		}
	}
}

func FuzzConvert(f *testing.F) {
	f.Add(readFile(f, "default.json"))
	f.Add(readFile(f, "everything.json"))
	f.Add([]byte(schema(users(`"scope":{"groups":[{"clauses":[{"operatorName":"=","sourceOperandName":"a"}]}]}`, `,{"targetAttributeName":"x","source":{"type":"Function","name":"Switch","parameters":[{"key":"source"}]}}`))))
	f.Add([]byte(schema(users("", `,{"targetAttributeName":"emails[type eq \"${A}\"].value","matchingPriority":2,"defaultValue":"${","source":{"type":"Constant","name":"${B}\u0000<<: *x"}}`))))
	f.Add([]byte("\xef\xbb\xbf[{}]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := jsonfile.Text(raw)
		result, err := importschema.Convert("schema.json", text, importschema.Options{})
		if err != nil {
			if strings.Contains(err.Error(), "does not load") {
				t.Fatal(err)
			}
			return
		}
		if _, err := load(result.YAML); err != nil {
			t.Fatalf("the section does not load: %v\n%s", err, result.YAML)
		}
		again, err := importschema.Convert("schema.json", bytes.Clone(text), importschema.Options{})
		if err != nil || again.YAML != result.YAML {
			t.Fatalf("the same schema gave another section (%v)", err)
		}
	})
}
