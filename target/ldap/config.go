package ldap

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"entrasync/target"
)

// Config says which directory and how its entries hold users and groups. The tags of the types below are those that
// target/all describes: the configuration is decoded by them.
type Config struct {
	URL         string // ldaps://host, ldap://host or ldapi:///path of a socket
	StartTLS    bool
	CAFile      string        // PEM, trusted in addition to the system's
	BindDN      string        // "": the account that a Unix socket's other end sees
	Password    target.Secret // of BindDN
	Profile     string        // openldap or ad
	Users       Users
	Groups      *Groups
	PageSize    int           // entries at once; 0: 500
	Timeout     time.Duration // of one request; 0: a minute
	Rate        float64       // requests a second; 0: no limit
	Limiter     *rate.Limiter // paces several adapters together; nil: it is this one's own
	Concurrency int           // most connections; 0: 4
}

// Users say how entries hold users.
type Users struct {
	Base       string            `yaml:"base" required:"true" example:"ou=people,dc=example,dc=com" doc:"Users are the entries below this one, such as ou=people,dc=example,dc=com. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	RDN        string            `yaml:"rdn" doc:"The attribute that names an entry. One that no attribute is mapped to has the value of userName. Default: uid; with profile ad, cn."`
	Classes    []string          `yaml:"classes" doc:"Object classes of a new entry; only entries with all of them are read and written. Default: inetOrgPerson; with profile ad, top, person, organizationalPerson and user."`
	Attributes map[string]string `yaml:"attributes" required:"true" example:"userName=uid externalId=description formatted=cn familyName=sn emails=mail phoneNumbers=telephoneNumber department=departmentNumber locality=l" doc:"LDAP attribute of each attribute, such as userName: uid."`
	Active     Active            `yaml:"active" example:"{attribute: pwdAccountLockedTime, false: '000001010000Z'}" doc:"How an entry says that a user may not sign in. With profile ad it is the flag of userAccountControl, and nothing is written here."`
	Fixed      map[string]string `yaml:"fixed" doc:"Attributes with a value that never changes: written into each new entry, and part of every search. Entries with another value are not read or written. {tenant} is replaced."`
	Empty      string            `yaml:"empty" doc:"Written in place of no value where the schema demands one, such as sn. Default: -."`
	Password   string            `yaml:"password" enum:"random" doc:"random: with profile ad, a new account gets a random password that is not kept, so that it can be enabled. Default: no password is written."`
}

// Groups say how entries hold groups.
type Groups struct {
	Base        string            `yaml:"base" required:"true" doc:"Groups are the entries below this one. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	RDN         string            `yaml:"rdn" doc:"The attribute that names an entry. One that no attribute is mapped to has the value of displayName. Default: cn."`
	Class       string            `yaml:"class" doc:"Object class of groups. Default: groupOfNames; with profile ad, group."`
	Attributes  map[string]string `yaml:"attributes" required:"true" doc:"LDAP attribute of each attribute, such as displayName: cn."`
	Member      string            `yaml:"member" doc:"The attribute with the names of members. Default: member; of groupOfUniqueNames, uniqueMember."`
	Placeholder string            `yaml:"placeholder" doc:"Name of a member that each group has, where the schema demands one; it is not shown. Default: cn=placeholder for groupOfNames and groupOfUniqueNames, else none."`
	Fixed       map[string]string `yaml:"fixed" doc:"Attributes with a value that never changes: written into each new entry, and part of every search. {tenant} is replaced."`
}

// Active is how an entry says that a user may not sign in: by the value of an attribute, or by where it is.
type Active struct {
	Attribute string `yaml:"attribute" oneof:"form" doc:"The attribute that says it, such as pwdAccountLockedTime."`
	True      string `yaml:"true" doc:"Its value for users who may sign in. Default: none."`
	False     string `yaml:"false" doc:"Its value for users who may not, such as 000001010000Z."`
	Base      string `yaml:"base" oneof:"form" doc:"Entries of users who may not sign in are moved below this one, such as ou=left,dc=example,dc=com."`
}

// A section is a mapping that is ready for use.
type section struct {
	kind       target.Kind
	base       string
	rdn        string
	naming     target.Path // names an entry
	classes    []string
	attributes []mapped // shorter paths first
	fixed      []fixed
	empty      string
	active     *active
	flavor     flavor

	member      string // of groups
	placeholder string // "": none
}

type mapped struct {
	path target.Path
	name string // of the LDAP attribute
}

type fixed struct{ name, value string }

// active is one of three: a flag of Active Directory, an attribute or a base.
type active struct {
	flag      bool
	attribute string
	on, off   string
	base      string
}

