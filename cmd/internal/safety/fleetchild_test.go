package safety

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entrasync/cmd/internal/admin"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/entra"
	"entrasync/cmd/internal/service"
	"entrasync/cmd/internal/worker"
	"entrasync/state"
)

// fleetConfig and fleetName are variables of the environment: this test binary is then a worker.
const (
	fleetConfig = "SAFETY_FLEET_CONFIG"
	fleetName   = "SAFETY_FLEET_NAME"
)

// fleetTerm is shorter than in production, so that a case takes seconds.
var fleetTerm = state.Term{Lease: 4 * time.Second, Margin: time.Second}

// runFleetWorker is `entrasync run` with the configuration of a file, until SIGTERM.
func runFleetWorker(file string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg, syncs, err := compile.Load(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	connector := entra.Connector{Transport: entra.NewTransport(), UserAgent: "entrasync/test"}
	w, err := worker.Open(cfg, syncs, worker.Options{OpenSource: connector.Open, Version: os.Getenv(fleetName), Term: fleetTerm, Log: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer w.Close()
	err = service.New(w, service.Options{
		ConfigFile: file, Version: os.Getenv(fleetName), Log: log, SignIn: connector.SignIn, Serving: func(string) {},
		Execute: func(context.Context, *admin.Command, service.AttachWorker) int { return 1 }, Advice: func(string) string { return "" },
	}).Run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A fleetWorker is a worker as a process of its own, with its way to the database.
type fleetWorker struct {
	name    string
	process *exec.Cmd
	way     *databaseWay
	log     workerLog
}

// A workerLog is what a worker writes.
type workerLog struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *workerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *workerLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startFleetWorker starts a worker with a configuration, in which $DSN is its way to the database.
func startFleetWorker(t *testing.T, name, config, ca, socket, schema string, at func(when fleetPlace)) *fleetWorker {
	t.Helper()
	w := &fleetWorker{name: name, way: openDatabaseWay(t, socket, at)}
	dir := t.TempDir()
	dsn := fmt.Sprintf("postgres://entrasync@%s/postgres?sslmode=disable&search_path=%s", w.way.address(), schema)
	file := filepath.Join(dir, "entrasync.yaml")
	text := strings.NewReplacer("$DSN", dsn, "$SCRATCH", filepath.Join(dir, "scratch")).Replace(config)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.process = exec.Command(self, "-test.run=^$")
	w.process.Env = append(os.Environ(), fleetConfig+"="+file, fleetName+"="+name, "SSL_CERT_FILE="+ca)
	w.process.Stdout, w.process.Stderr = io.Discard, &w.log
	w.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.process.Process.Signal(syscall.SIGCONT)
		_ = w.process.Process.Kill()
		_ = w.process.Wait()
	})
	return w
}
