package graphtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"entrasync/graphsync"
)

// A Snapshot is what a tenant holds, for tests to compare with. Everything is sorted by id.
type Snapshot struct {
	Users       []Record
	Groups      []Record
	Assignments []Assigned
}

// A Record is a user or group that is not deleted. Properties are as JSON decodes them, without
// those never set. Members, of a group, are those not deleted.
type Record struct {
	ID         graphsync.ID
	Properties map[string]any
	Manager    graphsync.ID
	Members    []graphsync.ID
}

// An Assigned is a row of appRoleAssignedTo as a client would see it.
type Assigned struct {
	ID        string
	ClientID  string
	Principal graphsync.ID
	Kind      string // User, Group or ServicePrincipal
	Role      string // value, "" for default access
}

// Snapshot reads the directory as it is.
func (t *Tenant) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out Snapshot
	out.Users = t.dir.records(&t.dir.users)
	out.Groups = t.dir.records(&t.dir.groups)
	kinds := map[*schema]string{userSchema: "User", groupSchema: "Group", servicePrincipalSchema: "ServicePrincipal"}
	for _, p := range t.dir.principals {
		for _, a := range p.rows {
			if a.principal.state != live {
				continue
			}
			row := Assigned{ID: a.id, ClientID: p.clientID, Principal: a.principal.id, Kind: kinds[a.principal.schema]}
			for _, r := range p.roles {
				if r.ID == a.role {
					row.Role = r.Value
				}
			}
			out.Assignments = append(out.Assignments, row)
		}
	}
	slices.SortFunc(out.Assignments, func(a, b Assigned) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (d *directory) records(f *feed) []Record {
	var out []Record
	for at, o := range f.entries {
		if o.last == uint32(at+1) && o.state == live {
			out = append(out, d.record(o))
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return compareIDs(a.ID, b.ID) })
	return out
}

func (d *directory) record(o *object) Record {
	r := Record{ID: o.id, Properties: make(map[string]any, len(o.props))}
	for _, p := range o.props {
		var value any
		if err := json.Unmarshal([]byte(p.value), &value); err != nil {
			panic(fmt.Sprintf("graphtest: property %s of %s: %v", d.propertyName(o.schema, p.index), o.id, err))
		}
		r.Properties[d.propertyName(o.schema, p.index)] = value
	}
	if o.manager != nil {
		r.Manager = o.manager.id
	}
	if o.members != nil {
		for i, e := range o.members.entries {
			if !e.removed && e.member.state == live && o.members.last[e.member] == uint32(i) {
				r.Members = append(r.Members, e.member.id)
			}
		}
		slices.SortFunc(r.Members, compareIDs)
	}
	return r
}

func compareIDs(a, b graphsync.ID) int { return bytes.Compare(a[:], b[:]) }

// Find returns the users and groups whose display name, mail or principal name is the text
// given, as a person would look for them; deleted ones are not found.
func (t *Tenant) Find(name string) []Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Record
	for _, f := range []*feed{&t.dir.users, &t.dir.groups} {
		for at, o := range f.entries {
			if o.last != uint32(at+1) || o.state != live {
				continue
			}
			if o.text("displayName") == name || o.text("mail") == name || o.schema == userSchema && o.text("userPrincipalName") == name {
				out = append(out, t.dir.record(o))
			}
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return compareIDs(a.ID, b.ID) })
	return out
}
