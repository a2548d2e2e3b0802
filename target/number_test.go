package target_test

import (
	"encoding/json"
	"testing"

	"entrasync/target"
)

// Numbers keep their digits, as ids of accounts that servers write as numbers must.
func TestDecodeJSONKeepsDigits(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{"0", "7", "-3", "2.5", "9007199254740991", "9007199254740993", "18446744073709551617", "1.0", "1e3"} {
		value, err := target.DecodeJSON([]byte(`{"id":` + digits + `,"members":[{"value":` + digits + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		object := value.(map[string]any)
		if got := target.Digits(object["id"]); got != digits {
			t.Errorf("the id %s became %s", digits, got)
		}
		if got := target.Digits(object["members"].([]any)[0].(map[string]any)["value"]); got != digits {
			t.Errorf("the member %s became %s", digits, got)
		}
		if text, err := json.Marshal(object["id"]); err != nil || string(text) != digits && digits != "1.0" {
			t.Errorf("%s is written back as %s (%v)", digits, text, err)
		}
	}
	if _, err := target.DecodeJSON([]byte(`{"id":1} {"id":2}`)); err == nil {
		t.Error("two values were taken for one")
	}
}

// A resource that was kept as JSON comes back with the same digits.
func TestResourceKeepsDigits(t *testing.T) {
	t.Parallel()
	var r target.Resource
	if err := json.Unmarshal([]byte(`{"Kind":"user","ID":"7","Attributes":{"externalId":9007199254740993,"n":1}}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.ID != "7" || target.Digits(r.Attributes["externalId"]) != "9007199254740993" || r.Attributes["n"] != 1.0 {
		t.Errorf("read %+v", r)
	}
}

// A number that a server shows is found by, and is the same as, its digits as text.
func TestNumbersAndTheirDigits(t *testing.T) {
	t.Parallel()
	path, err := target.ParsePath("externalId")
	if err != nil {
		t.Fatal(err)
	}
	for shown, other := range map[string]string{"17": "18", "9007199254740993": "9007199254740992"} {
		value, err := target.DecodeJSON([]byte(`{"externalId":` + shown + `}`))
		if err != nil {
			t.Fatal(err)
		}
		attributes := value.(map[string]any)
		if !path.Holds(attributes, shown) || path.Holds(attributes, other) {
			t.Errorf("%s: holds itself %v, holds %s %v", shown, path.Holds(attributes, shown), other, path.Holds(attributes, other))
		}
		if got := path.Get(attributes); !path.Same(shown, got) || path.Same(other, got) {
			t.Errorf("%s: same as itself %v, same as %s %v", shown, path.Same(shown, got), other, path.Same(other, got))
		}
	}
}
