package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/cmd/internal/exit"
	"entrasync/graphsync/graphtest"
	"entrasync/target"
	"entrasync/target/scim/scimtest"
)

// Commands for scripts that look at single values of the application's accounts, and at what else
// happens to them there.
//
//	example NAME                  the configuration is configs/examples/NAME.yaml
//	role VALUE… [disabled]        app roles of the application
//	account NAME [PATH VALUE]     this account exists, with this value; ! account: it does not
//	group NAME [PATH VALUE]       so for a group
//	asked                         print the requests so far, with query and body
//	seed NAME [PATH=VALUE…]       an account that entrasync did not provision, in the application
//	change NAME PATH=VALUE        another client changes an account, by hand or at login; no value: it clears one
//	answer STATUS METHOD WORD DETAIL
//	                              what the application says to requests of the method that have
//	                              WORD in path or body; alone: it is itself again
//	again [SYNC]                  another cycle: it writes nothing
//	populate N                    a company of N, many of them assigned
//
// NAME is a userName, or what stands before the @ of the tenant's domain. A VALUE may be JSON.

func (w *world) roleCommand(ts *testscript.TestScript, neg bool, args []string) {
	for _, value := range args {
		if value != "disabled" {
			w.graph.tenant.AddAppRole(clientID, graphtest.AppRole{Value: value, Disabled: args[len(args)-1] == "disabled"})
		}
	}
}

func (w *world) userName(name string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + "@" + w.graph.tenant.Domain()
}

// accountCommand and groupCommand look at one resource of the application.
func (w *world) accountCommand(ts *testscript.TestScript, neg bool, args []string) {
	var found map[string]any
	if len(args) > 0 {
		found = w.target.server.User(w.tb, w.userName(args[0]))
	}
	checkResource(ts, neg, found, args)
}

func (w *world) groupCommand(ts *testscript.TestScript, neg bool, args []string) {
	var found map[string]any
	if len(args) > 0 {
		found = w.target.server.Group(w.tb, args[0])
	}
	checkResource(ts, neg, found, args)
}

func checkResource(ts *testscript.TestScript, neg bool, resource map[string]any, args []string) {
	switch {
	case len(args) != 1 && len(args) != 3:
		ts.Fatalf("usage: account|group NAME [PATH VALUE]")
	case len(args) == 1 && (resource == nil) != neg:
		ts.Fatalf("%s: %v", args[0], resource)
	case len(args) == 1:
		return
	case resource == nil:
		ts.Fatalf("there is no %s", args[0])
	}
	path, err := target.ParsePath(args[1])
	ts.Check(err)
	got := path.Get(resource)
	if path.Same(jsonOr(args[2]), got) == neg {
		text, err := json.Marshal(got)
		ts.Check(err)
		ts.Fatalf("%s has %s %s", args[0], args[1], text)
	}
}

func (w *world) askedCommand(ts *testscript.TestScript, neg bool, args []string) {
	for _, r := range w.target.server.Requests() {
		fmt.Fprintf(ts.Stdout(), "%s %s?%s %s\n", r.Method, r.Path, r.Query, r.Body)
	}
}

// jsonOr reads a value: JSON, or else the text itself.
func jsonOr(text string) (value any) {
	if text == "" || json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}

// assignment splits PATH=VALUE at the last = outside of the path's filter.
func assignment(ts *testscript.TestScript, text string) (target.Path, any) {
	at := strings.LastIndex(text, "]") + 1
	name, value, ok := strings.Cut(text[at:], "=")
	if at > 0 && strings.Contains(text[:at], "=") { // the bracket belongs to a value that is a list
		at = 0
		name, value, ok = strings.Cut(text, "=")
	}
	if !ok {
		ts.Fatalf("%s is not PATH=VALUE", text)
	}
	path, err := target.ParsePath(text[:at] + name)
	ts.Check(err)
	return path, jsonOr(value)
}

func (w *world) seedCommand(ts *testscript.TestScript, neg bool, args []string) {
	user := map[string]any{"userName": w.userName(args[0]), "active": true}
	for _, arg := range args[1:] {
		path, value := assignment(ts, arg)
		path.Set(user, value)
	}
	w.target.server.Seed(w.tb, user)
}

func (w *world) changeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: change NAME PATH=VALUE")
	}
	user := w.target.server.User(w.tb, w.userName(args[0]))
	if user == nil {
		ts.Fatalf("there is no account %s", args[0])
	}
	path, value := assignment(ts, args[1])
	operation := map[string]any{"op": "add", "path": path.Canonical(), "value": value}
	if value == "" {
		operation = map[string]any{"op": "remove", "path": path.Canonical()}
	}
	body, err := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{operation}})
	ts.Check(err)
	request, err := http.NewRequest(http.MethodPatch, w.target.server.URL+"/Users/"+fmt.Sprint(user["id"]), bytes.NewReader(body))
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+scimToken)
	request.Header.Set("Content-Type", "application/scim+json")
	response, err := w.target.server.Client.Do(request)
	ts.Check(err)
	response.Body.Close()
	if response.StatusCode >= 300 {
		ts.Fatalf("the application answers %s", response.Status)
	}
	w.target.seen = len(w.target.server.Requests())
}

func (w *world) againCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: again [SYNC]")
	}
	w.target.writes()
	err := ts.Exec("entrasync", append([]string{"sync"}, args...)...)
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != exit.Partial { // a record may wait for a retry
		ts.Check(err)
	}
	if written := w.target.writes(); written != "" {
		ts.Fatalf("the cycle wrote:\n%s%s", written, ts.ReadFile("stdout"))
	}
}

func (w *world) populateCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: populate N")
	}
	w.graph.tenant.Populate(graphtest.GenerateOptions{Users: number(args[0], 0), Seed: 1, App: clientID})
}

func (w *world) answerCommand(ts *testscript.TestScript, neg bool, args []string) {
	a := w.target
	if len(args) != 4 {
		a.server.Fail(a.fail)
		return
	}
	a.server.Fail(func(r *http.Request) *http.Response {
		body, err := io.ReadAll(r.Body) // the server rewinds it
		if err != nil || r.Method != args[1] || !strings.Contains(r.URL.Path+" "+string(body), args[2]) {
			return nil
		}
		text := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":%q,"detail":%q}`, args[0], args[3])
		return scimtest.NewResponse(number(args[0], 0), text, "Content-Type", "application/scim+json")
	})
}
