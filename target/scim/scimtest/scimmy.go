package scimtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"entrasync/state/osfile"
)

// SCIMMY starts the npm package scimmy 1.3.5 with its Express routers in a Node.js process.
// The packages are installed from the lock file when they are missing. Tests of one binary that
// follow each other share a process, which begins each of them without a record: starting Node.js
// costs more than most tests. The process ends with the test binary, also when that is killed.
func SCIMMY(tb testing.TB, opts Options) *Server {
	tb.Helper()
	opts = withDefaults(opts)
	settings, err := json.Marshal(map[string]any{
		"token": opts.Token, "extensions": append([]Extension{}, opts.Extensions...), "sameGroupNames": opts.SameGroupNames,
	})
	if err != nil {
		tb.Fatalf("start SCIMMY: %v", err)
	}
	process, err := scimmyProcesses.take(string(settings))
	if err != nil {
		tb.Fatalf("start SCIMMY: %v", err)
	}
	tb.Cleanup(func() {
		if text := process.stderr.String(); tb.Failed() && text != "" {
			tb.Logf("SCIMMY wrote:\n%s", text)
		}
		scimmyProcesses.put(process)
	})

	address := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", process.port)}
	proxy := httputil.NewSingleHostReverseProxy(address)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // a client that goes away is part of many tests
	return start(tb, opts, proxy)
}

// scimmyProcesses are those that no test uses.
var scimmyProcesses scimmyPool

type scimmyPool struct {
	mu   sync.Mutex // guards idle
	idle []*scimmyProcess
}

// A scimmyProcess serves one test at a time.
type scimmyProcess struct {
	settings string
	port     int // another one for each test
	stdin    io.Writer
	stdout   *bufio.Reader
	stderr   *lockedBuffer
}

// take returns a process with these settings and no records.
func (p *scimmyPool) take(settings string) (*scimmyProcess, error) {
	for process := range p.matching(settings) {
		if process.reset() == nil {
			return process, nil
		}
	}
	dir, err := scimmyDir()
	if err != nil {
		return nil, err
	}
	if err := installSCIMMY(dir); err != nil {
		return nil, err
	}
	return startSCIMMY(dir, settings)
}

// matching takes idle processes with these settings out of the pool, one after the other.
func (p *scimmyPool) matching(settings string) iter.Seq[*scimmyProcess] {
	return func(yield func(*scimmyProcess) bool) {
		for {
			p.mu.Lock()
			i := slices.IndexFunc(p.idle, func(process *scimmyProcess) bool { return process.settings == settings })
			if i < 0 {
				p.mu.Unlock()
				return
			}
			process := p.idle[i]
			p.idle = slices.Delete(p.idle, i, i+1)
			p.mu.Unlock()
			if !yield(process) {
				return
			}
		}
	}
}

func (p *scimmyPool) put(process *scimmyProcess) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, process)
}

func startSCIMMY(dir, settings string) (*scimmyProcess, error) {
	cmd := exec.Command("node", "server.mjs", settings)
	cmd.Dir = dir
	process := &scimmyProcess{settings: settings, stderr: &lockedBuffer{}}
	cmd.Stderr = process.stderr
	stdin, err := cmd.StdinPipe() // the process ends when this is closed
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (Node.js 18 or newer is needed)", err)
	}
	process.stdin, process.stdout = stdin, bufio.NewReader(stdout)
	return process, process.readPort()
}

// reset drops the records and the connections of the test before. The process then listens on another port, so
// that no request meant for that test arrives.
func (p *scimmyProcess) reset() error {
	p.stderr.Reset()
	if _, err := io.WriteString(p.stdin, "reset\n"); err != nil {
		return err
	}
	return p.readPort()
}

func (p *scimmyProcess) readPort() error {
	var listening struct{ Port int }
	line, err := p.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &listening)
	}
	if err != nil {
		return fmt.Errorf("read its port: %w\n%s", err, p.stderr.String())
	}
	p.port = listening.Port
	return nil
}

// scimmyDir finds the launcher's folder from wherever in the module the test runs.
func scimmyDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "target", "scim", "scimtest", "scimmy"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the module's root: no go.mod above the working directory")
		}
		dir = parent
	}
}

// installSCIMMY runs npm ci when the packages are missing or older than the lock file. Test
// binaries run side by side, so it holds a file lock meanwhile.
func installSCIMMY(dir string) error {
	if installed(dir) {
		return nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, "package-lock.json"), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := osfile.Lock(lock); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if installed(dir) {
		return nil
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// installed looks at the file npm writes last.
func installed(dir string) bool {
	done, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err != nil {
		return false
	}
	wanted, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	return err == nil && !wanted.ModTime().After(done.ModTime())
}

// A lockedBuffer takes a process's output while a test may read it.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}
