package scimtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// SCIMMY starts the npm package scimmy 1.3.5 with its Express routers in a Node.js process.
// The packages are installed from the lock file when they are missing. The process ends with
// the test, and by itself when the test binary is killed.
func SCIMMY(tb testing.TB, opts Options) *Server {
	tb.Helper()
	opts = withDefaults(opts)
	dir, err := scimmyDir()
	if err == nil {
		err = installSCIMMY(dir)
	}
	if err != nil {
		tb.Fatalf("start SCIMMY: %v", err)
	}

	settings, err := json.Marshal(map[string]any{
		"token": opts.Token, "extensions": append([]Extension{}, opts.Extensions...), "sameGroupNames": opts.SameGroupNames,
	})
	if err != nil {
		tb.Fatalf("start SCIMMY: %v", err)
	}
	cmd := exec.Command("node", "server.mjs", string(settings))
	cmd.Dir = dir
	stderr := &lockedBuffer{}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatalf("start SCIMMY: %v", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatalf("start SCIMMY: %v", err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start SCIMMY: %v (Node.js 18 or newer is needed)", err)
	}
	tb.Cleanup(func() {
		stdin.Close() // this is how it learns that it may end
		killer := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		defer killer.Stop()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("stop SCIMMY: %v", err)
		}
		if text := stderr.String(); tb.Failed() && text != "" {
			tb.Logf("SCIMMY wrote:\n%s", text)
		}
	})

	var started struct{ Port int }
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &started)
	}
	if err != nil {
		tb.Fatalf("start SCIMMY: read its port: %v\n%s", err, stderr.String())
	}
	address := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", started.Port)}
	proxy := httputil.NewSingleHostReverseProxy(address)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // a client that goes away is part of many tests
	return start(tb, opts, proxy)
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
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
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