var activePath, userNamePath, displayNamePath = pathOf("active"), pathOf("userName"), pathOf("displayName")

func pathOf(text string) target.Path {
	p, _ := target.ParsePath(text)
	return p
}

func (c Config) users() (*section, error) {
	u := c.Users
	s := &section{kind: target.User, base: u.Base, rdn: u.RDN, classes: u.Classes, attributes: mappedOf(u.Attributes), fixed: fixedOf(u.Fixed), empty: u.Empty, flavor: flavors[c.Profile]}
	if s.empty == "" {
		s.empty = "-"
	}
	switch {
	case s.flavor.ad:
		s.active = &active{flag: true}
		s.orDefault("cn", "top", "person", "organizationalPerson", "user")
	default:
		s.orDefault("uid", "inetOrgPerson")
	}
	if u.Active != (Active{}) {
		s.active = &active{attribute: u.Active.Attribute, on: u.Active.True, off: u.Active.False, base: u.Active.Base}
	}
	return s, s.named(userNamePath)
}

func (c Config) groups() (*section, error) {
	g := *c.Groups
	s := &section{kind: target.Group, base: g.Base, rdn: g.RDN, attributes: mappedOf(g.Attributes), fixed: fixedOf(g.Fixed), empty: "-", flavor: flavors[c.Profile], member: g.Member, placeholder: g.Placeholder}
	if g.Class != "" {
		s.classes = []string{g.Class}
	}
	class := "groupOfNames"
	if s.flavor.ad {
		class = "group"
	}
	s.orDefault("cn", class)
	unique := strings.EqualFold(s.classes[0], "groupOfUniqueNames")
	if s.member == "" {
		s.member = "member"
		if unique {
			s.member = "uniqueMember"
		}
	}
	if s.placeholder == "" && (unique || strings.EqualFold(s.classes[0], "groupOfNames")) {
		s.placeholder = "cn=placeholder"
	}
	return s, s.named(displayNamePath)
}

func (s *section) orDefault(rdn string, classes ...string) {
	if s.rdn == "" {
		s.rdn = rdn
	}
	if len(s.classes) == 0 {
		s.classes = classes
	}
}

// named finds the attribute whose value names an entry.
func (s *section) named(otherwise target.Path) error {
	s.naming = otherwise
	if i := slices.IndexFunc(s.attributes, func(m mapped) bool { return strings.EqualFold(m.name, s.rdn) }); i >= 0 {
		s.naming = s.attributes[i].path
	} else if _, ok := s.mappedTo(otherwise); !ok {
		return fmt.Errorf("%ss.attributes has neither %s nor what names an entry, %s", s.kind, otherwise, s.rdn)
	}
	return nil
}

// mappedTo returns the LDAP attribute of a path.
func (s *section) mappedTo(path target.Path) (mapped, bool) {
	i := slices.IndexFunc(s.attributes, func(m mapped) bool { return m.path.Equal(path) })
	if i < 0 {
		return mapped{}, false
	}
	return s.attributes[i], true
}

func mappedOf(attributes map[string]string) (all []mapped) {
	for path, name := range attributes {
		if p, err := target.ParsePath(path); err == nil {
			all = append(all, mapped{p, name})
		}
	}
	slices.SortFunc(all, func(a, b mapped) int {
		if n := len(a.path.Canonical()) - len(b.path.Canonical()); n != 0 {
			return n
		}
		return strings.Compare(a.path.Canonical(), b.path.Canonical())
	})
	return all
}

func fixedOf(values map[string]string) (all []fixed) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, fixed{name, values[name]})
	}
	return all
}

func fixedWords(values map[string]string) (words []string) {
	for _, f := range fixedOf(values) {
		words = append(words, strings.ToLower(f.name)+"="+f.value)
	}
	return words
}

// parseURL reads an address. The path of ldapi is that of a socket, also where it is written as the host (ldapi://%2Frun%2Fldapi).
func parseURL(text string) (*url.URL, error) {
	if rest, ok := strings.CutPrefix(text, "ldapi://"); ok {
		path, err := url.PathUnescape(rest)
		if err != nil || path == "" {
			return nil, fmt.Errorf("url names no socket; write ldapi:///run/slapd/ldapi")
		}
		return &url.URL{Scheme: "ldapi", Path: "/" + strings.TrimLeft(path, "/")}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
		return nil, fmt.Errorf("url is no address of a directory; write ldaps://ldap.example.com")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil:
		return nil, fmt.Errorf("url has more than a host and a port; bind_dn and base are keys of their own")
	}
	return u, nil
}
