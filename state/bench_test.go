package state_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"entrasync/graphsync"
	"entrasync/state"
)

// person is a user as Graph sends one: 16 properties, about 500 bytes. The id is random, as
// Graph's are.
func person(rnd *rand.Rand, n int) graphsync.Change {
	c := graphsync.Change{Kind: graphsync.User}
	binary.BigEndian.PutUint64(c.ID[:], rnd.Uint64())
	binary.BigEndian.PutUint64(c.ID[8:], rnd.Uint64())
	for _, name := range []string{"accountEnabled", "city", "companyName", "country", "department", "displayName", "employeeId", "givenName",
		"jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName", "userType"} {
		c.Properties = append(c.Properties, graphsync.Property{Name: name, Value: fmt.Appendf(nil, `"%s %08d"`, name[:4], n)})
	}
	return c
}

func personPage(rnd *rand.Rand, n, size int) (page *graphsync.Page, raw [][]byte) {
	page = &graphsync.Page{Next: "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=" + strings.Repeat("x", 200)}
	for i := range size {
		c := person(rnd, n+i)
		rec := []byte{}
		for _, p := range c.Properties {
			rec = append(append(rec, 0, 0), p.Value...)
		}
		page.Changes = append(page.Changes, c)
		raw = append(raw, rec)
	}
	return page, raw
}

const benchPage = 200

// BenchmarkPutPage, to compare with BenchmarkPutPageFloor: an initial pull, a number of pages a commit.
func BenchmarkPutPage(b *testing.B) {
	for _, pages := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			tn := tenant(b, open(b))
			update(b, tn, func(tx *state.Tx) error {
				if err := tx.Pending("front").SetEverything(true); err != nil {
					return err
				}
				return tx.Cursors().BeginRound(graphsync.Users, "k", now)
			})
			rnd, n := rand.New(rand.NewPCG(1, 2)), 0
			for b.Loop() {
				b.StopTimer()
				batch := make([]*graphsync.Page, pages)
				for i := range batch {
					batch[i], _ = personPage(rnd, n, benchPage)
					n += benchPage
				}
				b.StartTimer()
				update(b, tn, func(tx *state.Tx) error {
					for _, page := range batch {
						if _, err := tx.PutPage(graphsync.Users, page, now, front); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

// BenchmarkPutPageFloor puts the same bytes in the same transactions into a bare bbolt file.
func BenchmarkPutPageFloor(b *testing.B) {
	for _, pages := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "floor.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			rnd, n := rand.New(rand.NewPCG(1, 2)), 0
			for b.Loop() {
				b.StopTimer()
				batch, raws := make([]*graphsync.Page, pages), make([][][]byte, pages)
				for i := range batch {
					batch[i], raws[i] = personPage(rnd, n, benchPage)
					n += benchPage
				}
				b.StartTimer()
				err := db.Update(func(tx *bbolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("objects"))
					if err != nil {
						return err
					}
					for i, page := range batch {
						for j := range page.Changes {
							if err := bucket.Put(page.Changes[j].ID[:], raws[i][j]); err != nil {
								return err
							}
						}
						if err := bucket.Put([]byte("link"), []byte(page.Next)); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

// many returns a tenant of n people, in a full round that has ended.
func many(b *testing.B, n int) *state.Tenant {
	b.Helper()
	tn := tenant(b, open(b))
	update(b, tn, func(tx *state.Tx) error { return tx.Cursors().BeginRound(graphsync.Users, "k", now) })
	rnd := rand.New(rand.NewPCG(1, 2))
	const size = 4000
	for i := 0; i < n; i += size {
		page, _ := personPage(rnd, i, size)
		if i+size >= n {
			page.Next, page.Delta = "", "d"
		}
		update(b, tn, func(tx *state.Tx) error {
			_, err := tx.PutPage(graphsync.Users, page, now, nil)
			return err
		})
	}
	return tn
}

func BenchmarkObjects(b *testing.B) {
	const people = 200_000
	tn := many(b, people)
	for b.Loop() {
		view(b, tn, func(tx *state.Tx) {
			n := 0
			for o := range tx.Objects().All(graphsync.User, graphsync.ID{}) {
				if _, ok := o.Value("userPrincipalName"); ok {
					n++
				}
			}
			equal(b, "people", n, people)
		})
	}
	b.ReportMetric(float64(people*b.N)/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkUnchangedPage(b *testing.B) {
	tn := many(b, 100_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	page, _ := personPage(rnd, 0, benchPage)
	page.Next, page.Delta = "", "d"
	for b.Loop() {
		update(b, tn, func(tx *state.Tx) error {
			stats, err := tx.PutPage(graphsync.Users, page, now, front)
			equal(b, "changed", stats.Changed, 0)
			return err
		})
	}
}

func BenchmarkLinks(b *testing.B) {
	tn := tenant(b, open(b))
	const links = 50_000
	for first := uint32(0); first < links; first += 1000 {
		update(b, tn, func(tx *state.Tx) error {
			for n := first; n < first+1000; n++ {
				if err := tx.Links("front").Put(benchLink(n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.Run("SourcesByKey", func(b *testing.B) {
		view(b, tn, func(tx *state.Tx) {
			for n := uint32(0); b.Loop(); n = (n + 7919) % links {
				if len(tx.Links("front").SourcesByKey(graphsync.User, benchLink(n).Keys[0])) != 1 {
					b.Fatal("not found")
				}
			}
		})
	})
	b.Run("Link", func(b *testing.B) {
		view(b, tn, func(tx *state.Tx) {
			for n := uint32(0); b.Loop(); n = (n + 7919) % links {
				if _, ok, err := tx.Links("front").Get(graphsync.User, id(n)); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	})
	// Writers as in applying a plan: each wants its link on disk before its next action.
	b.Run("Batch", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for n := uint32(0); pb.Next(); n++ {
				if err := tn.Batch(func(tx *state.Tx) error { return tx.Links("front").Put(benchLink(n % links)) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func benchLink(n uint32) state.Link {
	return state.Link{Kind: graphsync.User, Source: id(n), TargetID: fmt.Sprintf("target-%d", n), Key: "user@contoso.example", Active: true, Since: now,
		Keys: []state.MatchKey{{Attribute: "externalId", Value: fmt.Sprint(n)}, {Attribute: "userName", Value: fmt.Sprintf("user%d@contoso.example", n)}}}
}

// BenchmarkOpenTenant is what an idle tenant costs each cycle.
func BenchmarkOpenTenant(b *testing.B) {
	s := open(b)
	for b.Loop() {
		tn, err := s.Tenant(contoso)
		if err != nil {
			b.Fatal(err)
		}
		if err := tn.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
