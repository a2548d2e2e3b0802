package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The service command runs `entrasync run` as systemd does, with a socket for its notifications.
//
//	service start [ARGUMENT…]     begin; returns at once
//	service logged PATTERN        wait for the next line of the log that fits
//	service notified WORD         wait for the next notification that has WORD, such as READY=1
//	service signal TERM|HUP|KILL|STOP|CONT
//	service ended CODE            wait until it has ended with that exit code (-1: killed)
type daemonProcess struct {
	cmd  *exec.Cmd
	log  *lines
	told *lines
}

// lines are what arrived so far; await reads them in order.
type lines struct {
	mu     sync.Mutex // guards the rest
	more   *sync.Cond
	all    []string
	at     int
	closed bool
}

func newLines() *lines {
	l := &lines{}
	l.more = sync.NewCond(&l.mu)
	return l
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
	l.more.Broadcast()
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.more.Broadcast()
}

// linePatience is for one line, on a machine that is busy with other tests.
const linePatience = 2 * time.Minute

// await returns the next line that fits; what came before it is passed over.
func (l *lines) await(fits func(string) bool) error {
	late := time.Now().Add(linePatience)
	defer time.AfterFunc(linePatience, l.more.Broadcast).Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.at
	for {
		for l.at < len(l.all) {
			if l.at++; fits(l.all[l.at-1]) {
				return nil
			}
		}
		if l.closed || time.Now().After(late) {
			return fmt.Errorf("it never came; since the last time there were:\n%s", strings.Join(l.all[from:], "\n"))
		}
		l.more.Wait()
	}
}

func (w *world) serviceCommand(ts *testscript.TestScript, neg bool, args []string) {
	w.daemon(ts, &w.service, neg, args)
}

// daemon is the command for one of the services of a script.
func (w *world) daemon(ts *testscript.TestScript, of **daemonProcess, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: service VERB ...")
	}
	if args[0] == "start" {
		ts.Check(w.startService(ts, of, args[1:]))
		return
	}
	if *of == nil || len(args) != 2 {
		ts.Fatalf("usage: service VERB ARGUMENT, after service start")
	}
	s := *of
	switch args[0] {
	case "logged":
		pattern := regexp.MustCompile(args[1])
		ts.Check(s.log.await(pattern.MatchString))
	case "never":
		s.log.mu.Lock()
		defer s.log.mu.Unlock()
		if at := slices.IndexFunc(s.log.all, regexp.MustCompile(args[1]).MatchString); at >= 0 {
			ts.Fatalf("it logged: %s", s.log.all[at])
		}
	case "notified":
		if err := s.told.await(func(line string) bool { return strings.Contains(line, args[1]) }); err != nil {
			ts.Fatalf("%v\nit wrote:\n%s", err, s.log)
		}
	case "signal":
		signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
		ts.Check(s.cmd.Process.Signal(signals[args[1]]))
	case "ended":
		ts.Check(s.log.await(func(line string) bool { return line == ended }))
		s.cmd.Wait()
		if want, err := strconv.Atoi(args[1]); err != nil || s.cmd.ProcessState.ExitCode() != want {
			ts.Fatalf("it ended with %s, want exit code %s; it wrote:\n%s", s.cmd.ProcessState, args[1], s.log)
		}
	default:
		ts.Fatalf("service %s: no such verb", args[0])
	}
}

// ended stands for the end of the log.
const ended = "(ended)"

func (w *world) startService(ts *testscript.TestScript, of **daemonProcess, args []string) error {
	socket := filepath.Join(w.dir, "notify")
	if of == &w.second {
		socket += "-second"
	}
	os.Remove(socket)
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	s := &daemonProcess{log: newLines(), told: newLines()}
	path, err := exec.LookPath("entrasync")
	if err != nil {
		return err
	}
	s.cmd = exec.Command(path, append([]string{"run"}, args...)...)
	s.cmd.Dir = ts.MkAbs(".")
	if err := freePort(ts.MkAbs("entrasync.yaml")); err != nil {
		return err
	}
	s.cmd.Env = os.Environ()
	for _, name := range []string{"GRAPH", "CLIENT", "CONTOSO", "FABRIKAM", "SSL_CERT_FILE", "TARGET", "SCIM_URL", "ENTRASYNC_TRANSCRIPT", "DSN", "NOTICES"} {
		s.cmd.Env = append(s.cmd.Env, name+"="+ts.Getenv(name))
	}
	s.cmd.Env = append(s.cmd.Env, "NOTIFY_SOCKET="+socket)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer s.told.close()
		defer listener.Close()
		buffer := make([]byte, 4096)
		for {
			n, err := listener.Read(buffer)
			if err != nil || string(buffer[:n]) == ended {
				return
			}
			s.told.add(string(buffer[:n]))
		}
	}()
	go func() {
		scanner := bufio.NewScanner(stderr)
		for scanner.Scan() {
			if m := listening.FindStringSubmatch(scanner.Text()); m != nil {
				w.consentAt.Store(&m[1])
			}
			s.log.add(scanner.Text())
		}
		io.Copy(io.Discard, stderr)
		if end, err := net.Dial("unixgram", socket); err == nil { // behind what it has told
			fmt.Fprint(end, ended)
			end.Close()
		}
		s.log.add(ended)
		s.log.close()
	}()
	*of = s
	ts.Defer(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	return nil
}
