package graphtest_test

import (
	"fmt"

	"entrasync/graphsync/graphtest"
)

// A server on a socket, as the commands emulate and demo have it. The URL is both authority
// and Graph; the file goes into SSL_CERT_FILE.
func Example() {
	s := graphtest.New(graphtest.Options{})
	contoso := s.AddTenant(graphtest.TenantSpec{Name: "Contoso", ID: "11111111-1111-1111-1111-111111111111"})
	app, _ := contoso.App(graphtest.AppSpec{Roles: graphtest.DefaultRoles()})
	contoso.Populate(graphtest.GenerateOptions{Users: 40, Seed: 1, App: app.ClientID})

	run, err := s.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer run.Close()
	ada := contoso.AddUser(graphtest.Props{"displayName": "Ada", "department": "Engineering"})
	contoso.Assign(app.ClientID, ada, "AdminUser")
	s.Fault(graphtest.Throttle("1").On("/v1.0/users/delta"))
	fmt.Println(len(contoso.Snapshot().Users), "users")
	// Output: 41 users
}
