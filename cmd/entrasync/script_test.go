package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/target/ldap/ldaptest"
)

// Scripts show the command at work, as a person types it: entrasync is a process of its own,
// Microsoft Graph is the emulator over TLS, SCIM servers are real ones that others wrote.
//
//	testdata/stories  what a sync is for; each is run seven times: into a file, into two SCIM
//	                  servers (elimity, SCIMMY), a program, a receiver of webhooks, a database and a directory
//	testdata/scim     what only a SCIM server can do or get wrong; run with both
//	testdata/zabbix   stories of the same names for Zabbix, and those about Zabbix alone; see TestZabbix
//	testdata/script   everything else, into a file
//
// A script starts in an empty folder with a tenant (contoso), an app registration that is
// consented to, its secret in the file client-secret, and, unless it brings its own, the
// configuration testdata/entrasync.yaml. In addition to the commands of testscript there are:
//
//	exits CODE COMMAND…     run a command that must end with that exit code
//	encode FILE utf-8-bom|utf-16|utf-16-without-bom   rewrite a file as Windows would
//	capture VAR PATTERN     set $VAR to what the group of the pattern matches in the output
//	edit FILE OLD NEW       replace text in a file, which must hold OLD; \n in NEW begins a line
//	graph …                 the directory: see script_graph_test.go
//	accounts, groups, target …   the application: see script_target_test.go
//	change NAME PATH=VALUE  another client changes an account of a SCIM server: see script_account_test.go
//	news …                  a receiver of what the service reports: see script_news_test.go
//	service …               the command run: see script_service_test.go
//	page …                  what the service serves: see script_page_test.go
//	api …                   its administration API: see script_api_test.go
//	notices …               Graph's change notifications: see script_notices_test.go
//	browser …               an administrator who consents: see script_browser_test.go
//	chromium …              the same in a real browser: see script_chromium_test.go
//
// `go test ./cmd/entrasync -run 'Stories|Scripts' -update` rewrites the expected files. When a
// script ends, everything the program wrote is searched for the secrets it was given.

var update = flag.Bool("update", false, "rewrite expected files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"entrasync": func() { os.Exit(recorded(run)) },
		"entrasync-with-notebook": func() {
			withNotebook()
			os.Exit(recorded(run))
		},
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/script", "file")
}

func TestStories(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"file", "elimity", "scimmy", "exec", "webhook", "sql", "ldap"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			runScripts(t, "testdata/stories", kind)
		})
	}
}

func TestSCIMScripts(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"elimity", "scimmy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			runScripts(t, "testdata/scim", kind)
		})
	}
}

func runScripts(t *testing.T, dir, kind string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	runScriptFiles(t, files, kind)
}

func runScriptFiles(t *testing.T, files []string, kind string) {
	runScriptFilesWith(t, files, kind, func(*testscript.Env) error { return nil })
}

// runScriptFilesWith runs scripts whose world takes more than the others'.
func runScriptFilesWith(t *testing.T, files []string, kind string, more func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			if err := newWorld(env, kind); err != nil {
				return err
			}
			return more(env)
		},
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Condition: func(name string) (bool, error) {
			return name == kind || name == "scim" && !slices.Contains([]string{"file", "exec", "webhook", "sql", "ldap"}, kind), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "edit": edit, "capture": capture, "encode": encode, "api": apiCommand,
			"graph":    within((*world).graphCommand),
			"accounts": within((*world).accountsCommand),
			"groups":   within((*world).groupsCommand),
			"target":   within((*world).targetCommand),
			"change":   within((*world).changeCommand),
			"news":     within((*world).newsCommand),
			"service":  within((*world).serviceCommand),
			"second":   within((*world).secondCommand),
			"database": within((*world).databaseCommand),
			"page":     within((*world).pageCommand),
			"notices":  within(func(w *world, ts *testscript.TestScript, neg bool, args []string) { notices{w}.command(ts, neg, args) }),
			"browser":  within(visiting(visits.browserCommand)),
			"chromium": within(visiting(visits.chromiumCommand)),
		},
	})
}

// The secrets every script plants.
const (
	clientSecret = "the-client-secret-of-no-output"
	scimToken    = "the-scim-token-of-no-output"
)

// A world is what surrounds one script: a directory and an application.
type world struct {
	tb      testing.TB
	dir     string
	setenv  func(key, value string)
	graph   *directory
	target  *application
	service *daemonProcess
	second  *daemonProcess
	browser *browser
	// consentAt is where the consent pages of the service are that was started last.
	consentAt atomic.Pointer[string]

	database *scriptDatabase

	chromium *chromium
	news     *newsReceiver
}

type worldKey struct{}

