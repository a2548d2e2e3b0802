package audit

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const anID = "11111111-2222-3333-4444-555555555555"

func ocsfOf(t *testing.T, members string) map[string]any {
	t.Helper()
	line, err := parseLine([]byte(`{"hash":"` + strings.Repeat("ab", 32) + `","prev":"00","seq":7,"at":"2026-12-01T02:00:00.123Z",` + members + `}`))
	if err != nil {
		t.Fatal(err)
	}
	line.TenantName = "contoso"
	text, err := line.OCSF("1.0")
	if err != nil {
		t.Fatal(err)
	}
	event, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile("testdata/ocsf.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(event); err != nil {
		t.Errorf("%s\n%v", text, err)
	}
	return event.(map[string]any)
}

// Each event and operation is an event of OCSF as its schema wants it.
func TestOCSF(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "adopt", "update", "deactivate", "reactivate", "delete", "unlink", "members"} {
		for _, kind := range []string{"user", "group"} {
			for _, result := range []string{"done", "failed"} {
				ocsfOf(t, fmt.Sprintf(`"event":"action","actor":"service","tenant":%q,"sync":"front","run":"r1","result":%q,"op":%q,"kind":%q,"source_id":%q,"key":"Ada","error":{"code":"x","message":"no"}`, anID, result, op, kind, anID))
			}
		}
	}
	events := append(slices.Collect(maps.Keys(entityTypes)), "recovered", "something_new")
	for _, event := range events {
		for _, result := range []string{"", "done", "refused", "held", "partial"} {
			ocsfOf(t, fmt.Sprintf(`"event":%q,"actor":"page","by":"grace","result":%q`, event, result))
			ocsfOf(t, fmt.Sprintf(`"event":%q,"actor":"command","tenant":%q,"hold":"h-1","kind":"user","source_id":%q,"key":"ada","reason":"ticket","result":%q`, event, anID, anID, result))
		}
	}
	e := ocsfOf(t, `"event":"action","actor":"command","by":"grace","run":"r1","result":"done","op":"deactivate","kind":"user","source_id":"`+anID+`","target_id":"42","key":"ada@contoso.example"`)
	user, actor, meta := e["user"].(map[string]any), e["actor"].(map[string]any)["user"].(map[string]any), e["metadata"].(map[string]any)
	got := fmt.Sprintln(e["class_uid"], e["activity_id"], e["type_uid"], e["type_name"], e["time"], user["name"], user["uid_alt"], actor["name"], meta["sequence"], meta["correlation_uid"], e["status_id"])
	if want := fmt.Sprintln(3001, 5, 300105, "Account Change: Disable", "1796090400123", "ada@contoso.example", "42", "grace", 7, "r1", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
