package bulkimport

import (
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/target"
)

// The file has the template's version and titles, and a row for each account that no user of the directory has.
func TestWriter(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w, err := New(&out)
	if err != nil {
		t.Fatal(err)
	}
	account := func(state reconcile.AccountState, source *graphsync.ID, attributes map[string]any) *reconcile.Account {
		return &reconcile.Account{Key: "key", State: state, SourceID: source, Resource: target.Resource{Attributes: attributes}}
	}
	for _, a := range []*reconcile.Account{
		account(reconcile.NoSource, nil, map[string]any{"userName": "ada@x", "displayName": "Ada, Countess", "active": true, "title": "=1+1"}),
		account(reconcile.NoSource, nil, map[string]any{"userName": "bob@x", "active": false, "name": map[string]any{"givenName": "Bo\nb"}}),
		account(reconcile.NoSource, &graphsync.ID{1}, map[string]any{"userName": "not-in-scope@x"}),
		account(reconcile.Linked, &graphsync.ID{2}, map[string]any{"userName": "linked@x"}),
	} {
		if err := w.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 5 || lines[0] != "version:v1.0" || !strings.HasPrefix(lines[1], "Name [displayName] Required,User name [userPrincipalName] Required,") {
		t.Fatalf("wrote\n%s", out.String())
	}
	for i, want := range []string{`"Ada, Countess",ada@x,,No,,,'=1+1,`, `key,bob@x,,Yes,Bo�b,`} {
		if !strings.HasPrefix(lines[2+i], want) {
			t.Errorf("row %d is %s, want it to begin with %s", i, lines[2+i], want)
		}
	}
}
