package reconcile_test

import (
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// mapped gives a sync matching attributes and a mapping of its own.
func mapped(s *reconcile.Sync, match []string, specs ...mapping.Spec) {
	m, faults := mapping.New(target.User, append(specs, mapping.Spec{Path: "active", Expr: "Not([IsSoftDeleted])"}))
	if len(faults) > 0 {
		panic(faults)
	}
	s.Users.Mapping, s.Users.Match, s.Text = m, match, strings.Join(match, " ")
}

// account puts an account that no sync knows into the application.
func (a *application) account(attributes map[string]any) string {
	id := a.seed(attributes["userName"].(string))
	attributes["active"] = true
	a.accounts[id] = attributes
	return id
}

type attributes = map[string]any

// What a tenant with known domains may take over is judged by the account as it is, whatever value it
// was found by.
func TestAccountIsProvablyTheTenants(t *testing.T) {
	t.Parallel()
	person := graphsync.ID{15: 1, 2: 1}.String()
	mails := func(values ...any) []any {
		var list []any
		for _, value := range values {
			list = append(list, attributes{"value": value})
		}
		return list
	}
	for name, tt := range map[string]struct {
		account attributes
		held    bool
	}{
		"its own addresses":             {attributes{"userName": "Ada@Contoso.example", "emails": mails("ada@contoso.example", "a.l@mail.contoso.example")}, false},
		"no address as user name":       {attributes{"userName": "ada", "emails": mails("ada@contoso.example")}, false},
		"the person's object id":        {attributes{"userName": "root", "externalId": strings.ToUpper(person)}, false},
		"the object id and any address": {attributes{"userName": "ada@gmail.example", "externalId": person}, false},
		"no address at all":             {attributes{"userName": "root", "nickName": "boss"}, true},
		"another's user name":           {attributes{"userName": "eve@fabrikam.example", "emails": mails("ada@contoso.example")}, true},
		"another's mail address":        {attributes{"userName": "ada@contoso.example", "emails": mails("ada@contoso.example", "eve@fabrikam.example")}, true},
		"mail addresses as texts":       {attributes{"userName": "ada@contoso.example", "emails": []any{"eve@fabrikam.example"}}, true},
		"one mail address":              {attributes{"userName": "ada@contoso.example", "emails": attributes{"value": "eve@fabrikam.example"}}, true},
		"a mail address of odd form":    {attributes{"userName": "ada@contoso.example", "emails": mails("eve")}, true},
		"another's in an extension":     {attributes{"userName": "ada@contoso.example", "urn:example:2.0:User": attributes{"login": "eve@fabrikam.example"}}, true},
		"another's external id":         {attributes{"userName": "ada@contoso.example", "externalId": "eve@fabrikam.example"}, true},
		"a domain below its own":        {attributes{"userName": "ada@evil.contoso.example"}, true},
		"a domain that ends like it":    {attributes{"userName": "ada@notcontoso.example"}, true},
		"two signs":                     {attributes{"userName": "eve@fabrikam.example@contoso.example"}, true},
		"a wide sign":                   {attributes{"userName": "ada@contoso.example", "externalId": "eve\uff20fabrikam.example"}, true},
		"a name around it":              {attributes{"userName": "ada@contoso.example", "emails": mails("Eve <eve@fabrikam.example>")}, true},
		"what says nothing of it": {attributes{"userName": "ada@contoso.example", "meta": attributes{"location": "https://x@fabrikam.example/1"}, "profileUrl": "https://people.example/@ada",
			"manager": attributes{"displayName": "boss@fabrikam.example"}, "title": "Sales @ Paris"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			contoso := s.customer("contoso")
			contoso.change = func(sync *reconcile.Sync) {
				mapped(sync, []string{"nickName"}, mapping.Spec{Path: "nickName", Expr: "[displayName]"})
				sync.Guard.Domains = []string{"contoso.example", "mail.contoso.example"}
			}
			contoso.source.person(1, "ada@contoso.example", "boss")
			tt.account["nickName"] = "boss"
			id := s.app().account(tt.account)
			s.app().asked["update"] = 0
			got := contoso.cycle()
			if !tt.held {
				want(t, "taken over", got, "1 adopted")
				return
			}
			want(t, "held", got, "held by foreign_domain: adopt ada@contoso.example")
			if _, owned, err := s.store.Accounts().OwnerOf(s.to, id, graphsync.User); s.app().asked["update"] > 0 || owned || err != nil {
				t.Errorf("%d writes; claimed: %t %v", s.app().asked["update"], owned, err)
			}
			contoso.stored().approve()
			want(t, "approved", contoso.cycle(), "1 adopted")
		})
	}
}

// A search that shows less of an account than there is proves nothing, and neither does an account
// that cannot be read.
func TestAccountIsReadBeforeItIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, readable := range []bool{true, false} {
		s := newService(t)
		contoso := s.customer("contoso")
		contoso.change = func(sync *reconcile.Sync) { sync.Guard.Domains = []string{"contoso.example"} }
		contoso.source.person(1, "ada@contoso.example", "Ada")
		s.app().account(attributes{"userName": "ada@contoso.example", "emails": "eve@fabrikam.example"})
		s.app().brief = []string{"userName", "active"}
		if !readable {
			s.app().accounts["1"]["emails"] = "ada@contoso.example"
			s.app().down = func(method string) bool { return method == "get" }
		}
		want(t, "held", contoso.cycle(), "held by foreign_domain: adopt ada@contoso.example")
	}
}

