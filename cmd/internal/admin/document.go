package admin

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A document is a route for one JSON document of the contract: a command line with --json, whose standard
// output is the response.
type document struct {
	method, path string
	args         []string // {name} stands for that part of the path, or for a key where the path has none
	flags        []string // keys of the query, or of the JSON body of a POST, that the command has as flags
	syncs        bool     // the key sync names the command's arguments
	lines        bool     // it prints a document on each line
}

// documents are the routes for what consoles show and decide.
var documents = []document{
	{method: http.MethodGet, path: "/v1/status", args: []string{"status"}, flags: []string{"tenant"}, syncs: true},
	{method: http.MethodGet, path: "/v1/runs", args: []string{"runs"}, flags: []string{"tenant", "limit", "since", "failed", "all"}, syncs: true},
	{method: http.MethodGet, path: "/v1/runs/{run}", args: []string{"show", "{run}"}, flags: []string{"tenant"}, lines: true},
	{method: http.MethodGet, path: "/v1/holds", args: []string{"holds"}, flags: []string{"tenant", "rejected"}, syncs: true},
	{method: http.MethodGet, path: "/v1/holds/{hold}", args: []string{"holds", "{hold}"}, flags: []string{"tenant"}, syncs: true},
	{method: http.MethodPost, path: "/v1/holds/{hold}/approve", args: []string{"approve", "{hold}"}, flags: []string{"sync", "tenant", "reason"}},
	{method: http.MethodPost, path: "/v1/holds/{hold}/reject", args: []string{"reject", "{hold}"}, flags: []string{"sync", "tenant", "reason"}},
	{method: http.MethodGet, path: "/v1/explain/{key}", args: []string{"explain", "{key}"}, flags: []string{"sync", "tenant", "group"}, lines: true},
	{method: http.MethodGet, path: "/v1/audit", args: []string{"audit"}, flags: []string{"since", "until", "user", "group", "run", "sync", "tenant"}},
	{method: http.MethodGet, path: "/v1/audit/verify", args: []string{"audit", "verify"}, flags: []string{"tenant", "head"}},
	{method: http.MethodPost, path: "/v1/runs/{run}/undo", args: []string{"undo", "{run}"}, flags: []string{"sync", "tenant", "dry-run", "approve", "pin", "pause", "reason"}},
	{method: http.MethodGet, path: "/v1/links", args: []string{"links", "list"}, flags: []string{"sync", "tenant", "pinned", "broken", "chosen", "ambiguous", "orphaned", "mismatch", "inactive"}},
	{method: http.MethodGet, path: "/v1/links/{key}", args: []string{"links", "show", "{key}"}, flags: []string{"sync", "tenant", "group"}, lines: true},
	{method: http.MethodPost, path: "/v1/links/{key}/break", args: []string{"links", "break", "{key}"}, flags: []string{"sync", "tenant", "group", "reason"}},
	{method: http.MethodPost, path: "/v1/links/{key}/set", args: []string{"links", "set", "{key}", "{account}"}, flags: []string{"sync", "tenant", "group", "reason"}},
	{method: http.MethodPost, path: "/v1/links/{key}/pin", args: []string{"links", "pin", "{key}"}, flags: []string{"sync", "tenant", "group", "reason"}, lines: true},
	{method: http.MethodPost, path: "/v1/links/{key}/unpin", args: []string{"links", "unpin", "{key}"}, flags: []string{"sync", "tenant", "group", "reason"}, lines: true},
	{method: http.MethodGet, path: "/v1/tenants", args: []string{"tenants", "list"}},
	{method: http.MethodPost, path: "/v1/tenants/{tenant}/pause", args: []string{"tenants", "pause", "{tenant}"}},
	{method: http.MethodPost, path: "/v1/tenants/{tenant}/resume", args: []string{"tenants", "resume", "{tenant}"}},
}

// userKey is the key of a POST's body that names who decides, for the record.
const userKey = "user"

// exitHeader carries the exit code of the command.
const exitHeader = "Entrasync-Exit-Code"

// exitFailed and exitInUse are the exit codes of a command that could not run.
const (
	exitFailed = 1
	exitInUse  = 5
)

