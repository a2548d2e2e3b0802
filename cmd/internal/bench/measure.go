package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// figures are what one command cost.
type figures struct {
	Users          int     `json:"users"`
	Step           string  `json:"step"`
	Accounts       int     `json:"accounts"` // created, or 0
	CPUSeconds     float64 `json:"cpu_seconds"`
	Seconds        float64 `json:"seconds"`
	WrittenBytes   int64   `json:"written_bytes"` // to the disk
	MemoryBytes    int64   `json:"memory_bytes"`  // most anonymous memory
	StateBytes     int64   `json:"state_bytes"`   // afterwards
	GraphRequests  int     `json:"graph_requests"`
	TargetRequests int     `json:"target_requests"`
}

const configuration = `state: %[1]q
cloud: {authority: %[2]q, graph: %[2]q}
app: {client_id: %[3]s, client_secret: %[4]s}
tenants: {contoso: {id: %[5]s}}
targets: {people: {type: file, path: %[6]q}}
syncs:
  people:
    from: contoso
    to: people
    guard: {creations: off}
    scope: {users: all}
    users:
      attributes:
        userName: "[userPrincipalName]"
        externalId: "[objectId]"
        displayName: "[displayName]"
        active: 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
        name.givenName: "[givenName]"
        name.familyName: "[surname]"
        title: "[jobTitle]"
        'emails[type eq "work"].value': "[mail]"
        urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: "[department]"
`

const (
	clientID = "6a1e0000-0000-0000-0000-000000000001"
	secret   = "emulated-secret"
	tenantID = "11111111-1111-1111-1111-111111111111"
	changed  = 100 // users, in the cycle after a change
)

// measure runs the commands of one size in order, each on the state that the one before left.
func measure(ctx context.Context, binary string, users int) (all []figures, err error) {
	dir, err := os.MkdirTemp("", "entrasync-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	server, tenant, err := emulate(users)
	if err != nil {
		return nil, err
	}
	running, err := server.Start("")
	if err != nil {
		return nil, err
	}
	defer running.Close()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, server.CAPEM(), 0o600); err != nil {
		return nil, err
	}
	file, state := filepath.Join(dir, "entrasync.yaml"), filepath.Join(dir, "state")
	text := fmt.Sprintf(configuration, state, running.URL, clientID, secret, tenantID, filepath.Join(dir, "people.jsonl"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	floor, _, err := command(ctx, exec.CommandContext(ctx, self, "-floor", fmt.Sprintf("%s:%d", filepath.Join(dir, "floor"), users)))
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	floor.Users, floor.Step, floor.Accounts = users, "floor", users
	all = append(all, floor)
	for _, step := range []struct {
		name   string
		before func()
		args   []string
	}{
		{"plan", nil, []string{"plan"}},
		{"first sync", nil, []string{"sync"}},
		{"second sync", nil, []string{"sync"}}, // reads page by page what the first one may have listed
		{"nothing to do", nil, []string{"sync"}},
		{fmt.Sprintf("%d changes", changed), func() { change(tenant) }, []string{"sync"}},
		{"plan --full", nil, []string{"plan", "--full"}},
	} {
		if step.before != nil {
			step.before()
		}
		cmd := exec.CommandContext(ctx, binary, append([]string{"-c", file, "--json"}, step.args...)...)
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca)
		f, output, err := command(ctx, cmd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if step.args[0] == "sync" {
			if err := f.read(output); err != nil {
				return nil, fmt.Errorf("%s: read the report: %w", step.name, err)
			}
		}
		f.Users, f.Step = users, step.name
		if f.StateBytes, err = size(state); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// emulate is a tenant with users.
func emulate(users int) (*graphtest.Server, *graphtest.Tenant, error) {
	server := graphtest.New(graphtest.Options{})
	home, err := graphsync.ParseID(tenantID)
	if err != nil {
		return nil, nil, err
	}
	server.Register(graphtest.AppSpec{ClientID: clientID, Name: "entrasync", Secret: secret, Roles: graphtest.DefaultRoles(), Home: home})
	tenant := server.AddTenant(graphtest.TenantSpec{ID: tenantID})
	tenant.Consent(clientID)
	tenant.Populate(graphtest.GenerateOptions{Users: users, Seed: 1, App: clientID})
	return server, tenant, nil
}

// change edits some users.
func change(tenant *graphtest.Tenant) {
	for i, user := range tenant.Snapshot().Users[:changed] {
		tenant.Update(user.ID, graphtest.Props{"jobTitle": fmt.Sprintf("Changed %d", i)})
	}
}

// command runs a process and returns what it cost and printed.
func command(ctx context.Context, cmd *exec.Cmd) (f figures, output []byte, err error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return f, nil, err
	}
	pid := cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { // without reaping it: what it wrote is known until then
		for {
			err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, unix.EINTR) {
				ended <- err
				return
			}
		}
	}()
	sample := time.NewTicker(20 * time.Millisecond)
	defer sample.Stop()
	for running := true; running; {
		select {
		case <-sample.C:
			f.MemoryBytes = max(f.MemoryBytes, procField(pid, "status", "RssAnon:")*1024)
		case err = <-ended:
			running = false
		}
	}
	f.WrittenBytes = procField(pid, "io", "write_bytes:")
	f.Seconds = time.Since(began).Seconds()
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return f, nil, fmt.Errorf("%w: %s%s", err, stderr.String(), lastLines(stdout.String()))
	}
	state := cmd.ProcessState
	f.CPUSeconds = (state.UserTime() + state.SystemTime()).Seconds()
	return f, []byte(stdout.String()), ctx.Err()
}

// lastLines is the end of a long output, for a message.
func lastLines(text string) string { return text[max(0, len(text)-2000):] }

// procField reads a number of a file of /proc; 0 when it is not there any more.
func procField(pid int, file, name string) (n int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0
	}
	if _, after, found := strings.Cut(string(text), name); found {
		_, _ = fmt.Sscan(after, &n)
	}
	return n
}

// read takes what a sync reports about itself.
func (f *figures) read(report []byte) error {
	var r struct {
		Summary       struct{ Create int }
		Graph, Target struct{ Requests int }
		Result        string
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return err
	}
	if r.Result != "ok" {
		return fmt.Errorf("the result is %q, want ok", r.Result)
	}
	f.Accounts, f.GraphRequests, f.TargetRequests = r.Summary.Create, r.Graph.Requests, r.Target.Requests
	return nil
}

// size is how many bytes the files of a folder hold.
func size(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
