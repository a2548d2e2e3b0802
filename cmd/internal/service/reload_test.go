package service

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/target"
)

const reloadedConfig = `state: %q
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: secret-1}
tenants:
  contoso: {id: 11111111-1111-1111-1111-111111111111}
targets:
  people: {type: file, path: people-1.jsonl}
  cloud: {type: scim, url: "https://scim.example.com/v2", ca_file: ca.pem}
syncs:
  people: {from: contoso, to: people, users: {attributes: {userName: "[mail]"}}}
  cloud: {from: contoso, to: cloud, users: {attributes: {userName: "[mail]"}}}
`

// A reloading is a service whose configuration is edited and read again.
type reloading struct {
	*testing.T
	service *Service
	file    string
}

// aCertificate is another with every call.
func aCertificate() string { return string(graphtest.New(graphtest.Options{}).CAPEM()) }

func newReloading(t *testing.T) *reloading {
	t.Helper()
	r := &reloading{T: t, file: filepath.Join(t.TempDir(), "entrasync.yaml")}
	r.write("ca.pem", aCertificate())
	r.write("entrasync.yaml", fmt.Sprintf(reloadedConfig, filepath.Join(filepath.Dir(r.file), "state")))
	cfg, syncs, err := compile.Load(r.file)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w, err := worker.Open(cfg, syncs, worker.Options{Log: log, OpenSource: func(worker.Connection) (graphsync.Source, error) { return &unread{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	r.service = New(w, Options{ConfigFile: r.file, Log: log})
	r.service.scheduler = scheduler.New(scheduler.Options{Slots: 1, Log: log})
	return r
}

// unread is a source that no test reads.
type unread struct {
	graphsync.Source
	_ byte // so that two of them are not one
}

func (r *reloading) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(r.file), name), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r *reloading) edit(old, with string) {
	r.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil {
		r.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		r.Fatalf("there is no %s in the configuration", old)
	}
	r.write("entrasync.yaml", strings.Replace(string(text), old, with, 1))
}

// reload returns the worker of the configuration as it is now.
func (r *reloading) reload() *worker.Worker {
	r.Helper()
	before := r.service.worker.Load()
	r.service.reload()
	if r.service.worker.Load() == before {
		r.Fatal("the configuration was not reloaded")
	}
	return r.service.worker.Load()
}

// open returns what a worker reaches the tenant and the application of a sync with.
func (r *reloading) open(w *worker.Worker, sync string) (graphsync.Source, target.Adapter) {
	r.Helper()
	for _, s := range w.Syncs {
		if s.Name != sync {
			continue
		}
		source, err := w.Source(s)
		if err != nil {
			r.Fatal(err)
		}
		adapter, err := w.Target(s)
		if err != nil {
			r.Fatal(err)
		}
		return source, adapter
	}
	r.Fatalf("there is no sync %s", sync)
	return nil, nil
}

// A running cycle keeps its adapter when the configuration is read again. A second adapter for the same
// application would find its file in use, or send at twice the rate: the same section means the same
// adapter, and the same source.
func TestReloadKeepsWhatIsTheSame(t *testing.T) {
	t.Parallel()
	r := newReloading(t)
	source, people := r.open(r.service.worker.Load(), "people")
	_, cloud := r.open(r.service.worker.Load(), "cloud")
	create := func(a target.Adapter, name string) {
		t.Helper()
		path, err := target.ParsePath("userName")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Create(t.Context(), target.User, []target.Attribute{{Path: path, Value: name}}); err != nil {
			t.Errorf("create %s: %v", name, err)
		}
	}
	create(people, "ada") // of a running cycle

	r.edit("people: {from", "people: {guard: {creations: off}, from")
	lent, err := r.service.workerFor("plan", r.file, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if lent.Config == r.service.worker.Load().Config {
		t.Fatal("a command has the configuration of before")
	}
	for name, w := range map[string]*worker.Worker{"a command": lent, "a reload": r.reload()} {
		source2, people2 := r.open(w, "people")
		_, cloud2 := r.open(w, "cloud")
		if source2 != source || people2 != people || cloud2 != cloud {
			t.Errorf("%s has other parts for the same sections", name)
		}
		create(people2, name)
	}

	// What changed is opened again.
	r.edit("people-1.jsonl", "people-2.jsonl")
	source3, people3 := r.open(r.reload(), "people")
	_, cloud3 := r.open(r.service.worker.Load(), "cloud")
	if source3 != source || people3 == people || cloud3 != cloud {
		t.Error("one target was changed, and not that one alone was opened again")
	}
	r.edit("secret-1", "secret-2")
	source4, people4 := r.open(r.reload(), "people")
	if source4 == source || people4 != people3 {
		t.Error("the credential was changed, and not the source alone was opened again")
	}
	r.write("ca.pem", aCertificate())
	if _, cloud4 := r.open(r.reload(), "cloud"); cloud4 == cloud {
		t.Error("the file with the certificates to trust was changed, and is not read again")
	}
}

// The rate of a target is for all who send to it, also where each tenant has an address of its own.
func TestTenantsShareTheRateOfATarget(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/scim+json")
		io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)
	}))
	t.Cleanup(app.Close)
	r := newReloading(t)
	r.edit("  cloud: {type", "  each: {type: scim, rate: 20, url: \""+app.URL+"/{tenant}/v2\"}\n  cloud: {type")
	r.edit("tenants:", "tenants:\n  fabrikam: {id: 22222222-2222-2222-2222-222222222222}")
	r.edit("  cloud: {from", "  each: {from: [contoso, fabrikam], to: each, users: {attributes: {userName: \"[mail]\"}}}\n  cloud: {from")
	path, err := target.ParsePath("userName")
	if err != nil {
		t.Fatal(err)
	}
	adapters := map[target.Adapter]bool{}
	var sending sync.WaitGroup
	w := r.reload()
	start := time.Now()
	for _, s := range w.Syncs {
		if s.Name != "each" {
			continue
		}
		adapter, err := w.Target(s)
		if err != nil {
			t.Fatal(err)
		}
		adapters[adapter] = true
		for range 4 {
			sending.Go(func() {
				if _, err := adapter.Find(t.Context(), target.User, path, "ada"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	sending.Wait()
	took, sent := time.Since(start), requests.Load()
	if least := time.Duration(sent-1) * time.Second / 20; len(adapters) != 2 || took < least {
		t.Errorf("%d adapters sent %d requests in %v, want two in at least %v", len(adapters), sent, took, least)
	}
}
