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
