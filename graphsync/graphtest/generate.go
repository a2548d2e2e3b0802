package graphtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"entrasync/graphsync"
)

// GenerateOptions say what Populate makes. The zero value is a company of 50.
type GenerateOptions struct {
	Users int    // how many, guests included; default 50
	Seed  uint64 // the same seed and number give the same directory
	// App is the client id of the app that people and groups are assigned to, consented to
	// before; "" is none.
	App string
}

// DefaultRoles are app roles as an application for customers' teams would declare them.
func DefaultRoles() []AppRole {
	return []AppRole{
		{Value: "AdminUser", Name: "Administrator"},
		{Value: "SuperUser", Name: "Super user"},
		{Value: "GeneralUser", Name: "General user"},
		{Value: "Viewer", Name: "Viewer"},
		{Value: "LegacyUser", Name: "Legacy user", Disabled: true},
	}
}

// Populate fills a tenant with a believable company: people of many origins in departments
// with titles, offices and managers, a group per department and per office, nested groups, a
// group of all, guests, disabled accounts, records with gaps. With an app, most departments'
// groups hold roles and some people hold one directly. Its times are fixed, not the clock's.
func (t *Tenant) Populate(opts GenerateOptions) {
	if opts.Users <= 0 {
		opts.Users = 50
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &generator{t: t, opts: opts, rand: rand.New(rand.NewPCG(opts.Seed, uint64(opts.Users))),
		taken: make(map[string]int, opts.Users), hired: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}
	if opts.App != "" {
		g.app = t.dir.mustPrincipal(opts.App)
	}
	g.extension = "extension_" + strings.ReplaceAll(newID("extensions", t.Domain()).String(), "-", "") + "_costCenter"
	g.people()
	g.teams()
	if g.app != nil {
		g.assign()
	}
}

type generator struct {
	t         *Tenant
	opts      GenerateOptions
	rand      *rand.Rand
	app       *servicePrincipal
	extension string
	hired     time.Time
	taken     map[string]int // address → how often used
	chief     *object
	byUnit    [][]*object // first the head
	byOffice  [][]*object
	guests    []*object
}

// chance is true in one of n cases.
func (g *generator) chance(n int) bool { return g.rand.IntN(n) == 0 }

func pick[T any](g *generator, from []T) T { return from[g.rand.IntN(len(from))] }

func (g *generator) people() {
	g.byUnit = make([][]*object, len(units))
	g.byOffice = make([][]*object, len(cultures))
	total := 0
	for _, u := range units {
		total += u.weight
	}
	for n := range g.opts.Users {
		if n%17 == 16 {
			g.guests = append(g.guests, g.guest(n))
			continue
		}
		at, draw := n-1, 0
		if at >= len(units) {
			at = 0
			for draw = g.rand.IntN(total); draw >= units[at].weight; at++ {
				draw -= units[at].weight
			}
		}
		office := g.rand.IntN(len(cultures))
		o := g.member(n, at, office)
		if n == 0 {
			g.chief = o
		} else {
			g.byUnit[at] = append(g.byUnit[at], o)
		}
		g.byOffice[office] = append(g.byOffice[office], o)
	}
}

// unique returns an address that no user has.
func (g *generator) unique(local string) string {
	g.taken[local]++
	if n := g.taken[local]; n > 1 {
		local += strconv.Itoa(n)
	}
	return local
}

// member makes an employee; at is the unit, -1 the chief's.
func (g *generator) member(n, at, office int) *object {
	names, place := pick(g, cultures), cultures[office]
	given, family := pick(g, names.given), pick(g, names.family)
	department, title, manager := "Executive Office", "Chief Executive Officer", (*object)(nil)
	if at >= 0 {
		peers := g.byUnit[at]
		titles := units[at].titles
		department, manager = units[at].name, g.chief
		switch rank := len(peers); {
		case rank == 0:
			title = titles[0]
		case rank%9 == 1:
			title, manager = titles[1], peers[0]
		default:
			title, manager = pick(g, titles[min(2, len(titles)-1):]), peers[(rank-2)/9*9+1]
		}
	}
	local := g.unique(address(given, family))
	upn := local + "@" + g.t.Domain()
	props := Props{
		"accountEnabled":    !(n > 20 && g.chance(25)),
		"businessPhones":    []string{},
		"city":              place.city,
		"companyName":       g.t.Name(),
		"country":           place.country,
		"createdDateTime":   g.hired.Add(-time.Duration(g.rand.IntN(8*365*24)) * time.Hour),
		"department":        department,
		"displayName":       given + " " + family,
		"employeeId":        fmt.Sprintf("E%06d", n+1),
		"employeeType":      "Employee",
		"givenName":         given,
		"jobTitle":          title,
		"mail":              upn,
		"mailNickname":      local,
		"officeLocation":    place.city + " " + string(rune('A'+g.rand.IntN(4))),
		"preferredLanguage": place.lang,
		"proxyAddresses":    []string{"SMTP:" + upn},
		"surname":           family,
		"usageLocation":     place.code,
		"userPrincipalName": upn,
		"userType":          "Member",
	}
	if g.chance(3) {
		props["businessPhones"] = []string{place.phone + fmt.Sprintf("%03d", g.rand.IntN(1000))}
	}
	if g.chance(6) {
		props["employeeType"] = pick(g, []string{"Contractor", "Intern", "Vendor"})
	}
	if g.chance(8) {
		props[g.extension] = fmt.Sprintf("CC-%03d", g.rand.IntN(60))
	}
	if g.chance(20) {
		props["onPremisesExtensionAttributes"] = map[string]any{"extensionAttribute1": pick(g, []string{"Blue", "Green", "Amber"})}
	}
	if n > 10 {
		g.gaps(props)
	}
	o := g.t.dir.add(userSchema, props)
	if manager != nil {
		g.t.dir.setManager(o, manager.id)
	}
	return o
}

// gaps takes away what real directories lack.
func (g *generator) gaps(props Props) {
	switch g.rand.IntN(60) {
	case 0: // no licence, no mailbox
		delete(props, "mail")
		delete(props, "proxyAddresses")
	case 1: // one name only
		delete(props, "givenName")
		props["displayName"] = props["surname"]
	case 2:
		delete(props, "department")
		delete(props, "jobTitle")
	case 3:
		props["displayName"] = props["surname"].(string) + ", " + props["givenName"].(string) + " (ext.)"
	}
}

// guest makes a user of a partner's tenant, with the #EXT# form of principal name.
func (g *generator) guest(n int) *object {
	names := pick(g, cultures)
	given, family := pick(g, names.given), pick(g, names.family)
	partner := pick(g, partners)
	local := g.unique(address(given, family) + "_" + partner)
	mail := strings.Replace(local, "_"+partner, "", 1) + "@" + partner
	props := Props{
		"accountEnabled":    true,
		"businessPhones":    []string{},
		"createdDateTime":   g.hired.Add(-time.Duration(g.rand.IntN(2*365*24)) * time.Hour),
		"creationType":      "Invitation",
		"displayName":       given + " " + family,
		"externalUserState": pick(g, []string{"Accepted", "Accepted", "PendingAcceptance"}),
		"mail":              mail,
		"otherMails":        []string{mail},
		"userPrincipalName": local + "#EXT#@" + g.t.Domain(),
		"userType":          "Guest",
	}
	if g.chance(2) {
		props["givenName"], props["surname"] = given, family
	}
	return g.t.dir.add(userSchema, props)
}

func (g *generator) group(name, description string, members ...*object) *object {
	nickname := ascii.Replace(strings.ToLower(strings.ReplaceAll(name, "&", "and")))
	group := g.t.dir.addGroup(Props{"displayName": name, "description": description, "mailNickname": nickname, "createdDateTime": g.hired})
	group.members.entries = make([]memberEntry, 0, len(members))
	for _, m := range members {
		g.t.dir.setMember(group, m, true)
	}
	return group
}

// teams makes the groups: departments within one of all of them, offices, guests, everyone.
func (g *generator) teams() {
	var departments []*object
	for at, people := range g.byUnit {
		if len(people) == 0 {
			continue
		}
		group := g.group(units[at].name, "Everyone in "+units[at].name, people...)
		departments = append(departments, group)
	}
	var managers, everyone []*object
	for _, people := range g.byUnit {
		for rank, o := range people {
			if rank%9 == 1 || rank == 0 {
				managers = append(managers, o)
			}
		}
	}
	for office, people := range g.byOffice {
		if len(people) > 0 {
			g.group("Office "+cultures[office].city, "People who work in "+cultures[office].city, people...)
			everyone = append(everyone, people...)
		}
	}
	g.group("Managers", "Who leads a team", managers...)
	g.group("All departments", "The departments' groups, nested", departments...)
	all := g.group("All "+g.t.Name(), "Everyone but guests", everyone...)
	g.t.dir.update(all, Props{"groupTypes": []string{"Unified"}, "mailEnabled": true, "mail": "all@" + g.t.Domain(), "visibility": "Public"})
	if len(g.guests) > 0 {
		g.group("Guests", "People from partners", g.guests...)
	}
}

func (g *generator) row(principal *object, role graphsync.ID) {
	g.t.dir.appendRow(g.app, principal, role, g.hired)
}

// assign gives roles: to departments by their groups, and to some people directly.
func (g *generator) assign() {
	if len(g.app.roles) == 0 {
		g.app.roles = completeRoles(g.app.clientID, DefaultRoles())
	}
	var roles []graphsync.ID
	for _, r := range g.app.roles {
		if !r.Disabled {
			roles = append(roles, r.ID)
		}
	}
	role := func(i int) graphsync.ID { return roles[i%len(roles)] }
	byName := map[string]int{"Sales": 2, "Engineering": 2, "Marketing": 3, "Customer Support": 3, "IT": 1}
	for at, group := range g.t.dir.groups.entries {
		if name := group.text("displayName"); group.last == uint32(at+1) {
			if i, ok := byName[name]; ok {
				g.row(group, role(i))
			} else if name == "Managers" {
				g.row(group, role(1))
			}
		}
	}
	for at, people := range g.byUnit {
		for rank, o := range people {
			switch {
			case rank == 0:
				g.row(o, role(0))
			case byName[units[at].name] == 0 && rank%5 == 2:
				g.row(o, role(2))
			}
		}
	}
	for i, o := range g.guests {
		if i%3 == 0 {
			g.row(o, role(3))
		}
	}
}
