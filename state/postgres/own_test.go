package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/state/kv"
	"entrasync/state/kv/kvtest"
	"entrasync/state/postgres"
)

var (
	// short is a term that tests can wait for, also on a machine that does much else.
	short = postgres.Term{Lease: 4 * time.Second, Margin: time.Second}
	long  = postgres.Term{Lease: time.Hour, Margin: time.Second}
)

func own(t testing.TB, s *postgres.Server, term postgres.Term) *postgres.DB {
	t.Helper()
	db, err := s.Own(context.Background(), "contoso", kvtest.Schema, term, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// takeOver owns the tenant as soon as that is possible.
func takeOver(t testing.TB, s *postgres.Server) *postgres.DB {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		db, err := s.Own(context.Background(), "contoso", kvtest.Schema, short, nil)
		if err == nil {
			t.Cleanup(func() { _ = db.Close() })
			return db
		}
		if held := (*postgres.HeldError)(nil); !errors.As(err, &held) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func put(db *postgres.DB, value string) error {
	return db.Update(func(tx kv.Tx) error {
		b, err := tx.CreateBucket("plain")
		if err != nil {
			return err
		}
		return b.Put([]byte("k"), []byte(value))
	})
}

func got(t testing.TB, db *postgres.DB) (value string) {
	t.Helper()
	err := db.View(func(tx kv.Tx) error { value = string(tx.Bucket("plain").Get([]byte("k"))); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func isLost(err error) bool {
	var lost *postgres.LostError
	return errors.As(err, &lost)
}

func TestOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	one, two := connect(t, dsn, "one"), connect(t, dsn, "two")
	first := own(t, one, long)
	if err := put(first, "1"); err != nil {
		t.Fatal(err)
	}
	held := (*postgres.HeldError)(nil)
	if _, err := two.Own(context.Background(), "contoso", kvtest.Schema, short, nil); !errors.As(err, &held) || held.Holder != "one" || !held.Until.After(time.Now().Add(-time.Minute)) {
		t.Fatalf("got %v, want that one has it", err)
	}
	// Others read, and write what does not need the token.
	other, err := two.Tenant(context.Background(), "contoso", kvtest.Schema, nil)
	if err != nil || got(t, other) != "1" || put(other, "2") != nil || got(t, first) != "2" {
		t.Fatal("another worker reads or writes", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := own(t, two, long) // at once: the first one has released it
	if second.Token() <= first.Token() {
		t.Errorf("token %d follows %d", second.Token(), first.Token())
	}
	if err := put(first, "late"); err == nil || got(t, second) != "2" {
		t.Errorf("a closed owner writes: %v", err)
	}
}

func TestLeaseIsRenewedWhileNothingIsWritten(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	first := own(t, connect(t, dsn, "one"), short)
	begun := time.Now()
	for time.Since(begun) < 2*short.Lease {
		_, err := connect(t, dsn, "two").Own(context.Background(), "contoso", kvtest.Schema, short, nil)
		if held := (*postgres.HeldError)(nil); !errors.As(err, &held) {
			t.Fatalf("after %s: %v", time.Since(begun), err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := put(first, "1"); err != nil || first.Context().Err() != nil {
		t.Fatal(err, first.Context().Err())
	}
}

// The clocks of two machines may be apart by hours: leases are measured, not compared.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		dsn := server.Database(t)
		one, two := connect(t, dsn, "one"), connect(t, dsn, "two")
		one.SetClock(func() time.Time { return time.Now().Add(apart) })
		first := own(t, one, long)
		if _, err := two.Own(context.Background(), "contoso", kvtest.Schema, short, nil); err == nil {
			t.Fatal("a second owner")
		}
		if err := put(first, "1"); err != nil || first.Context().Err() != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := put(own(t, two, long), "2"); err != nil {
			t.Fatal(err)
		}
	}
}

// An owner that no longer reaches the database stops before another can begin.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	cut, through := proxy(t, dsn)
	one, two := connect(t, through, "one"), connect(t, dsn, "two")
	first := own(t, one, short)
	if err := put(first, "1"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan time.Time, 1)
	context.AfterFunc(first.Context(), func() { ended <- time.Now() })
	cut(true)
	if err := put(first, "unheard"); err == nil {
		t.Fatal("written through a cut connection")
	}
	second := takeOver(t, two)
	taken := time.Now()
	select {
	case at := <-ended:
		if !at.Before(taken) || !isLost(context.Cause(first.Context())) {
			t.Errorf("the first owner ended %s before the second began: %v", taken.Sub(at), context.Cause(first.Context()))
		}
	default:
		t.Fatal("the first owner still works")
	}
	cut(false)
	if err := put(first, "late"); !isLost(err) || got(t, second) != "1" {
		t.Errorf("it writes again: %v, %s", err, got(t, second))
	}
}

// A connection that is cut for a moment costs nothing but the transaction.
func TestConnectionComesBack(t *testing.T) {
	t.Parallel()
	cut, through := proxy(t, server.Database(t))
	first := own(t, connect(t, through, "one"), long)
	if err := put(first, "1"); err != nil {
		t.Fatal(err)
	}
	cut(true)
	if err := put(first, "unheard"); err == nil || isLost(err) {
		t.Fatalf("got %v", err)
	}
	cut(false)
	if err := put(first, "2"); err != nil || got(t, first) != "2" {
		t.Fatal(err)
	}
}

// A process that was stopped for longer than its lease does not know so: its writes are refused.
func TestPausedOwner(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	two := connect(t, dsn, "two")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), "POSTGRES_TEST_OWNER="+dsn)
	child.Stderr = os.Stderr
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	lines := bufio.NewScanner(out)
	say := func(text string) string {
		if _, err := fmt.Fprintln(in, text); err != nil || !lines.Scan() {
			t.Fatal("the child does not answer", err)
		}
		return lines.Text()
	}
	if answer := say("before"); answer != "written" {
		t.Fatal(answer)
	}
	if err := child.Process.Signal(sigstop); err != nil {
		t.Fatal(err)
	}
	second := takeOver(t, two)
	if err := put(second, "taken"); err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Signal(sigcont); err != nil {
		t.Fatal(err)
	}
	if answer := say("late"); answer != "lost" || got(t, second) != "taken" {
		t.Errorf("the child says %s, and the state is %s", answer, got(t, second))
	}
}

// paused is the child of TestPausedOwner: it writes each line of its input.
func paused(dsn string) {
	s, err := postgres.Connect(context.Background(), postgres.Options{DSN: func() (string, error) { return dsn, nil }, Holder: "child"})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := s.Own(context.Background(), "contoso", kvtest.Schema, short, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch err := put(db, lines.Text()); {
		case err == nil:
			fmt.Println("written")
		case isLost(err):
			fmt.Println("lost")
		default:
			fmt.Println(err)
		}
	}
}

// A tenant that is removed while it is owned is lost to its owner.
func TestRemovedWhileOwned(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	one := connect(t, dsn, "one")
	first := own(t, one, long)
	if err := errors.Join(put(first, "1"), connect(t, dsn, "two").Remove(context.Background(), "contoso")); err != nil {
		t.Fatal(err)
	}
	if err := put(first, "late"); !isLost(err) || !isLost(context.Cause(first.Context())) {
		t.Errorf("got %v, %v", err, context.Cause(first.Context()))
	}
}

// proxy stands between a client and the server, and can be cut.
func proxy(t testing.TB, dsn string) (cut func(bool), through string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close(); _ = os.RemoveAll(dir) })
	_, host, _ := strings.Cut(dsn, "host=")
	host, _, _ = strings.Cut(host, "&")
	var mu sync.Mutex // guards the two below
	off, open := false, map[net.Conn]bool{}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("unix", filepath.Join(host, ".s.PGSQL.5432"))
			mu.Lock()
			refused := off || err != nil
			open[client] = true
			if upstream != nil {
				open[upstream] = true
			}
			mu.Unlock()
			if refused {
				_ = client.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
				go func() { _, _ = io.Copy(pair[0], pair[1]); _ = pair[0].Close() }()
			}
		}
	}()
	return func(now bool) {
		mu.Lock()
		defer mu.Unlock()
		if off = now; now {
			for c := range open {
				_ = c.Close()
				delete(open, c)
			}
		}
	}, strings.Replace(dsn, host, dir, 1)
}
