package main

import (
	"bufio"
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

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/target/scim/scimtest"
	"entrasync/target/wire/wiretest"
)

// The application is read back without the program: the file by its lines, a SCIM server by
// plain GETs over all pages.
//
//	accounts [WORD]               print accounts, one a line, sorted; only those with WORD in their line
//	groups                        print groups and their members
//	target untouched              nothing was asked of it, or written to it, since the last time
//	target writes                 print the writes since the last time, runs of the same as one
//	target bodies                 print them with what was sent
//	target seed USERNAME [ATTRIBUTE=VALUE…]   an account that entrasync did not provision
//	target seed-group NAME [MEMBER…]          a group of accounts, by userName
//	target replace USERNAME NEWNAME           the id of an account is that of another one from now on;
//	                              group: and a group's, by displayName
//	target remake USERNAME [ATTRIBUTE=VALUE…] an account is deleted and made again under a new id;
//	                              what is not given is as it was, an empty value is none
//	target remove USERNAME        take an account away behind the program's back
//	target start elimity|scimmy|tls [QUIRK…]   in scripts: use a SCIM server from now on; tls has a
//	                              certificate of its own, in the file $SCIM_CA; a quirk is one of
//	                              scimtest's, as in hides:title
//
// and of a receiver of webhooks only
//
//	target start exec|webhook|events|sql|ldap   in scripts: use a program, a receiver, one of events only, a database or a directory from now on
//	target messages               print the writes since the last time: method, webhook-id and what was sent
//	target lose METHOD [undone] [times=N]   messages are carried out, or not, and the connection breaks
//	target rotate WORD            the receiver accepts another signing secret from now on
//
// and of a database only
//
//	target statement SQL…         change its tables behind the program's back
//
// and of a directory only
//
//	target readonly on|off        have the server refuse changes, or take them again
//
// and of a SCIM server only
//
//	target fault KIND METHOD [WORD] [after=N] [times=N]
//	        requests of the method, whose path or body has WORD, go wrong, always or so often:
//	        refuse (400), unauthorized, forbidden, unavailable (503), throttle (429), html, lose
//	        (carried out, the connection breaks), swallow (carried out, never answered), stall
//	        (neither), ignore (not carried out, answered with 204)
//	target member add|remove GROUP USERNAME   change a group behind the program's back
//	target stalled                wait until a request is swallowed or stalls
//	target heal                   end all faults
//
// and of Zabbix only
//
//	target stop|resume            take it down and up
//	target backup|restore         keep its database as it is, and put it back

type application struct {
	tb     testing.TB
	file   string
	server *scimtest.Server // nil: the file, or
	wire   *wireTarget      // a program or receiver of webhooks
	sql    *sqlTarget       // a database
	ldap   *ldapTarget      // a directory
	seen   int              // requests reported
	last   string           // what the file held when last looked at

	mu      sync.Mutex // guards faults
	faults  []*scimFault
	stalled chan struct{}
}

func (w *world) startTarget(kind string) {
	w.target = &application{tb: w.tb, file: filepath.Join(w.dir, "accounts.jsonl"), stalled: make(chan struct{}, 100)}
	w.setenv("TARGET", "file")
	w.setenv("SCIM_URL", "http://127.0.0.1:9/v2")
	w.startSCIM(kind)
}

func (w *world) startSCIM(kind string, names ...string) {
	a := w.target
	opts := scimtest.Options{Token: scimToken, TLS: kind == "tls"}
	for _, name := range names {
		opts.Quirks = append(opts.Quirks, scimtest.Quirk(name))
	}
	switch kind {
	case "file":
		return
	case "exec", "webhook", "events":
		w.startWire(kind)
		return
	case "sql":
		w.startSQL()
		return
	case "ldap":
		startLDAP(w)
		return
	case "elimity":
		a.server = scimtest.Elimity(w.tb, opts)
	case "tls":
		a.server = scimtest.Elimity(w.tb, opts)
		w.setenv("SCIM_CA", a.server.CAFile)
	case "zabbix":
		a.server = zabbix.Zabbix(w.tb, opts)
	case "scimmy":
		a.server = scimtest.SCIMMY(w.tb, opts)
	default:
		panic("target start: there is no server " + kind)
	}
	a.server.Fail(a.fail)
	a.server.Lose(func(r *http.Request) bool { return a.pick(r, "lose") != nil })
	w.setenv("TARGET", "scim")
	w.setenv("SCIM_URL", a.server.URL)
}