// No account is made with, and none is given, an address that the tenant does not own: it would be
// the account of the owner of that address.
func TestNoAddressesOfOthersAreClaimed(t *testing.T) {
	t.Parallel()
	specs := func(address string) []mapping.Spec {
		return []mapping.Spec{{Path: "userName", Expr: "ToLower([userPrincipalName])"}, {Path: "externalId", Expr: "[objectId]"},
			{Path: `emails[type eq "work"].value`, Expr: address, Redact: true}}
	}
	s := newService(t)
	contoso := s.customer("contoso")
	guests := false
	contoso.change = func(sync *reconcile.Sync) {
		mapped(sync, []string{"externalId", "userName"}, specs("[displayName]")...)
		sync.Guard.Domains, sync.Guard.GuestAddresses = []string{"contoso.example"}, guests
	}
	contoso.source.person(1, "ada@contoso.example", "ada@contoso.example")
	contoso.source.person(2, "bob@contoso.example", "eve@fabrikam.example")
	contoso.source.person(3, "eve@fabrikam.example", "bob@contoso.example")
	contoso.source.guest(4, "gus@elsewhere.example", "gus@elsewhere.example")
	want(t, "made", contoso.cycle(), "1 created, held by foreign_domain: create bob@contoso.example, held by foreign_domain: create eve@fabrikam.example, held by foreign_domain: create gus@elsewhere.example")
	if s.app().asked["create"] != 1 {
		t.Errorf("%d accounts were made", s.app().asked["create"])
	}

	// A change is judged as a whole account is; what stays as it is is not judged.
	contoso.source.person(1, "eve@fabrikam.example", "ada@contoso.example")
	contoso.source.person(2, "bob@contoso.example", "bob@contoso.example")
	contoso.source.person(3, "eva@contoso.example", "eva@contoso.example")
	guests = true
	want(t, "renamed", contoso.cycle(), "3 created, held by foreign_domain: update eve@fabrikam.example")
	want(t, "user name", s.app().accounts["1"]["userName"].(string), "ada@contoso.example")
	contoso.stored().approve()
	want(t, "approved", contoso.cycle(), "1 updated, 3 unchanged")
	contoso.source.person(1, "eve@fabrikam.example", "ada@contoso.example")
	want(t, "no change", contoso.cycle(), "4 unchanged")

	// Nor does an account come back with one, or is one taken over with it.
	contoso.source.gone("bob@contoso.example", graphsync.SoftDeleted)
	want(t, "gone", contoso.cycle(), "1 deactivated, 3 unchanged")
	contoso.source.person(2, "boss@fabrikam.example", "bob@contoso.example")
	want(t, "back", contoso.cycle(), "3 unchanged, held by foreign_domain: reactivate boss@fabrikam.example")
	s.app().account(attributes{"userName": "zoe@contoso.example", "externalId": ""})
	contoso.source.person(5, "zoe@contoso.example", "root@fabrikam.example")
	want(t, "taken over", contoso.cycle(), "3 unchanged, held by foreign_domain: reactivate boss@fabrikam.example, held by foreign_domain: adopt zoe@contoso.example")
}
