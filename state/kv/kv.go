// Package kv is the seam between the state and the stores that can hold it: ordered keys and values in named
// buckets, of one tenant or of the registry, changed in transactions. What keys and values mean is known to the
// state alone.
//
// A driver keeps the bytes it is given: two stores with the same content yield the same paths, keys and values in
// the same order. It reports what cannot be read by a panic inside the transaction, such as with a [Fault], and
// its View and Update return that as an error: so reads need no error result.
package kv

import (
	"iter"
	"strings"
)

// A DB is the database of one tenant, or of the registry. It has one writer at a time and any number of readers.
// Its methods may be called concurrently.
type DB interface {
	// View runs fn on the content as it stands. Later writes do not show in it.
	View(fn func(Tx) error) error
	// Update runs fn and commits what it changed when it returns nil. Without a change nothing is written. An error
	// of fn is returned as it is.
	Update(fn func(Tx) error) error
	// Damaged returns the error that says what cannot be read, and what to do.
	Damaged(cause error) error
	// IsFault reports whether a panic of a transaction is of the store, not of who uses it. It must be called by the
	// function that recovers.
	IsFault(p any) bool
	// Check reads everything and returns the first inconsistency.
	Check() error
	Close() error
}

// A Tx is a transaction. Buckets have paths: names from the outermost to the innermost, see [Path]. A bucket has
// buckets or values inside, not both.
type Tx interface {
	// Number orders the writers of a database: that of a writer is one more than the number of the last commit
	// before it, which is the number of a reader.
	Number() uint64
	// Bucket returns a bucket, nil when there is none.
	Bucket(path string) Bucket
	// CreateBucket returns a bucket, and makes it and those around it where they are missing.
	CreateBucket(path string) (Bucket, error)
	// DeleteBucket deletes a bucket with all it holds; none is fine.
	DeleteBucket(path string) error
	// Buckets yields the names of the buckets inside one, by rising name; the path "" is that of the outermost.
	Buckets(path string) iter.Seq[string]
	// Paths yields the paths of all buckets, each before those inside it.
	Paths() iter.Seq[string]
	// Arena is where values may be built that are put into this transaction.
	Arena() *Arena
}

// A Bucket is an ordered map from keys of 1 to 32,768 bytes to values. What it yields is valid until the transaction
// ends; what is put must not be changed until then. What is being iterated must not be written to.
type Bucket interface {
	// Get returns the value of a key, nil when there is none.
	Get(key []byte) []byte
	Put(key, value []byte) error
	// Append is Put for keys that mostly come in rising order.
	Append(key, value []byte) error
	// Delete removes a key; none is fine.
	Delete(key []byte) error
	// Scan yields the entries whose key begins with prefix and is greater than after, by rising key.
	Scan(prefix, after []byte) iter.Seq2[[]byte, []byte]
	// Backward yields all entries, the greatest key first.
	Backward() iter.Seq2[[]byte, []byte]
	// Floor returns what to scan after to begin with the greatest key that is not greater than key; nil begins with
	// the first.
	Floor(key []byte) []byte
	// Sequence is a counter of the bucket, 0 at first.
	Sequence() uint64
	SetSequence(n uint64) error
	// Pack says how full pages may become that are written in this transaction, from 0 to 1.
	Pack(fill float64)
	// Warm says that these keys are read next. A driver that reads fast asks for none of them.
	Warm(keys iter.Seq[[]byte])
}

// A Schema is what a kind of database looks like: its outermost buckets at present, and how one of version n becomes
// one of version n+1 (Migrations[n-1]), each in a transaction of its own.
type Schema struct {
	Kind       string
	Buckets    []string
	Migrations []func(Tx) error
	// Checksums is the version since which values in files carry checksums; its migration is nil. 0: never.
	Checksums int
}

// Version is the present version, from 1.
func (s *Schema) Version() int { return len(s.Migrations) + 1 }

// Meta is the bucket that says what a database is.
const Meta = "meta"

// Path is the path of a bucket: names with NUL between them.
func Path(names ...string) string { return strings.Join(names, "\x00") }

// Within reports whether a path is that of a bucket inside another.
func Within(path, other string) bool { return strings.HasPrefix(path, other+"\x00") }

// Readable is a path for people.
func Readable(path string) string { return strings.ReplaceAll(path, "\x00", "/") }

// ValueOverhead is how many bytes a driver may put behind a value: room for them in an arena saves a copy.
const ValueOverhead = 4

// A Fault is the panic value of a driver that cannot read. View and Update return its error.
type Fault struct{ Err error }

// A BadRecord is the panic value of who meets a record that cannot be read.
type BadRecord struct{ What string }

func (b BadRecord) Error() string { return b.What }
