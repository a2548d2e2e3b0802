package ldap_test

import (
	"fmt"
	"sync"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

// BenchmarkCreate makes accounts as a first cycle does, eight at a time. The floor is the same entries by add requests
// alone, by as many connections.
func BenchmarkCreate(b *testing.B) {
	b.Run("target", func(b *testing.B) {
		s := server(b)
		a := open(b, s.Config(s.Base(b)))
		if _, err := a.Find(b.Context(), target.User, path(b, "userName"), "unknown"); err != nil { // it has begun
			b.Fatal(err)
		}
		b.ResetTimer()
		each(b, func(_, n int) error {
			name := fmt.Sprintf("user%d@example.com", n)
			_, err := a.Create(b.Context(), target.User, attributes(b, "userName", name, "externalId", fmt.Sprint("ext-", n), "active", true, "displayName", "Person "+name, `emails[type eq "work"].value`, name))
			return err
		})
	})
	b.Run("floor", func(b *testing.B) {
		s := server(b)
		base := s.Base(b)
		var connections [workers]*goldap.Conn
		for i := range connections {
			connections[i] = s.Open(b)
		}
		b.ResetTimer()
		each(b, func(worker, n int) error {
			name := fmt.Sprintf("user%d@example.com", n)
			request := goldap.NewAddRequest("uid="+name+",ou=people,"+base, nil)
			for attribute, value := range map[string]string{"objectClass": "inetOrgPerson", "uid": name, "employeeNumber": fmt.Sprint("ext-", n), "displayName": "Person " + name, "mail": name, "cn": "-", "sn": "-"} {
				request.Attribute(attribute, []string{value})
			}
			return connections[worker].Add(request)
		})
	})
}

const workers = 8

// each calls do for every number, eight at a time.
func each(b *testing.B, do func(worker, n int) error) {
	b.Helper()
	numbers := make(chan int)
	var running sync.WaitGroup
	for worker := range workers {
		running.Go(func() {
			for n := range numbers {
				if err := do(worker, n); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		numbers <- n
	}
	close(numbers)
	running.Wait()
}
