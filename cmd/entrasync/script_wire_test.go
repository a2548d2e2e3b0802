package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/wire/wiretest"
)

// A wireTarget is an application that speaks the wire protocol: the reference program in Python, or a receiver of
// webhooks that has the one in Go answer. It is read back by messages of the test's own.
type wireTarget struct {
	command  []string
	file     string
	receiver *wiretest.Receiver // nil: the program itself
	last     string             // content of the file when last looked at
	seen     int                // messages reported

	mu     sync.Mutex     // guards what follows
	losing map[string]int // by method, how often more
	undone bool
}

// wireTargets are the sections of a configuration for the kinds of application.
var wireTargets = map[string]string{
	"exec":    `  exec: {type: exec, command: ["${PYTHON}", "${PEOPLE}"], config: {file: "${WORK}/people"}}`,
	"sql":     sqlSection,
	"ldap":    ldapSection,
	"webhook": `  webhook: {type: webhook, url: "${HOOK_URL}", secret_file: whsec, ca_file: "${HOOK_CA}"}`,
}

// withWire gives a configuration the target of a kind.
func withWire(config, kind string) error {
	section, ok := wireTargets[kind]
	if !ok {
		return nil
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	return os.WriteFile(config, []byte(strings.Replace(string(text), "\ntargets:\n", "\ntargets:\n"+section+"\n", 1)), 0o600)
}

// startWire makes a program, or a receiver of webhooks, the application.
func (w *world) startWire(kind string) {
	a := &wireTarget{file: filepath.Join(w.dir, "people"), losing: map[string]int{}}
	w.target.wire = a
	w.setenv("TARGET", kind)
	if kind == "exec" {
		a.command = wiretest.Python(w.tb)
		w.setenv("PYTHON", a.command[0])
		w.setenv("PEOPLE", a.command[1])
		return
	}
	a.command = wiretest.Go(w.tb)
	a.receiver = wiretest.NewReceiver(w.tb, a.command, a.file)
	a.receiver.Break(a.lost)
	w.setenv("HOOK_URL", a.receiver.URL)
	w.setenv("HOOK_CA", a.receiver.CAFile)
	if err := os.WriteFile(filepath.Join(w.dir, "whsec"), []byte(wiretest.Secret("first")+"\n"), 0o600); err != nil {
		panic(err.Error())
	}
}

func (a *wireTarget) ask(tb testing.TB, method string, params map[string]any) map[string]any {
	if a.receiver != nil {
		return a.receiver.Ask(tb, method, params)
	}
	return wiretest.Ask(tb, a.command, a.file, method, params)
}

// resources reads back every resource of a kind as SCIM has it.
func (a *wireTarget) resources(tb testing.TB, kind string) (all []map[string]any) {
	if _, err := os.Stat(a.file); err != nil {
		return nil // the program was never started
	}
	listed, _ := a.ask(tb, "list", map[string]any{"kind": strings.ToLower(kind), "limit": 100000})["resources"].([]any)
	for _, entry := range listed {
		r := entry.(map[string]any)
		resource := map[string]any{"id": r["id"]}
		attributes, _ := r["attributes"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			path, err := target.ParsePath(name)
			if err != nil {
				panic(err.Error())
			}
			path.Set(resource, attributes[name])
		}
		if kind == "Group" {
			var members []any
			ids, _ := a.ask(tb, "members", map[string]any{"group": r["id"], "limit": 100000})["members"].([]any)
			for _, id := range ids {
				members = append(members, map[string]any{"value": id})
			}
			resource["members"] = members
		}
		all = append(all, resource)
	}
	return all
}

func (a *wireTarget) seed(tb testing.TB, kind string, resource map[string]any) {
	attributes := maps.Clone(resource)
	delete(attributes, "members")
	made := a.ask(tb, "create", map[string]any{"kind": strings.ToLower(kind), "attributes": attributes})["resource"].(map[string]any)
	var add []any
	list, _ := resource["members"].([]any)
	for _, m := range list {
		add = append(add, m.(map[string]any)["value"])
	}
	if len(add) > 0 {
		a.ask(tb, "changeMembers", map[string]any{"group": made["id"], "add": add})
	}
}

// replace gives the id of a resource to another one.
func (a *wireTarget) replace(tb testing.TB, kind string, before, other map[string]any) {
	attributes := map[string]any{}
	for name, value := range before {
		if name != "id" && name != "members" && !strings.HasPrefix(name, "urn:") && value != nil {
			attributes[name] = nil
		}
	}
	maps.Copy(attributes, other)
	a.ask(tb, "update", map[string]any{"kind": strings.ToLower(kind), "id": before["id"], "attributes": attributes})
	if kind == "Group" {
		var remove []any
		list, _ := before["members"].([]any)
		for _, m := range list {
			remove = append(remove, m.(map[string]any)["value"])
		}
		a.ask(tb, "changeMembers", map[string]any{"group": before["id"], "remove": remove})
	}
}

// touched returns what was received since the last time, or the program's file when it was written to.
func (a *wireTarget) touched() string {
	if a.receiver != nil {
		return messages(a.unseen())
	}
	before := a.last
	a.last = ""
	for _, name := range []string{a.file, a.file + "-wal"} {
		data, _ := os.ReadFile(name)
		a.last += string(data)
	}
	if a.last == before {
		return ""
	}
	return "the program's file"
}

func (a *wireTarget) unseen() []wiretest.Message {
	all := a.receiver.Messages()
	unseen := all[a.seen:]
	a.seen = len(all)
	return unseen
}

// received prints the writes since the last time.
func (a *wireTarget) received() string {
	return messages(slices.DeleteFunc(a.unseen(), func(m wiretest.Message) bool {
		return !slices.Contains([]string{"create", "update", "delete", "changeMembers"}, m.Method)
	}))
}

func messages(list []wiretest.Message) string {
	var out strings.Builder
	for _, m := range list {
		var body struct{ Params json.RawMessage }
		_ = json.Unmarshal([]byte(m.Body), &body)
		fmt.Fprintf(&out, "%s %s %s\n", m.Method, m.ID, body.Params)
	}
	return out.String()
}

// lose has messages of a method carried out, or not, and the connection broken.
func (a *wireTarget) lose(method string, undone bool, times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.losing[method], a.undone = times, undone
}

func (a *wireTarget) lost(_ http.ResponseWriter, m wiretest.Message, answer func() []byte) bool {
	a.mu.Lock()
	lose, undone := a.losing[m.Method] > 0, a.undone
	if lose {
		a.losing[m.Method]--
	}
	a.mu.Unlock()
	if !lose {
		return false
	}
	if !undone {
		answer()
	}
	panic(http.ErrAbortHandler)
}