// document answers with what a command prints.
func (s *server) document(w http.ResponseWriter, r *http.Request, d document) {
	release, ok := s.take(w)
	if !ok {
		return
	}
	defer release()
	given, err := d.given(w, r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	args, err := d.commandLine(r.PathValue, given)
	if err != nil {
		s.refuse(w, err)
		return
	}
	ctx, _, done := s.begin(w, r)
	defer done()
	out, errs := &bounded{limit: maxDocument}, &bounded{limit: maxRequest}
	request := Request{Args: args, NoColor: true, User: given.Get(userKey)}
	if request.User == "" {
		request.User = userOf(r)
	}
	code := s.service.Run(ctx, &Command{Request: request, Stdout: &Stream{to: out}, Stderr: &Stream{to: errs}, Output: &Stream{to: io.Discard}})
	w.Header().Set(exitHeader, strconv.Itoa(code))
	failed := code == exitFailed || code == exitInUse
	switch {
	case out.full:
		fail(w, http.StatusInternalServerError, fmt.Errorf("the document is larger than %d MiB; narrow it to a tenant, or use POST /v1/commands", maxDocument>>20))
	case failed && out.text.Len() == 0:
		fail(w, http.StatusUnprocessableEntity, errors.New(strings.TrimPrefix(strings.TrimSpace(errs.text.String()), "entrasync: ")))
	default:
		status, contentType := http.StatusOK, "application/json"
		if failed {
			status = http.StatusUnprocessableEntity
		}
		if d.lines {
			contentType = "application/x-ndjson"
		}
		send(w, status, contentType, out.text.Bytes())
	}
}

// given returns what a request gives the command: the keys of its query or of its body.
func (d document) given(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("read the query: %w", err)
	}
	known := slices.Concat(d.flags, d.arguments())
	if d.syncs {
		known = append(known, "sync")
	}
	if d.method == http.MethodPost {
		if len(given) > 0 {
			return nil, badRequest("%s takes a JSON body and no query", d.path)
		}
		known = append(known, userKey)
		body := map[string]string{}
		if r.ContentLength != 0 {
			if err := readJSON(http.MaxBytesReader(w, r.Body, maxRequest), &body); err != nil {
				return nil, err
			}
		}
		for key, value := range body {
			given.Set(key, value)
		}
	}
	for key := range given {
		if !slices.Contains(known, key) {
			return nil, badRequest("%s does not take %q, but %s", d.path, key, strings.Join(known, ", "))
		}
	}
	return given, nil
}

// arguments are the arguments of the command that are keys, because the path does not have them.
func (d document) arguments() (names []string) {
	for _, arg := range d.args {
		if name, isPart := strings.CutPrefix(arg, "{"); isPart && !strings.Contains(d.path, arg) {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// commandLine puts the arguments together. Values are never taken for flags.
func (d document) commandLine(part func(name string) string, given url.Values) (args []string, err error) {
	positional := []string{"--"}
	for _, arg := range d.args {
		name, isPart := strings.CutPrefix(arg, "{")
		if !isPart {
			args = append(args, arg)
			continue
		}
		name = strings.TrimSuffix(name, "}")
		value := cmp.Or(part(name), given.Get(name))
		switch {
		case value == "" && slices.Contains(d.arguments(), name):
			return nil, badRequest("%s needs the key %q", d.path, name)
		case value == "":
			return nil, badRequest("%s: the path has an empty part", d.path)
		}
		positional = append(positional, value)
	}
	args = append(args, "--json")
	for _, flag := range d.flags {
		for _, value := range given[flag] {
			args = append(args, "--"+flag+"="+value)
		}
	}
	if d.syncs {
		positional = append(positional, given["sync"]...)
	}
	return append(args, positional...), nil
}

// A bounded buffer takes so many bytes; then writes fail.
type bounded struct {
	limit int

	mu   sync.Mutex // guards the rest: a command's log and its messages share a stream
	text bytes.Buffer
	full bool
}

// Write keeps what fits.
func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full = b.full || b.text.Len()+len(p) > b.limit; b.full {
		return 0, fmt.Errorf("more than %d bytes", b.limit)
	}
	return b.text.Write(p)
}