func (w *world) targetCommand(ts *testscript.TestScript, neg bool, args []string) {
	a := w.target
	words, pairs := options(args)
	argument := func(i int) string {
		if i >= len(words) {
			ts.Fatalf("usage: target VERB ...")
		}
		return words[i]
	}
	switch argument(0) {
	case "untouched":
		if touched := a.touched(); (touched != "") != neg {
			ts.Fatalf("the target was asked or written to: %v\n%s", touched != "", touched)
		}
		return
	case "writes":
		fmt.Fprint(ts.Stdout(), a.writes())
	case "bodies":
		for _, r := range a.unseen() {
			if r.Method != http.MethodGet {
				fmt.Fprintf(ts.Stdout(), "%s /%s %s\n", r.Method, strings.Split(r.Path, "/")[2], r.Body)
			}
		}
	case "start":
		w.startSCIM(argument(1), words[2:]...)
	case "seed":
		user := map[string]any{"userName": argument(1), "active": pairs["active"] != "false"}
		delete(pairs, "active")
		for name, value := range pairs {
			user[name] = value
		}
		a.seed("User", user)
	case "seed-group":
		members := []any{}
		for _, u := range a.resources("User") {
			if slices.Contains(words[2:], u["userName"].(string)) {
				members = append(members, map[string]any{"value": u["id"]})
			}
		}
		a.seed("Group", map[string]any{"displayName": argument(1), "members": members})
	case "replace":
		if argument(1) == "group" {
			a.replace("Group", "displayName", argument(2), argument(3))
		} else {
			a.replace("User", "userName", argument(1), argument(2))
		}
	case "remake":
		a.remake(argument(1), pairs)
	case "remove":
		a.remove(argument(1))
	case "messages":
		fmt.Fprint(ts.Stdout(), a.wire.received())
	case "lose":
		a.wire.lose(argument(1), slices.Contains(words[2:], "undone"), number(pairs["times"], 1))
	case "rotate":
		a.wire.receiver.Secrets = []string{wiretest.Secret(argument(1))}
	case "statement":
		for _, statement := range args[1:] { // which may hold =
			a.sql.do(statement)
		}
	case "readonly":
		a.ldap.server.ReadOnly(w.tb, argument(1) == "on")
	case "member":
		a.server.ChangeMember(w.tb, argument(2), argument(3), argument(1) == "add")
	case "fault":
		a.fault(scimFault{kind: argument(1), method: argument(2), word: strings.Join(words[3:], " "), after: number(pairs["after"], 0), times: number(pairs["times"], -1)})
	case "stalled":
		<-a.stalled
	case "heal":
		a.heal()
	case "stop":
		a.server.Stop(w.tb)
	case "resume":
		a.server.Resume(w.tb)
	case "backup":
		a.server.Backup(w.tb)
	case "restore":
		a.server.Restore(w.tb)
	default:
		ts.Fatalf("target %s: no such verb", words[0])
	}
	if neg {
		ts.Fatalf("target %s cannot fail", words[0])
	}
}

// touched returns what was asked or written since the last time.
func (a *application) touched() string {
	if a.sql != nil {
		return a.sql.touched()
	}
	if a.ldap != nil {
		return a.ldap.touched()
	}
	if a.wire != nil {
		return a.wire.touched()
	}
	if a.server == nil {
		before := a.last
		data, _ := os.ReadFile(a.file)
		if info, err := os.Stat(a.file); err == nil {
			a.last = fmt.Sprint(info.ModTime(), "\n", string(data))
		}
		if a.last == before {
			return ""
		}
		return a.last
	}
	var out strings.Builder
	for _, r := range a.unseen() {
		fmt.Fprintf(&out, "%s %s?%s = %d\n%s\n", r.Method, r.Path, r.Query, r.Status, r.Body)
	}
	return out.String()
}

// unseen returns the requests since the last time.
func (a *application) unseen() []scimtest.Request {
	all := a.server.Requests()
	unseen := all[a.seen:]
	a.seen = len(all)
	return unseen
}

func (a *application) writes() string {
	var lines []string
	var counts []int
	for _, r := range a.unseen() {
		if r.Method == http.MethodGet {
			continue
		}
		line := r.Method + " /" + strings.Split(r.Path, "/")[2]
		if r.Status >= 300 || r.Status == 0 {
			line += fmt.Sprintf("=%d", r.Status)
		}
		if n := len(lines); n > 0 && lines[n-1] == line {
			counts[n-1]++
			continue
		}
		lines, counts = append(lines, line), append(counts, 1)
	}
	var out strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&out, "%s x%d\n", line, counts[i])
	}
	return out.String()
}

func (a *application) seed(kind string, resource map[string]any) {
	switch {
	case a.sql != nil:
		a.sql.seed(kind, resource)
	case a.ldap != nil:
		a.ldap.seed(kind, resource)
	case a.wire != nil:
		a.wire.seed(a.tb, kind, resource)
	case a.server != nil && kind == "User":
		a.server.Seed(a.tb, resource)
	case a.server != nil:
		a.server.SeedGroup(a.tb, resource)
	default:
		resource["id"] = fmt.Sprintf("seeded-%v%v", resource["userName"], resource["displayName"])
		resource["meta"] = map[string]any{"resourceType": kind}
		a.rewrite(func(lines []map[string]any) []map[string]any { return append(lines, resource) })
	}
}

