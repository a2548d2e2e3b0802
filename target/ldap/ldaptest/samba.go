package ldaptest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	ldaptarget "entrasync/target/ldap"
)

// A Samba is a running domain controller of Active Directory as Samba has it, of which only the directory is started. It
// is reached by a Unix socket: Samba takes no address of this machine alone for one of the network.
type Samba struct {
	dir  string
	proc *exec.Cmd
	next atomic.Int64
}

// ErrNoSamba means that Samba is not installed.
var ErrNoSamba = errors.New("the domain controller of Samba is not installed; run: apt-get install samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind")

// Who may do everything in Samba's domain.
const (
	sambaAdmin  = `EXAMPLE\administrator`
	sambaDomain = "dc=example,dc=test"
)

// StartSamba makes a domain, which takes some seconds, and starts its directory. It needs to be root: the domain's files
// have owners. Stop it when done.
func StartSamba() (s *Samba, err error) {
	program, err := exec.LookPath("samba")
	if err != nil {
		program = "/usr/sbin/samba"
	}
	if _, err := os.Stat(program); err != nil {
		return nil, ErrNoSamba
	}
	if _, err := os.Stat("/usr/share/samba/setup/ad-schema"); err != nil {
		return nil, ErrNoSamba
	}
	s = &Samba{}
	if s.dir, err = os.MkdirTemp("/tmp", "entrasync-samba"); err != nil { // the name of a socket is short
		return nil, err
	}
	dir := s.dir
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	provision := exec.Command("samba-tool", "domain", "provision", "--realm=EXAMPLE.TEST", "--domain=EXAMPLE", "--server-role=dc", "--dns-backend=NONE", "--adminpass="+sambaPassword, "--targetdir="+dir)
	provision.SysProcAttr = attributes()
	if out, err := provision.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("samba-tool: %w: %s", err, out)
	}
	s.proc = exec.Command(program, "-i", "-M", "single", "-s", filepath.Join(dir, "etc", "smb.conf"), "--option=server services=ldap", "--option=interfaces=lo", "--option=ldap server require strong auth=no", "--option=bind interfaces only=yes", "--option=log file="+filepath.Join(dir, "samba.log"))
	s.proc.Dir, s.proc.SysProcAttr = dir, attributes()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.proc.Stdout, s.proc.Stderr = log, log
	// It ends when its standard input does.
	if _, err := s.proc.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.proc.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := s.Dial()
		if err == nil {
			return s, c.Close()
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			_ = s.Stop()
			return nil, fmt.Errorf("Samba does not answer: %w\n%s", err, text)
		}
	}
}

// sambaPassword has what the domain's policy asks for.
const sambaPassword = "Adm1n!" + Password

// URL is the address of the server's socket.
func (s *Samba) URL() string {
	return "ldapi://" + url.PathEscape(filepath.Join(s.dir, "private", "ldapi"))
}

// Dial logs in as an administrator would.
func (s *Samba) Dial() (*ldap.Conn, error) {
	c, err := ldap.DialURL(s.URL())
	if err != nil {
		return nil, err
	}
	return c, c.Bind(sambaAdmin, sambaPassword)
}

// Stop ends the server and removes what it stored.
func (s *Samba) Stop() error {
	err := s.proc.Process.Kill()
	if err == nil {
		_ = s.proc.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Make makes a unit of its own in the domain, with the units people and groups. It returns its name.
func (s *Samba) Make() (base string, err error) {
	c, err := s.Dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	base = fmt.Sprintf("OU=test%d,%s", s.next.Add(1), sambaDomain)
	for _, name := range []string{base, "OU=people," + base, "OU=groups," + base} {
		unit := ldap.NewAddRequest(name, nil)
		unit.Attribute("objectClass", []string{"organizationalUnit"})
		if err := c.Add(unit); err != nil {
			return "", err
		}
	}
	return base, nil
}

// Config maps the entries below a base. userPrincipalName would be one for the whole domain, and not for each test.
func (s *Samba) Config(base string) ldaptarget.Config {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
	return ldaptarget.Config{
		URL: s.URL(), BindDN: sambaAdmin, Password: func() (string, error) { return sambaPassword, nil }, Profile: "ad", Concurrency: 8, PageSize: 50,
		Users: ldaptarget.Users{
			Base: "OU=people," + base, Password: "random",
			Attributes: map[string]string{
				"userName": "cn", "externalId": "adminDescription", "displayName": "displayName", "name.givenName": "givenName", "name.familyName": "sn", "title": "title", "nickName": "info",
				`emails[type eq "work"].value`: "mail", `phoneNumbers[type eq "mobile"].value`: "mobile", `addresses[type eq "work"].locality`: "l", "roles": "url",
				enterprise + "department": "department", enterprise + "employeeNumber": "employeeNumber",
			},
		},
		Groups: &ldaptarget.Groups{Base: "OU=groups," + base, Attributes: map[string]string{"displayName": "cn", "externalId": "info"}},
	}
}
