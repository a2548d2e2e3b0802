package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"entrasync/target"
	"entrasync/target/wire"
	"entrasync/target/wire/wiretest"
)

var update = flag.Bool("update", false, "rewrite the published schema")

const published = "../../configs/target-messages.schema.json"

func TestMessageSchemaIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := wire.MessageSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(published, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(published); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not current (%v); run: go test ./target/wire -run SchemaIsCurrent -update", published, err)
	}
}

// What is really sent, and what the reference program answers, is what the schema says.
func TestMessagesFitTheSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("messages.json", document); err != nil {
		t.Fatal(err)
	}
	fits := func(part string, message []byte) {
		t.Helper()
		compiled, err := compiler.Compile("messages.json#/$defs/" + part)
		if err != nil {
			t.Error(err)
			return
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
		if err == nil {
			err = compiled.Validate(value)
		}
		if err != nil {
			t.Errorf("%s is no %s: %v", message, part, err)
		}
	}
	r := wiretest.NewReceiver(t, wiretest.Go(t), filepath.Join(t.TempDir(), "people"))
	seen := map[string]bool{}
	r.Break(func(w http.ResponseWriter, m wiretest.Message, answer func() []byte) bool {
		answered := answer()
		var read struct{ Result json.RawMessage }
		fits("question", []byte(m.Body))
		fits("answer", answered)
		if json.Unmarshal(answered, &read) == nil && read.Result != nil {
			fits(m.Method+".result", read.Result)
		}
		seen[m.Method] = true
		_, _ = w.Write(answered)
		return true
	})
	a := webhook(t, r, wiretest.Secret("first"))
	everything(t, a)
	for _, method := range []string{"hello", "probe", "find", "get", "list", "create", "update", "delete", "changeMembers", "members", "close"} {
		if !seen[method] {
			t.Errorf("%s was not tried", method)
		}
		if !bytes.Contains(text, []byte(`"`+method+`.params"`)) {
			t.Errorf("the schema lacks %s", method)
		}
	}
}

// everything makes each call once.
func everything(t *testing.T, a *wire.Adapter) {
	t.Helper()
	ctx := t.Context()
	_, err := a.Probe(ctx, map[target.Kind][]target.Path{target.User: {path(t, "userName")}})
	user, made := a.Create(ctx, target.User, append(named(t, "ada@example.com"), target.Attribute{Path: path(t, "active"), Value: true}))
	group, grouped := a.Create(ctx, target.Group, []target.Attribute{{Path: path(t, "displayName"), Value: "Sales"}})
	if err := errors.Join(err, made, grouped); err != nil {
		t.Fatal(err)
	}
	_, found := a.Find(ctx, target.User, path(t, "userName"), "ada@example.com")
	_, got := a.Get(ctx, user.Ref)
	_, updated := a.Update(ctx, user.Ref, []target.Attribute{{Path: path(t, "title"), Value: "Countess", Old: "Lady"}})
	_, changed := a.ChangeMembers(ctx, group.Ref, []string{user.ID}, []string{"7"})
	_, _, members := a.Members(ctx, group.Ref)
	listed := a.List(ctx, target.User, func([]target.Resource) error { return nil })
	if err := errors.Join(found, got, updated, changed, members, listed, a.Delete(ctx, user.Ref), a.Close(ctx)); err != nil {
		t.Fatal(err)
	}
}