func newWorld(env *testscript.Env, kind string) error {
	w := &world{tb: env.T().(testing.TB), dir: env.WorkDir, setenv: env.Setenv}
	env.Values[worldKey{}] = w
	env.Setenv("ENTRASYNC_TRANSCRIPT", filepath.Join(w.dir, ".transcript"))
	env.Setenv("SECRET", clientSecret)
	env.Setenv("SCIM_TOKEN", scimToken)
	for name, text := range map[string]string{"client-secret": clientSecret, "scim-token": scimToken} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	config := filepath.Join(w.dir, "entrasync.yaml")
	if _, err := os.Stat(config); errors.Is(err, fs.ErrNotExist) {
		text, err := os.ReadFile(defaultConfig(kind))
		if err != nil {
			return err
		}
		if err := os.WriteFile(config, text, 0o600); err != nil {
			return err
		}
	}
	if err := withWire(config, kind); err != nil {
		return err
	}
	if kind == "zabbix" {
		if err := forZabbix(w.dir); err != nil {
			return err
		}
	}
	if err := w.startGraph(); err != nil {
		return err
	}
	w.startTarget(kind)
	env.Defer(w.searchSecrets)
	env.Defer(func() {
		if w.target.sql != nil {
			w.target.sql.strangers(w.tb)
		}
		if w.target.ldap != nil {
			w.target.ldap.strangers(w.tb)
		}
	})
	return nil
}

// defaultConfig is the configuration of scripts that bring none.
func defaultConfig(kind string) string {
	if kind == "zabbix" {
		return "testdata/zabbix.yaml"
	}
	return "testdata/entrasync.yaml"
}

// within gives a command its world, and turns what panics in a test double into a failure.
func within(command func(*world, *testscript.TestScript, bool, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		w := ts.Value(worldKey{}).(*world)
		w.setenv = ts.Setenv
		defer func() {
			switch failure := recover().(type) {
			case nil:
			case string:
				ts.Fatalf("%s", failure)
			default: // testscript's own way to end a script
				panic(failure)
			}
		}()
		command(w, ts, neg, args)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VAR PATTERN")
	}
	match := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(match) != 2 {
		ts.Fatalf("no match for %s", args[1])
	}
	ts.Setenv(args[0], match[1])
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	with := strings.ReplaceAll(args[2], `\n`, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], with, 1)), 0o600))
}

// encode rewrites a file of ASCII as Windows would.
func encode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: encode FILE utf-8-bom|utf-16|utf-16-without-bom")
	}
	name := ts.MkAbs(args[0])
	text := bytes.TrimLeft(bytes.ReplaceAll([]byte(ts.ReadFile(args[0])), []byte{0}, nil), "\xef\xbb\xbf\xff\xfe")
	var out []byte
	switch args[1] {
	case "utf-8-bom":
		out = append([]byte("\xef\xbb\xbf"), text...)
	case "utf-16", "utf-16-without-bom":
		if args[1] == "utf-16" {
			out = []byte("\xff\xfe")
		}
		for _, b := range text {
			out = append(out, b, 0)
		}
	default:
		ts.Fatalf("encode: %s is no encoding", args[1])
	}
	ts.Check(os.WriteFile(name, out, 0o600))
}

// recorded runs the command with a copy of all it writes kept for searchSecrets.
func recorded(command func() int) int {
	name := os.Getenv("ENTRASYNC_TRANSCRIPT")
	if name == "" {
		return command()
	}
	transcript, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	var copied sync.WaitGroup
	defer copied.Wait() // after both pipes are closed
	for _, stream := range []**os.File{&os.Stdout, &os.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		real := *stream
		*stream = w
		copied.Go(func() { io.Copy(io.MultiWriter(real, transcript), r) })
		defer w.Close()
	}
	return command()
}

var accessToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.eyJ`)

// searchSecrets looks through every file the program left and all it printed (promise 8).
func (w *world) searchSecrets() {
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || slices.Contains([]string{"client-secret", "scim-token", "dsn", "ldap-password"}, entry.Name()) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range []string{clientSecret, scimToken, databasePassword, ldaptest.Password} {
			if bytes.Contains(data, []byte(secret)) {
				w.tb.Errorf("%s holds a secret: %s", entry.Name(), secret)
			}
		}
		if token := accessToken.Find(data); token != nil {
			w.tb.Errorf("%s holds an access token: %s", entry.Name(), token)
		}
		return nil
	})
	if err != nil {
		w.tb.Errorf("search for secrets: %v", err)
	}
}

// options splits arguments into words and key=value pairs.
func options(args []string) (words []string, pairs map[string]string) {
	pairs = map[string]string{}
	for _, arg := range args {
		if key, value, ok := strings.Cut(arg, "="); ok && key != "" {
			pairs[key] = value
		} else {
			words = append(words, arg)
		}
	}
	return words, pairs
}

func number(text string, fallback int) int {
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("%q is not a number", text))
	}
	return n
}