func (a *application) remove(userName string) {
	if a.sql != nil {
		a.sql.remove(a.found("User", "userName", userName)["id"].(string))
		return
	}
	if a.ldap != nil {
		a.ldap.remove(a.found("User", "userName", userName)["id"].(string))
		return
	}
	if a.wire != nil {
		a.wire.ask(a.tb, "delete", map[string]any{"kind": "user", "id": a.found("User", "userName", userName)["id"]})
		return
	}
	if a.server != nil {
		a.server.Delete(a.tb, "/Users/"+a.server.User(a.tb, userName)["id"].(string))
		return
	}
	a.rewrite(func(lines []map[string]any) []map[string]any {
		return slices.DeleteFunc(lines, func(line map[string]any) bool { return line["userName"] == userName })
	})
}

func (a *application) rewrite(change func([]map[string]any) []map[string]any) {
	file, err := os.Create(a.file + ".new")
	if err != nil {
		panic(err.Error())
	}
	defer file.Close()
	enc := json.NewEncoder(file)
	for _, line := range change(a.lines()) {
		if err := enc.Encode(line); err != nil {
			panic(err.Error())
		}
	}
	if err := os.Rename(file.Name(), a.file); err != nil {
		panic(err.Error())
	}
}

func (a *application) lines() (lines []map[string]any) {
	file, err := os.Open(a.file)
	if err != nil {
		return nil // nothing was ever written
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := map[string]any{}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			panic(fmt.Sprintf("accounts.jsonl: %v: %s", err, scanner.Text()))
		}
		lines = append(lines, line)
	}
	return lines
}

// resources reads back every resource of a kind.
func (a *application) resources(kind string) []map[string]any {
	switch {
	case a.sql != nil:
		return a.sql.resources(kind)
	case a.ldap != nil:
		return a.ldap.resources(kind)
	case a.wire != nil:
		return a.wire.resources(a.tb, kind)
	case a.server != nil && kind == "User":
		return a.server.Users(a.tb)
	case a.server != nil:
		return a.server.Groups(a.tb)
	}
	return slices.DeleteFunc(a.lines(), func(line map[string]any) bool {
		meta, _ := line["meta"].(map[string]any)
		return meta["resourceType"] != kind
	})
}

func (w *world) accountsCommand(ts *testscript.TestScript, neg bool, args []string) {
	var lines []string
	for _, u := range w.target.resources("User") {
		state := "active"
		if u["active"] == false {
			state = "inactive"
		}
		line := fmt.Sprint(u["userName"], " ", state)
		rest := maps.Clone(u)
		for _, name := range []string{"id", "meta", "schemas", "userName", "active", "groups"} {
			delete(rest, name)
		}
		for _, pair := range w.flat("", rest) {
			line += " " + pair
		}
		if len(args) == 0 || strings.Contains(line, args[0]) {
			lines = append(lines, line)
		}
	}
	printSorted(ts, neg, lines)
}

func (w *world) groupsCommand(ts *testscript.TestScript, neg bool, _ []string) {
	names := map[string]string{}
	for _, u := range w.target.resources("User") {
		names[u["id"].(string)] = u["userName"].(string)
	}
	var lines []string
	for _, g := range w.target.resources("Group") {
		var members []string
		list, _ := g["members"].([]any)
		for _, m := range list {
			id, _ := m.(map[string]any)["value"].(string)
			name := names[id]
			if name == "" {
				name = "(gone: " + id + ")"
			}
			members = append(members, name)
		}
		slices.Sort(members)
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v: %s", g["displayName"], strings.Join(members, " "))))
	}
	printSorted(ts, neg, lines)
}

func printSorted(ts *testscript.TestScript, neg bool, lines []string) {
	if neg && len(lines) > 0 {
		ts.Fatalf("there are:\n%s", strings.Join(lines, "\n"))
	}
	slices.Sort(lines)
	out := ts.Stdout() // also for no lines: it takes the place of what was printed before
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
}

// flat writes attributes as sorted name=value. Extensions lose their URN; ids of the directory
// become the short names of the script.
func (w *world) flat(prefix string, attributes map[string]any) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		label := prefix + name
		switch value := attributes[name].(type) {
		case map[string]any:
			if strings.HasPrefix(name, "urn:") {
				label = strings.TrimSuffix(prefix, ".")
			} else {
				label += "."
			}
			out = append(out, w.flat(label, value)...)
		case []any:
			text, _ := json.Marshal(value)
			out = append(out, fmt.Sprintf("%s=%s", label, text))
		case string:
			if short, ok := w.graph.names[value]; ok {
				value = short
			}
			if strings.Contains(value, " ") {
				value = fmt.Sprintf("%q", value)
			}
			out = append(out, label+"="+value)
		default:
			out = append(out, fmt.Sprintf("%s=%v", label, value))
		}
	}
	return out
}
