package mapping_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
)

// A vector is one line of testdata/vectors.json: an expression, its input and what it must
// give.
type vector struct {
	Fn     string                     `json:"fn"`
	Expr   string                     `json:"expr"`
	Source map[string]json.RawMessage `json:"source"`
	Want   any                        `json:"want"`
	Ctx    struct {
		Now           string   `json:"now"`
		DefaultDomain string   `json:"defaultDomain"`
		Taken         []string `json:"taken"`
	} `json:"ctx"`
}

func vectors(t testing.TB) []vector {
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (v vector) env(t testing.TB) *mapping.Env {
	record := mapping.Record{}
	for name, raw := range v.Source {
		value, err := mapping.FromJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		record[name] = value
	}
	env := &mapping.Env{Source: record, DefaultDomain: v.Ctx.DefaultDomain}
	if v.Ctx.Now != "" {
		for _, layout := range []string{time.RFC3339, "2006-01-02"} {
			if now, err := time.Parse(layout, v.Ctx.Now); err == nil {
				env.Now = now
			}
		}
	}
	env.Taken = func(value string) (bool, error) { return slices.Contains(v.Ctx.Taken, value), nil }
	return env
}

// outcome is what `eval --json` would print, as decoded JSON.
func outcome(text string, env *mapping.Env) any {
	e, err := mapping.Compile(text)
	var v mapping.Value
	if err == nil {
		v, err = e.Eval(env)
	}
	var failure *mapping.Error
	if errors.As(err, &failure) {
		return map[string]any{"error": string(failure.Kind)}
	}
	switch v.Type() {
	case mapping.IgnoreAttribute:
		return map[string]any{"ignore": "attribute"}
	case mapping.IgnoreObject:
		return map[string]any{"ignore": "object"}
	}
	raw, err := json.Marshal(v.Any())
	if err != nil {
		return err
	}
	var decoded any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return err
	}
	return decoded
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if diff := cmp.Diff(v.Want, outcome(v.Expr, v.env(t))); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", v.Expr, v.Source, diff)
		}
	}
}
