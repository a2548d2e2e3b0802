package safety

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
	"entrasync/state"
	"entrasync/target"
	"entrasync/target/scim"
	"entrasync/target/sql"
	wiretarget "entrasync/target/wire"
)

var childJob = flag.String("safety.child", "", "run one cycle as a process to be killed; a file with the job")

// A job is one cycle in a process of its own: this test binary, run again.
type job struct {
	State  string // directory
	Graph  string // address of the emulator
	CA     string // file with its certificate authority
	Tenant graphsync.ID
	Front  string // address of the SCIM server
	Done   string // file for the outcome
	Bridge string // file with the number of the program's process, where the target is of type exec; "": it is of type scim
	SQL    string // file of SQLite, where the target is of type sql; Front then hears of its calls
	LDAP   string // host, port and base of a directory, where the target is of type ldap
	Set    childSettings

	Undo string // run that is undone, in place of a cycle; "": a cycle

	Target, Place string // what the configuration calls the application, and where it has it

	DieAtCommit int    // SIGKILL after this commit, 0 for never
	FileLimit   uint64 // bytes a file may have, as on a full disk; 0 for no limit
}

// childSettings are settings as JSON.
type childSettings struct {
	Nested, Groups, OnlySales bool
	Delete                    bool
}

func (c childSettings) settings() settings {
	set := settings{nested: c.Nested, guests: true, groups: c.Groups, onlySales: c.OnlySales, concurrency: 1,
		onRemove: desired.OnRemove{Do: plan.Deactivate}, guard: guard.Guard{FirstRunRemovals: true}}
	if c.Delete {
		set.onRemove.Do = plan.Delete
	}
	return set
}

// An outcome is what a job leaves when it was not killed.
type outcome struct {
	Commits int
	Error   string
	Run     string
	Result  reconcile.Result
	Failed  []plan.Failure
}

func (j job) run() (out outcome, err error) {
	if j.FileLimit > 0 {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: j.FileLimit, Max: j.FileLimit}); err != nil {
			return out, err
		}
	}
	commits := 0
	store, err := state.OpenWith(j.State, state.Options{OnCommit: func(string) {
		if commits++; commits == j.DieAtCommit {
			die()
		}
	}})
	if err != nil {
		return out, err
	}
	defer func() {
		out.Commits = commits
		err = errors.Join(err, store.Close())
	}()
	tenant, err := store.Tenant(j.Tenant)
	if err != nil {
		return out, err
	}
	source, adapter, err := j.clients()
	if err != nil {
		return out, err
	}
	set := j.Set.settings()
	sync := set.compile(j.Tenant)
	sync.TargetName = j.Target
	if sync.Location, err = store.Locate(j.Target, j.Place, func(string) string { return "" }); err != nil {
		return out, err
	}
	syncer := &reconcile.Syncer{
		Sync: sync, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{sync}), TenantSyncs: []string{sync.Name},
		Source: source, Store: store, Tenant: tenant, Target: adapter,
		Concurrency: set.concurrency, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	var report *reconcile.Report
	if j.Undo != "" {
		report, err = syncer.Undo(context.Background(), reconcile.Options{Apply: true, Undo: &undo.Request{Run: j.Undo, Approve: []string{"removals", "updates", "members_removed"}}})
	} else {
		report, err = syncer.Run(context.Background(), reconcile.Options{Apply: true})
	}
	if report != nil {
		out.Run, out.Result, out.Failed = report.Run, report.Result, report.Errors
	}
	return out, err
}

func (j job) clients() (graphsync.Source, target.Adapter, error) {
	pem, err := os.ReadFile(j.CA)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	cloud, err := graphsync.CustomCloud(j.Graph, j.Graph)
	if err != nil {
		return nil, nil, err
	}
	source, err := msgraph.Open(msgraph.Config{
		Tenant: j.Tenant, Cloud: cloud, HTTP: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		Credential: msgraph.Credential{ClientID: frontApp, Secret: func() (string, error) { return clientSecret, nil }},
	})
	if err != nil {
		return nil, nil, err
	}
	if j.Bridge != "" {
		adapter, err := j.program()
		return source, adapter, err
	}
	if j.LDAP != "" {
		adapter, err := j.ldapTarget()
		return source, adapter, err
	}
	if j.SQL != "" {
		adapter, err := sql.New(databaseConfig(j.SQL))
		return source, &tellingAdapter{adapter, j.Front}, err
	}
	transport, err := target.NewTransport(target.TransportConfig{Auth: target.Auth{Bearer: func() (string, error) { return bearerToken, nil }}})
	if err != nil {
		return nil, nil, err
	}
	adapter, err := scim.New(scim.Config{URL: j.Front}, transport)
	return source, adapter, err
}

// program is a target of type exec whose program passes everything on to the SCIM server.
func (j job) program() (target.Adapter, error) {
	self, err := os.Executable()
	if err == nil {
		err = os.Setenv("BRIDGE_PID", j.Bridge)
	}
	if err != nil {
		return nil, err
	}
	return wiretarget.Exec(wiretarget.ExecConfig{Command: []string{self, "-safety.bridge=" + j.Front}, Env: []string{"BRIDGE_PID"}})
}

// die is what kill -9 does: nothing runs after it.
func die() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

// runChild is the main function of the process to be killed.
func runChild(file string) int {
	var j job
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	out, err := j.run()
	if err != nil {
		out.Error = err.Error()
	}
	text, err = json.Marshal(out)
	if err == nil {
		err = os.WriteFile(j.Done, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}

// start runs a job in a process of its own. The returned function waits for its end; killed
// tells whether it left no outcome.
func (j job) start(t *testing.T, dir string) (child *exec.Cmd, wait func() (out outcome, killed bool)) {
	t.Helper()
	j.Done = filepath.Join(dir, "done.json")
	if err := os.Remove(j.Done); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	text, err := json.Marshal(j)
	file := filepath.Join(dir, "job.json")
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child = exec.Command(self, "-safety.child="+file)
	child.Stderr = os.Stderr
	child.Stdout = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child, func() (out outcome, killed bool) {
		t.Helper()
		err := child.Wait()
		if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return out, true
		}
		text, readErr := os.ReadFile(j.Done)
		if err == nil {
			err = readErr
		}
		if err == nil {
			err = json.Unmarshal(text, &out)
		}
		if err != nil {
			t.Fatalf("run a cycle in a process: %v", err)
		}
		return out, false
	}
}
