package ldap

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

// A Fault is something wrong with a configuration.
type Fault struct {
	Key     []string // path of the key
	Message string   // begins with the key
	Hint    string
}

type faults []Fault

func (f *faults) add(key []string, message, hint string) {
	*f = append(*f, Fault{key, strings.Join(key, ".") + " " + message, hint})
}

// ownNames are attributes that no mapping may write, and what is to be done instead.
var ownNames = map[string]string{
	"objectclass": "write users.classes or groups.class", "entryuuid": "the directory makes it", "objectguid": "the directory makes it",
	"useraccountcontrol": "map active", "unicodepwd": "write users.password: random", "userpassword": "passwords are not provisioned",
	"memberof": "the directory makes it", "member": "write groups.member", "uniquemember": "write groups.member", "distinguishedname": "the directory makes it", "entrydn": "the directory makes it",
}

var attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$`)

// Faults returns what is wrong, in the order of keys. It reads no file and asks no server.
func (c Config) Faults() []Fault {
	var f faults
	f.address(c)
	ad := c.Profile == "ad"
	u := c.Users
	f.section("users", u.Base, u.RDN, u.Attributes, u.Fixed)
	for _, class := range u.Classes {
		f.attribute([]string{"users", "classes"}, class)
	}
	f.active(c)
	if u.Password != "" {
		switch {
		case !ad:
			f.add([]string{"users", "password"}, "is for profile ad only", "leave it out: no password is needed to enable an account here")
		case strings.HasPrefix(c.URL, "ldap://") && !c.StartTLS:
			f.add([]string{"users", "password"}, "needs a secured connection", "write ldaps:// in url, or start_tls: true")
		}
	}
	if len(f) == 0 {
		if _, err := c.users(); err != nil {
			f.add([]string{"users", "attributes"}, "cannot name an entry: "+err.Error(), "map userName, or name the attribute of another in users.rdn")
		}
	}
	if c.Groups != nil {
		f.groups(c)
	}
	return f
}

func (f *faults) address(c Config) {
	address, err := parseURL(c.URL)
	switch {
	case c.URL == "":
		f.add([]string{"url"}, "is missing", "write url: ldaps://ldap.example.com")
	case err != nil:
		*f = append(*f, Fault{[]string{"url"}, err.Error(), ""})
	case address.Port() == "3268" || address.Port() == "3269":
		f.add([]string{"url"}, "leads to the global catalog, which can only be read", "leave the port out: it is 389 or 636")
	case c.StartTLS && address.Scheme != "ldap":
		f.add([]string{"start_tls"}, "is for ldap:// only", "leave it out")
	}
	if c.BindDN == "" && (err != nil || address.Scheme != "ldapi") {
		f.add([]string{"bind_dn"}, "is missing", "name the account that entrasync logs in with")
	}
	if c.BindDN != "" && c.Profile != "ad" {
		f.name([]string{"bind_dn"}, c.BindDN)
	}
	if _, ok := flavors[c.Profile]; !ok && c.Profile != "" {
		f.add([]string{"profile"}, fmt.Sprintf("%q is unknown", c.Profile), "write openldap or ad")
	}
}

func (f *faults) section(key, base, rdn string, attributes, fixed map[string]string) {
	f.name([]string{key, "base"}, base)
	if rdn != "" {
		f.attribute([]string{key, "rdn"}, rdn)
	}
	paths, names := map[string]string{}, map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(attributes)) {
		at, name := []string{key, "attributes", path}, attributes[path]
		p, err := target.ParsePath(path)
		if err != nil {
			f.add(at, "cannot be read: "+err.Error(), `such as userName, name.familyName or emails[type eq "work"].value`)
			continue
		}
		f.attribute(at, name)
		lower := strings.ToLower(name)
		if instead, own := ownNames[lower]; own {
			f.add(at, "cannot be "+name, instead)
		}
		canonical := strings.ToLower(p.Canonical())
		if other, twice := paths[canonical]; twice {
			f.add(at, "is the same attribute as "+other, "keep one of them")
		}
		if other, twice := names[lower]; twice {
			f.add(at, "is written to "+name+", as "+other+" is", "each attribute has one meaning")
		}
		paths[canonical], names[lower] = path, path
		if canonical == "active" && key == "users" {
			f.add(at, "has a key of its own", "write users.active: {attribute: "+name+", false: …}")
		}
		if canonical == "id" || canonical == "members" {
			f.add(at, "is not mapped", "leave it out")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fixed)) {
		at := []string{key, "fixed", name}
		f.attribute(at, name)
		if fixed[name] == "" {
			f.add(at, "has no value", "give it one, or leave it out")
		}
		if other, mapped := names[strings.ToLower(name)]; mapped {
			f.add(at, "is mapped to "+other+", too", "keep one of them")
		}
		if _, own := ownNames[strings.ToLower(name)]; own {
			f.add(at, "cannot be fixed", "leave it out")
		}
	}
}

func (f *faults) active(c Config) {
	a := c.Users.Active
	key := []string{"users", "active"}
	switch {
	case a == Active{}:
		return
	case c.Profile == "ad":
		f.add(key, "is not for profile ad, where a flag of userAccountControl says it", "leave it out")
	case a.Base != "" && (a.True != "" || a.False != ""):
		f.add(key, "has a base and a value", "keep one of them")
	case a.Base != "":
		f.name(append(key, "base"), a.Base)
		if below(c.Users.Base, a.Base) {
			f.add(append(key, "base"), "holds users.base, so that no one could sign in", "name an entry below it or elsewhere")
		}
	case a.Attribute == "":
		f.add(append(key, "attribute"), "is missing", "write active: {attribute: pwdAccountLockedTime, false: \"000001010000Z\"}, or active: {base: \"ou=left,…\"}")
	case strings.EqualFold(a.True, a.False):
		f.add(key, "has one value for both states", "give at least one of true and false a value of its own")
	default:
		f.attribute(append(key, "attribute"), a.Attribute)
		for path, name := range c.Users.Attributes {
			if strings.EqualFold(name, a.Attribute) {
				f.add(append(key, "attribute"), "is mapped to "+path+", too", "each attribute has one meaning")
			}
		}
	}
}

func (f *faults) groups(c Config) {
	g := *c.Groups
	before := len(*f)
	f.section("groups", g.Base, g.RDN, g.Attributes, g.Fixed)
	if strings.EqualFold(g.Class, "posixGroup") {
		f.add([]string{"groups", "class"}, "has members by their login (memberUid), which is not supported", "use groupOfNames, or a class that has members by their name")
	}
	if g.Class != "" {
		f.attribute([]string{"groups", "class"}, g.Class)
	}
	if g.Member != "" {
		f.attribute([]string{"groups", "member"}, g.Member)
	}
	if g.Placeholder != "" {
		f.name([]string{"groups", "placeholder"}, g.Placeholder)
	}
	if len(*f) == before {
		if _, err := c.groups(); err != nil {
			f.add([]string{"groups", "attributes"}, "cannot name an entry: "+err.Error(), "map displayName, or name the attribute of another in groups.rdn")
		}
	}
}

// name checks the name of an entry.
func (f *faults) name(key []string, name string) {
	dn, err := ldap.ParseDN(name)
	switch {
	case name == "":
		f.add(key, "is missing", "such as ou=people,dc=example,dc=com")
	case err != nil || len(dn.RDNs) == 0:
		f.add(key, fmt.Sprintf("%q is no name of an entry", name), "such as ou=people,dc=example,dc=com")
	}
}

// attribute checks the name of an attribute or class, which goes into filters.
func (f *faults) attribute(key []string, name string) {
	if !attributeName.MatchString(name) || len(name) > 200 {
		f.add(key, fmt.Sprintf("%q is no name of an attribute or class", name), "letters, digits and hyphens, beginning with a letter")
	}
}
