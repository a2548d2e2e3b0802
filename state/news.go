package state

import (
	"iter"
	"slices"
)

// What is to be reported to people and other programs, for all tenants.
const (
	bucketNews     = "news"     // key → record, as package notify writes it
	bucketNewsSeen = "newsseen" // key of what lasts → what was reported of it
)

// News are records that wait to be delivered, and marks of what was reported. Its methods may be called concurrently.
type News struct{ registry *database }

// News returns what is to be reported.
func (s *Store) News() News { return News{s.registry} }

// View runs read on the records as they stand.
func (n News) View(read func(NewsTx) error) error {
	return n.registry.view(func(tx *Tx) error { return read(NewsTx{tx}) })
}

// Update changes records in one transaction, which is all or nothing.
func (n News) Update(change func(NewsTx) error) error {
	return n.registry.update(func(tx *Tx) error { return change(NewsTx{tx}) })
}

// A NewsTx is the records within one transaction.
type NewsTx struct{ tx *Tx }

// Records yields the records whose keys begin with a prefix, by rising key. What is yielded is valid until the next write.
func (n NewsTx) Records(prefix string) iter.Seq2[string, []byte] {
	return n.all(bucketNews, prefix)
}

// Marks yields the marks whose keys begin with a prefix.
func (n NewsTx) Marks(prefix string) iter.Seq2[string, []byte] { return n.all(bucketNewsSeen, prefix) }

func (n NewsTx) all(bucket, prefix string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for key, value := range scan(n.tx.kv.bucket(bucket), []byte(prefix), nil) {
			if !yield(string(key), slices.Clone(value)) {
				return
			}
		}
	}
}

// Record returns a record, nil when there is none.
func (n NewsTx) Record(key string) []byte { return slices.Clone(n.tx.kv.get([]byte(key), bucketNews)) }

// Put stores a record.
func (n NewsTx) Put(key string, value []byte) error {
	return n.tx.kv.put([]byte(key), value, bucketNews)
}

// Delete drops a record; none is fine.
func (n NewsTx) Delete(key string) error {
	_, err := n.tx.kv.delete([]byte(key), bucketNews)
	return err
}

// Mark returns what was reported of something that lasts, nil when nothing was.
func (n NewsTx) Mark(key string) []byte {
	return slices.Clone(n.tx.kv.get([]byte(key), bucketNewsSeen))
}

// PutMark notes what was reported.
func (n NewsTx) PutMark(key string, value []byte) error {
	return n.tx.kv.put([]byte(key), value, bucketNewsSeen)
}

// DeleteMark notes that something is over.
func (n NewsTx) DeleteMark(key string) error {
	_, err := n.tx.kv.delete([]byte(key), bucketNewsSeen)
	return err
}
