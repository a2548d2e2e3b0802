package scim_test

import (
	"errors"
	"testing"

	"entrasync/target"
	"entrasync/target/scim"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func path(t testing.TB, text string) target.Path {
	t.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attributes are pairs of path and value.
func attributes(t testing.TB, pairs ...any) []target.Attribute {
	t.Helper()
	var list []target.Attribute
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, target.Attribute{Path: path(t, pairs[i].(string)), Value: pairs[i+1]})
	}
	return list
}

func user(id string) target.Ref  { return target.Ref{Kind: target.User, ID: id} }
func group(id string) target.Ref { return target.Ref{Kind: target.Group, ID: id} }

func ids(list []target.Resource) []string {
	found := []string{}
	for _, r := range list {
		found = append(found, r.ID)
	}
	return found
}

func find(t *testing.T, a *scim.Adapter, by, value string) []string {
	t.Helper()
	found, err := a.Find(t.Context(), target.User, path(t, by), value)
	if err != nil {
		t.Fatal(err)
	}
	return ids(found)
}

func listed(t *testing.T, a *scim.Adapter, kind target.Kind) []string {
	t.Helper()
	all := []string{}
	if err := a.List(t.Context(), kind, func(page []target.Resource) error { all = append(all, ids(page)...); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func errorOf(t *testing.T, err error) *target.Error {
	t.Helper()
	var e *target.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a target.Error: %v", err)
	}
	return e
}
