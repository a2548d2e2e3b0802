package reconcile_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entrasync/reconcile"
)

// A tenant among many in one application keeps nothing of the others' accounts in its file, and
// does not read all of them for a few of its own.
func TestNeighboursAreNotKept(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for n := range 20_000 {
		s.app().seed(fmt.Sprintf("stranger%05d@elsewhere.example", n))
	}
	for _, tt := range []struct {
		name         string
		people       int
		lists, finds int // at most, of the first cycle
		gets         int // of a full one
	}{
		{"two", 2, 0, 2, 2},
		{"sixty", 60, 31, 60, 60},
		{"five hundred", 500, 210, 0, 0},
	} {
		c := s.customer(tt.name)
		for n := range tt.people {
			c.source.person(n+1, fmt.Sprintf("user%d@%s.example", n, tt.name), "User")
		}
		// One of them has an account already, and one has a name that a user of another tenant has.
		other := s.customer("other to " + tt.name)
		other.source.person(1, fmt.Sprintf("user0@%s.example", tt.name), "Neighbour of "+tt.name)
		want(t, other.name, other.cycle(), "1 created")
		s.app().seed(fmt.Sprintf("user1@%s.example", tt.name))
		for _, full := range []bool{false, true} {
			s.app().asked = map[string]int{}
			began := time.Now()
			did := c.must(reconcile.Options{Apply: true, Full: full})
			took := time.Since(began)
			text, err := os.ReadFile(filepath.Join(s.dir, c.id.String()+".db"))
			if err != nil {
				t.Fatal(err)
			}
			asked := s.app().asked
			t.Logf("%s, full %v: %s in %v, %d KB, %d pages listed, %d found, %d got", tt.name, full, did, took.Round(time.Millisecond), len(text)>>10, asked["list"], asked["find"], asked["get"])
			for _, theirs := range []string{"stranger", "Neighbour", "Seeded stranger"} {
				if bytes.Contains(text, []byte(theirs)) {
					t.Errorf("%s: the file holds %q", tt.name, theirs)
				}
			}
			created := ""
			if tt.people > 2 {
				created = fmt.Sprintf("%d created, ", tt.people-2)
			}
			switch {
			case !full:
				want(t, tt.name, did, created+fmt.Sprintf("1 adopted, skipped user0@%s.example: duplicate_target", tt.name))
				if asked["list"] > tt.lists || asked["find"] > tt.finds {
					t.Errorf("%s: asked %v", tt.name, asked)
				}
			case asked["get"] > tt.gets || asked["list"] > tt.people/2+1:
				t.Errorf("%s, full: asked %v", tt.name, asked)
			}
		}
	}
}
