package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// latency is how long the emulator takes for a response where elapsed times are measured.
const latency = 150 * time.Millisecond

// The steps of reading.
const (
	stepReadFloor = "floor of reading"
	stepRead      = "read"
	stepReadAgain = "read, no change"
	stepReadSlow  = "read at 150 ms"
)

// slowUsers is the largest directory that is read with the latency.
const slowUsers = 100_000

// selected are the properties of users that are read.
var selected = []string{"[userPrincipalName]", "[displayName]", "[givenName]", "[surname]", "[jobTitle]", "[mail]", "[department]"}

// readDirectory is the child process that reads a tenant into a state and does nothing else. It prints
// what it requested.
func readDirectory(dir, url string) error {
	syncer, closeState, err := openReader(dir, url)
	if err != nil {
		return err
	}
	if err := errors.Join(syncer.Read(context.Background()), closeState()); err != nil {
		return err
	}
	fmt.Println(syncer.Source.Traffic().Requests)
	return nil
}

func openReader(dir, url string) (*reconcile.Syncer, func() error, error) {
	home, err := graphsync.ParseID(tenantID)
	if err != nil {
		return nil, nil, err
	}
	source, err := openSource(url)
	if err != nil {
		return nil, nil, err
	}
	var specs []mapping.Spec
	for i, expression := range selected {
		specs = append(specs, mapping.Spec{Path: []string{"userName", "displayName", "name.givenName", "name.familyName", "title", "nickName", "userType"}[i], Expr: expression})
	}
	m, faults := mapping.New(target.User, specs)
	if len(faults) > 0 {
		return nil, nil, faults[0]
	}
	s := &reconcile.Sync{Name: "people", TargetName: "people", Tenant: home, AppID: clientID, Text: "bench", Users: desired.Rules{Mapping: m}}
	store, err := state.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	tenant, err := store.Tenant(home)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	syncer := &reconcile.Syncer{Sync: s, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{s}), TenantSyncs: []string{s.Name}, Source: source, Store: store, Tenant: tenant,
		Log: slog.New(slog.DiscardHandler), Now: time.Now}
	return syncer, func() error { return errors.Join(tenant.Close(), store.Close()) }, nil
}

func openSource(url string) (*msgraph.Source, error) {
	home, err := graphsync.ParseID(tenantID)
	if err != nil {
		return nil, err
	}
	cloud, err := graphsync.CustomCloud(url, url)
	if err != nil {
		return nil, err
	}
	return msgraph.Open(msgraph.Config{Tenant: home, Cloud: cloud,
		Credential: msgraph.Credential{ClientID: clientID, Secret: func() (string, error) { return secret, nil }}})
}

// measureReading measures a first read and a read in which nothing has changed, of a tenant whose users are all
// assigned one by one, next to the floor: the same pages fetched, decoded and put once in the order of
// their keys. Of a directory that is not too large a first read with a latency shows the elapsed time.
func measureReading(ctx context.Context, users int) (all []figures, err error) {
	dir, err := os.MkdirTemp("", "entrasync-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	server, tenant, err := emulate(users)
	if err != nil {
		return nil, err
	}
	for _, user := range tenant.Snapshot().Users {
		tenant.Assign(clientID, user.ID, "GeneralUser")
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
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := func(step, kind, state string) error {
		server.Reset()
		if step == stepReadSlow {
			server.Fault(graphtest.Slow(latency).Always())
		}
		cmd := exec.CommandContext(ctx, self, kind, filepath.Join(dir, state), "-url", running.URL)
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca)
		f, output, err := command(ctx, cmd)
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		f.Users, f.Step = users, step
		if _, err := fmt.Sscan(string(output), &f.GraphRequests); err != nil {
			return fmt.Errorf("%s: requests: %w", step, err)
		}
		if f.StateBytes, err = size(filepath.Join(dir, state)); err != nil {
			return err
		}
		all = append(all, f)
		return nil
	}
	steps := [][3]string{{stepReadFloor, "-read-floor", "floor-state"}, {stepRead, "-read", "read-state"}, {stepReadAgain, "-read", "read-state"}}
	if users <= slowUsers {
		steps = append(steps, [3]string{stepReadSlow, "-read", "slow-state"})
	}
	for _, step := range steps {
		if err := child(step[0], step[1], step[2]); err != nil {
			return nil, err
		}
	}
	return all, nil
}
