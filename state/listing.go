package state

import (
	"fmt"
	"iter"
	"time"

	"entrasync/graphsync"
)

// A Part is a part of a list of users that is read on its own: those whose user principal name begins with
// Prefix.
type Part struct {
	Prefix string `json:"-"`
	Link   string `json:"link,omitempty"` // to the next page; empty: at the beginning
	Count  int    `json:"count"`          // users that were counted
	Done   bool   `json:"done,omitempty"`
}

// BeginListing starts a full round that lists users in parts and then follows the delta link token, which is
// older than all of them. What is known of an object when its page comes is replaced, as in any full round.
func (t Cursors) BeginListing(selectKey, token string, counted int, parts []Part, now time.Time) error {
	if err := t.BeginRound(graphsync.Users, selectKey, now); err != nil {
		return err
	}
	c := t.Get(graphsync.Users)
	c.Link, c.Listing, c.Unverified, c.Counted = token, true, true, counted
	for _, part := range parts {
		if err := t.tx.kv.putJSON([]byte(part.Prefix), part, bucketListing); err != nil {
			return err
		}
	}
	return t.put(graphsync.Users, c)
}

// Parts yields the parts of the list that is being read.
func (t Cursors) Parts() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for k, text := range scan(t.tx.kv.bucket(bucketListing), nil, nil) {
			part := fromJSON[Part]("a part of the list of users", text)
			if part.Prefix = string(k); !yield(part) {
				return
			}
		}
	}
}

// A ListPage is a page of a part and the link it was read from.
type ListPage struct {
	Prefix, From string
	Page         *graphsync.Page
}

// PutListPages applies pages of parts that were read in a round. A page that does not follow what is stored of
// its part is an error.
func (tx *Tx) PutListPages(round uint32, listed []ListPage, syncs []string) error {
	c := tx.Cursors().Get(graphsync.Users)
	var pages []*graphsync.Page
	for _, l := range listed {
		text := tx.kv.get([]byte(l.Prefix), bucketListing)
		if !c.Listing || c.Round != round || text == nil {
			return fmt.Errorf("put page of users that begin with %q: no such list is being read", l.Prefix)
		}
		part := fromJSON[Part]("a part of the list of users", text)
		if part.Done || part.Link != l.From {
			return fmt.Errorf("put page of users that begin with %q: it does not follow the page before it", l.Prefix)
		}
		part.Link, part.Done = l.Page.Next, l.Page.Next == ""
		if err := tx.kv.putJSON([]byte(l.Prefix), part, bucketListing); err != nil {
			return err
		}
		pages = append(pages, l.Page)
	}
	if _, err := putChanges(tx, graphsync.Users, &c, pages, syncs); err != nil {
		return err
	}
	return tx.Cursors().put(graphsync.Users, c)
}

// EndListing says that all parts have been read: the round continues with the delta link.
func (t Cursors) EndListing() error {
	for part := range t.Parts() {
		if !part.Done {
			return fmt.Errorf("end the list of users: the part %q is not read", part.Prefix)
		}
	}
	c := t.Get(graphsync.Users)
	c.Listing, c.Listed, c.Objects, c.Pages = false, t.tx.Objects().Count(graphsync.User), 0, 0
	if err := t.tx.kv.deleteBucket(bucketListing); err != nil {
		return err
	}
	return t.put(graphsync.Users, c)
}

// countFits reports whether a list of users fits the number that was counted before it, give or take one for
// each change that the delta link has reported since.
func (c *Cursor) countFits() bool {
	differs := c.Listed - c.Counted
	return uint64(max(differs, -differs)) <= c.Objects
}
