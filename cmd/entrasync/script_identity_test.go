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
func (w *world) replace(kind, nameAttribute, name, newName string) {
	other := map[string]any{nameAttribute: newName, "externalId": "another " + newName}
	if kind == "User" {
		other["displayName"], other["active"] = "Another user", true
	}
	if w.target.server == nil {
		w.rewrite(func(lines []map[string]any) []map[string]any {
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
	w.target.server.Replace(w.tb, "/"+kind+"s/"+w.found(kind, nameAttribute, name)["id"].(string), other)
}

// found returns the resource of a name.
func (w *world) found(kind, attribute, name string) map[string]any {
	for _, r := range w.resources(kind) {
		if text, _ := r[attribute].(string); strings.EqualFold(text, name) {
			return r
		}
	}
	panic(fmt.Sprintf("there is no %s %s", kind, name))
}

// remake deletes an account and makes it again, with what it had unless something else is given.
func (w *world) remake(userName string, with map[string]string) {
	before := w.found("User", "userName", userName)
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
	w.remove(userName)
	w.seed("User", again)
}
