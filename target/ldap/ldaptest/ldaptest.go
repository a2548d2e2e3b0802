// Package ldaptest starts an OpenLDAP server for tests: the one that Debian installs, with its data in a temporary folder
// and a Unix socket there, or a port of this machine.
package ldaptest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
	ldaptarget "entrasync/target/ldap"
)

// A Server is a running slapd with one database for each test.
type Server struct {
	dir          string
	proc         *exec.Cmd
	port, secure int
	next         atomic.Int64
}

// ErrMissing means that OpenLDAP is not installed.
var ErrMissing = errors.New("OpenLDAP is not installed; run: apt-get install slapd")

// Who may do everything, and how that is proved.
const (
	Admin    = "cn=admin,dc=example"
	Password = "the-ldap-password-of-no-output"
)

// Options are lines of slapd.conf.
type Options struct {
	Global   string // before the database
	Database string // behind it, such as overlays
	LDIF     string // entries that are there before the server starts; none makes them later where it can only be read
}

// Start starts a server. Stop it when done.
func Start(o Options) (s *Server, err error) {
	program, err := exec.LookPath("slapd")
	if err != nil {
		program = "/usr/sbin/slapd"
	}
	if _, err := os.Stat(program); err != nil {
		return nil, ErrMissing
	}
	s = &Server{}
	if s.dir, err = os.MkdirTemp("/tmp", "entrasync-ldap"); err != nil { // the name of a socket is short
		return nil, err
	}
	dir := s.dir // s is nil where this function fails
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if s.port, s.secure, err = freePorts(); err != nil {
		return nil, err
	}
	if err := s.configure(o); err != nil {
		return nil, err
	}
	if o.LDIF != "" {
		load := exec.Command("/usr/sbin/slapadd", "-f", filepath.Join(s.dir, "slapd.conf"), "-b", "dc=example")
		load.Stdin = strings.NewReader(o.LDIF)
		if out, err := load.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("slapadd: %w: %s", err, out)
		}
	}
	addresses := fmt.Sprintf("%s ldap://127.0.0.1:%d ldaps://127.0.0.1:%d", s.URL(), s.port, s.secure)
	s.proc = exec.Command(program, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", addresses)
	s.proc.Dir, s.proc.SysProcAttr = s.dir, attributes()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.proc.Stdout, s.proc.Stderr = log, log
	if err := s.proc.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := s.Dial()
		if err == nil {
			return s, c.Close()
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			_ = s.Stop()
			return nil, fmt.Errorf("slapd does not answer: %w\n%s", err, text)
		}
	}
}

// freePorts returns two ports that no program listens at.
func freePorts() (one, other int, err error) {
	a, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer a.Close()
	b, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer b.Close()
	return a.Addr().(*net.TCPAddr).Port, b.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) configure(o Options) error {
	var text strings.Builder
	for _, schema := range []string{"core", "cosine", "inetorgperson"} {
		fmt.Fprintf(&text, "include /etc/ldap/schema/%s.schema\n", schema)
	}
	fmt.Fprintf(&text, "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\nmoduleload unique\nmoduleload refint\nmoduleload memberof\nmoduleload retcode\nloglevel 0\nthreads 4\n")
	if err := writeCertificate(s.dir); err != nil {
		return err
	}
	fmt.Fprintf(&text, "TLSCertificateFile %[1]s/cert.pem\nTLSCertificateKeyFile %[1]s/key.pem\n", s.dir)
	fmt.Fprintf(&text, "%s\ndatabase config\nrootdn %s\n\ndatabase mdb\nsuffix dc=example\nrootdn %s\nrootpw %s\ndirectory %s/data\nmaxsize 4294967296\nenvflags nometasync\n", o.Global, Admin, Admin, Password, s.dir)
	fmt.Fprintf(&text, "index objectClass,entryUUID,uid,cn,member,employeeNumber eq\n%s\n", o.Database)
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "slapd.conf"), []byte(text.String()), 0o600)
}

// URL is the address of the server's socket.
func (s *Server) URL() string { return "ldapi://" + url.PathEscape(filepath.Join(s.dir, "s")) }

// Address is host and port of the server.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Secure is host and port where the server speaks TLS from the start.
func (s *Server) Secure() string { return fmt.Sprintf("127.0.0.1:%d", s.secure) }

// CAFile is the certificate of the server, which is its own authority.
func (s *Server) CAFile() string { return filepath.Join(s.dir, "cert.pem") }

// Dial logs in as an administrator would.
func (s *Server) Dial() (*ldap.Conn, error) {
	c, err := ldap.DialURL("ldap://" + s.Address())
	if err != nil {
		return nil, err
	}
	return c, c.Bind(Admin, Password)
}

// Stop ends the server and removes what it stored.
func (s *Server) Stop() error {
	err := s.proc.Process.Kill()
	if err == nil {
		_ = s.proc.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Make makes a directory of its own: an organization with the units people, left and groups. It returns its name.
func (s *Server) Make() (base string, err error) {
	c, err := s.Dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	root := ldap.NewAddRequest("dc=example", nil)
	root.Attribute("objectClass", []string{"dcObject", "organization"})
	root.Attribute("o", []string{"Example"})
	if err := c.Add(root); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
		return "", err
	}
	base = fmt.Sprintf("ou=test%d,dc=example", s.next.Add(1))
	for _, name := range []string{base, "ou=people," + base, "ou=left," + base, "ou=groups," + base, "ou=strangers," + base} {
		unit := ldap.NewAddRequest(name, nil)
		unit.Attribute("objectClass", []string{"organizationalUnit"})
		if err := c.Add(unit); err != nil {
			return "", err
		}
	}
	return base, nil
}

// Base is Make for a test.
func (s *Server) Base(tb testing.TB) string {
	tb.Helper()
	base, err := s.Make()
	if err != nil {
		tb.Fatal(err)
	}
	return base
}

// Open is Dial for a test.
func (s *Server) Open(tb testing.TB) *ldap.Conn {
	tb.Helper()
	c, err := s.Dial()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// ReadOnly has the server refuse changes, or take them again.
func (s *Server) ReadOnly(tb testing.TB, on bool) {
	tb.Helper()
	change := ldap.NewModifyRequest("olcDatabase={1}mdb,cn=config", nil)
	change.Replace("olcReadOnly", []string{strings.ToUpper(fmt.Sprint(on))})
	if err := s.Open(tb).Modify(change); err != nil {
		tb.Fatal(err)
	}
}

// Config maps the entries below a base.
func (s *Server) Config(base string) ldaptarget.Config {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
	return ldaptarget.Config{
		URL: s.URL(), BindDN: Admin, Password: target.Secret(func() (string, error) { return Password, nil }), Profile: "openldap", Concurrency: 8,
		Users: ldaptarget.Users{
			Base: "ou=people," + base, Active: ldaptarget.Active{Attribute: "pwdAccountLockedTime", False: "000001010000Z"},
			Attributes: map[string]string{
				"userName": "uid", "externalId": "employeeNumber", "displayName": "displayName", "name.givenName": "givenName", "name.familyName": "sn", "title": "title", "nickName": "initials",
				`emails[type eq "work"].value`: "mail", `phoneNumbers[type eq "mobile"].value`: "mobile", `addresses[type eq "work"].locality`: "l", "roles": "employeeType",
				enterprise + "department": "departmentNumber", enterprise + "employeeNumber": "roomNumber",
			},
		},
		Groups: &ldaptarget.Groups{Base: "ou=groups," + base, Attributes: map[string]string{"displayName": "cn", "externalId": "businessCategory"}},
	}
}
