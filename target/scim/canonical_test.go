package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"entrasync/target"
)

func TestOddFilterValues(t *testing.T) {
	t.Parallel()
	var schemas map[string]any
	if err := json.Unmarshal([]byte(`{"Resources":[{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[
		{"name":"emails","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type","canonicalValues":["work","home"]}]},
		{"name":"ims","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type"}]}]}]}`), &schemas); err != nil {
		t.Fatal(err)
	}
	known := typesOf(schemas)
	for text, want := range map[string]string{
		`emails[type eq "wrk"].value`:     `the type "wrk"; its schemas name work, home`,
		`emails[type eq "Work"].value`:    "",
		`emails[primary eq true].value`:   "",
		`ims[type eq "anything"].value`:   "",
		`phoneNumbers[type eq "x"].value`: "",
		"userName":                        "",
	} {
		path, err := target.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(known.oddFilterValues(target.User, path), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// What the target's schemas describe is known down to sub-attributes, those of filters too.
func TestUnknownInSchemas(t *testing.T) {
	t.Parallel()
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	var object map[string]any
	if err := json.Unmarshal([]byte(`{"Resources":[
		{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[
			{"name":"userName"},{"name":"title"},{"name":"name","type":"complex","subAttributes":[{"name":"givenName"},{"name":"familyName"}]},
			{"name":"emails","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type"}]},
			{"name":"roles","type":"complex","multiValued":true}]},
		{"id":"`+enterprise+`","attributes":[{"name":"department"},{"name":"manager","type":"complex","subAttributes":[{"name":"value"}]}]}]}`), &object); err != nil {
		t.Fatal(err)
	}
	schemas, types := describedSchemas(object), typesOf(object)
	for text, want := range map[string]string{
		"name.givnName":                     "the sub-attribute name.givnName; did you mean givenName?",
		"name.honorificPrefix":              "the sub-attribute name.honorificPrefix",
		`emails[typ eq "work"].value`:       "the sub-attribute emails.typ",
		`emails[type eq "work"].vlaue`:      "the sub-attribute emails.vlaue; did you mean value?",
		"titel":                             "the attribute titel; did you mean title?",
		enterprise + ":departement":         "did you mean department?",
		enterprise + ":manager.displayName": "the sub-attribute manager.displayName",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:Usr:department": "did you mean " + enterprise + "?",
		"NAME.GIVENNAME":               "",
		`emails[type eq "work"].value`: "",
		"roles[primary eq true].value": "", // its sub-attributes are not described
		"externalId":                   "",
		enterprise + ":manager":        "",
	} {
		path, err := target.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		got := schemas.unknown(types, target.User, path)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestCanonicalValues(t *testing.T) {
	t.Parallel()
	var object map[string]any
	if err := json.Unmarshal([]byte(`{"Resources":[{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[
		{"name":"userType","canonicalValues":["Premium","Standard"],"caseExact":true},{"name":"title","canonicalValues":["Mr"]},
		{"name":"roles","type":"complex","multiValued":true,"subAttributes":[{"name":"value","canonicalValues":["Admin"]},{"name":"type"}]}]}]}`), &object); err != nil {
		t.Fatal(err)
	}
	types := typesOf(object)
	for text, want := range map[string]string{
		"userType": "userType", "title": "title", "roles": "roles.value", `roles[primary eq "True"].value`: `roles[primary eq "True"].value`, "roles.type": "", "nickName": "",
	} {
		path, err := target.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		found := types.canonicalValues(target.User, path)
		if _, ok := found[want]; len(found) > 1 || ok != (want != "") {
			t.Errorf("%s: %v, want those of %q", text, found, want)
		}
		if text == "userType" && (found[want].Has("premium") || !found[want].Has("Premium")) || text == "title" && !found[want].Has("MR") {
			t.Errorf("%s: values are compared in another way than caseExact has it", text)
		}
	}
}
