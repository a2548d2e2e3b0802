package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Ids that lead to other accounts than before: what an application does that is restored from a
// backup, or that makes accounts at single sign-on.

// replace gives the id of a resource to another one, which keeps nothing of it.
func (a *application) replace(kind, nameAttribute, name, newName string) {
	other := map[string]any{nameAttribute: newName, "externalId": "another " + newName}
	if kind == "User" {
		other["displayName"], other["active"] = "Another user", true
	}
	if a.sql != nil {
		a.sql.replace(kind, a.found(kind, nameAttribute, name), other)
		return
	}
	if a.ldap != nil {
		a.ldap.replace(kind, a.found(kind, nameAttribute, name), other)
		return
	}
	if a.wire != nil {
		a.wire.replace(a.tb, kind, a.found(kind, nameAttribute, name), other)
		return
	}
	if a.server == nil {
		a.rewrite(func(lines []map[string]any) []map[string]any {
			for i, line := range lines {
				if line[nameAttribute] == name {
					other["id"], other["meta"] = line["id"], line["meta"]
					lines[i] = other
				}
			}
			return lines
		})
		return
	}
	if kind == "Group" {
		other["members"] = []any{}
	}
	a.server.Replace(a.tb, "/"+kind+"s/"+a.found(kind, nameAttribute, name)["id"].(string), other)
}

// found returns the resource of a name.
func (a *application) found(kind, attribute, name string) map[string]any {
	for _, r := range a.resources(kind) {
		if text, _ := r[attribute].(string); strings.EqualFold(text, name) {
			return r
		}
	}
	panic(fmt.Sprintf("there is no %s %s", kind, name))
}

// remake deletes an account and makes it again, with what it had unless something else is given.
func (a *application) remake(userName string, with map[string]string) {
	before := a.found("User", "userName", userName)
	again := map[string]any{}
	for _, name := range []string{"userName", "displayName", "externalId", "active"} {
		if before[name] != nil {
			again[name] = before[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(with)) {
		if again[name] = with[name]; with[name] == "" {
			delete(again, name)
		}
	}
	a.remove(userName)
	a.seed("User", again)
}
