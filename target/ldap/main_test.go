package ldap_test

import (
	"os"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/ldap"
	"entrasync/target/ldap/ldaptest"
)

// shared is the server of most tests, started when the first one needs it. A test without it fails: it would say nothing.
var shared struct {
	once   sync.Once
	server *ldaptest.Server
	err    error
}

func server(tb testing.TB) *ldaptest.Server {
	tb.Helper()
	shared.once.Do(func() {
		shared.server, shared.err = ldaptest.Start(ldaptest.Options{Database: "overlay ppolicy"})
	})
	if shared.err != nil {
		tb.Fatal("a directory to test with does not start: ", shared.err)
	}
	return shared.server
}

// another is a server of one test.
func another(tb testing.TB, o ldaptest.Options) *ldaptest.Server {
	tb.Helper()
	s, err := ldaptest.Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		_ = shared.server.Stop()
	}
	if domain.server != nil {
		_ = domain.server.Stop()
	}
	os.Exit(code)
}

func path(tb testing.TB, text string) target.Path {
	tb.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func open(tb testing.TB, cfg ldap.Config) *ldap.Adapter {
	tb.Helper()
	a, err := ldap.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close(tb.Context()) })
	return a
}
