package postgres

import (
	"bytes"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// A bucket is a bucket within one transaction.
type bucket struct {
	tx      *tx
	path    string
	no      int64
	rows    map[string]entry // known: read or written
	dirty   int              // of them, not sent yet
	waiting int              // bytes of those
	counted bool             // the counter is to be sent
	asked   int              // keys that were asked for one at a time
	whole   bool             // rows are all that there are
}

// An entry is what is known of a key.
type entry struct {
	value []byte // nil: it is not there
	dirty bool
}

// remembered is how many rows that were read are kept in memory.
const remembered = 50_000

// Get returns the value of a key, nil when there is none.
func (b *bucket) Get(key []byte) []byte {
	if e, known := b.rows[string(key)]; known {
		return e.value
	}
	if b.whole {
		return nil
	}
	if b.asked++; b.asked == manyAsked {
		b.readWhole()
		return b.Get(key)
	}
	var value []byte
	err := b.tx.tx.QueryRow(b.tx.ctx, `SELECT value FROM kv WHERE tenant = $1 AND bucket = $2 AND key = $3`, b.tx.db.no, b.no, key).Scan(&value)
	if !errors.Is(err, pgx.ErrNoRows) {
		b.tx.must(err)
		value = notNil(value)
	}
	b.remember(string(key), value)
	return value
}

// A bucket of which many keys are asked for one at a time is read at once, when it is small: most buckets of most tenants are.
const (
	manyAsked = 32
	small     = 4096 // rows
)

// readWhole reads all rows, unless there are many.
func (b *bucket) readWhole() {
	type row struct{ key, value []byte }
	rows, _ := b.tx.tx.Query(b.tx.ctx, `SELECT key, value FROM kv WHERE tenant = $1 AND bucket = $2 ORDER BY key LIMIT $3`, b.tx.db.no, b.no, small+1)
	var found []row
	var key, value []byte
	_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		found = append(found, row{bytes.Clone(key), notNil(bytes.Clone(value))})
		return nil
	})
	b.tx.must(err)
	if len(found) > small {
		return
	}
	for _, r := range found {
		if _, known := b.rows[string(r.key)]; !known { // what was written here is newer
			b.rows[string(r.key)] = entry{value: r.value}
		}
	}
	b.whole = true
}

func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

// remember keeps what was read.
func (b *bucket) remember(key string, value []byte) {
	if len(b.rows)-b.dirty >= remembered {
		b.whole = false
		maps.DeleteFunc(b.rows, func(_ string, e entry) bool { return !e.dirty })
	}
	b.rows[key] = entry{value: value}
}

// Warm reads rows that are needed next, in one statement.
func (b *bucket) Warm(keys iter.Seq[[]byte]) {
	if b.whole {
		return
	}
	var unknown [][]byte
	for key := range keys {
		if _, known := b.rows[string(key)]; !known {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) < 2 {
		return
	}
	for chunk := range slices.Chunk(unknown, remembered/2) {
		for _, key := range chunk {
			b.remember(string(key), nil)
		}
		rows, _ := b.tx.tx.Query(b.tx.ctx, `SELECT key, value FROM kv WHERE tenant = $1 AND bucket = $2 AND key = ANY($3)`, b.tx.db.no, b.no, chunk)
		var key, value []byte
		_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error {
			b.rows[string(key)] = entry{value: notNil(bytes.Clone(value))}
			return nil
		})
		b.tx.must(err)
	}
}

// Put stores a value.
func (b *bucket) Put(key, value []byte) error {
	if len(key) == 0 || len(key) > 32<<10 {
		return errors.New("a key has 1 to 32,768 bytes")
	}
	return b.set(key, notNil(value))
}

// Append is Put: rows have no order of their own.
func (b *bucket) Append(key, value []byte) error { return b.Put(key, value) }

// Delete removes a key; none is fine.
func (b *bucket) Delete(key []byte) error {
	if e, known := b.rows[string(key)]; known && e.value == nil {
		return nil
	}
	return b.set(key, nil)
}

func (b *bucket) set(key, value []byte) error {
	if !b.rows[string(key)].dirty {
		b.dirty++
	}
	b.rows[string(key)] = entry{value, true}
	return b.tx.wrote(b, len(key)+len(value))
}

// queue adds the statements that write what waits, by rising key.
func (b *bucket) queue(batch *pgx.Batch) {
	if b.counted {
		batch.Queue(`UPDATE bucket SET seq = $2 WHERE no = $1`, b.no, b.Sequence())
		b.counted = false
	}
	if b.dirty == 0 {
		return
	}
	var keys, values, gone [][]byte
	for _, key := range slices.Sorted(maps.Keys(b.rows)) {
		switch e := b.rows[key]; {
		case !e.dirty:
			continue
		case e.value == nil:
			gone = append(gone, []byte(key))
		default:
			keys, values = append(keys, []byte(key)), append(values, e.value)
		}
	}
	if len(gone) > 0 {
		batch.Queue(`DELETE FROM kv WHERE tenant = $1 AND bucket = $2 AND key = ANY($3)`, b.tx.db.no, b.no, gone)
	}
	if len(keys) > 0 {
		batch.Queue(`INSERT INTO kv (tenant, bucket, key, value) SELECT $1, $2, k, v FROM unnest($3::bytea[], $4::bytea[]) AS fresh(k, v)
			ON CONFLICT (tenant, bucket, key) DO UPDATE SET value = excluded.value`, b.tx.db.no, b.no, keys, values)
	}
	for key, e := range b.rows {
		if e.dirty {
			b.rows[key] = entry{value: e.value}
		}
	}
	b.tx.waiting -= b.waiting
	b.dirty, b.waiting = 0, 0
	if len(b.rows) > remembered {
		clear(b.rows)
		b.whole = false
	}
}

// send sends what waits of this bucket, so that the database can be asked.
func (b *bucket) send() {
	if b.dirty == 0 {
		return
	}
	batch := &pgx.Batch{}
	b.queue(batch)
	b.tx.must(b.tx.tx.SendBatch(b.tx.ctx, batch).Close())
}

// A page of a scan begins small: most scans end after the first rows.
const (
	firstPage = 32
	lastPage  = 2000
)

// Scan yields the entries whose key begins with prefix and is greater than after, by rising key.
func (b *bucket) Scan(prefix, after []byte) iter.Seq2[[]byte, []byte] {
	from := prefix
	if bytes.Compare(after, prefix) >= 0 && after != nil {
		from = next(after)
	}
	return b.pages(from, beyond(prefix), `key >= $3 AND ($4::bytea IS NULL OR key < $4) ORDER BY key`, func(last []byte) (from, to []byte) { return next(last), beyond(prefix) })
}

// Backward yields all entries, the greatest key first.
func (b *bucket) Backward() iter.Seq2[[]byte, []byte] {
	return b.pages(nil, nil, `key >= $3 AND ($4::bytea IS NULL OR key < $4) ORDER BY key DESC`, func(last []byte) (from, to []byte) { return nil, last })
}

// pages yields the rows between from and to, a page of them at a time; following returns where the page behind a key
// begins and ends.
func (b *bucket) pages(from, to []byte, where string, following func(last []byte) (from, to []byte)) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		from, to := notNil(from), to
		for limit := firstPage; ; limit = min(limit*8, lastPage) {
			keys, values := b.page(where, from, to, limit)
			for i, key := range keys {
				if !yield(key, values[i]) {
					return
				}
			}
			if len(keys) < limit {
				return
			}
			from, to = following(keys[len(keys)-1])
			from = notNil(from)
		}
	}
}

func (b *bucket) page(where string, from, to []byte, limit int) (keys, values [][]byte) {
	b.send()
	rows, _ := b.tx.tx.Query(b.tx.ctx, `SELECT key, value FROM kv WHERE tenant = $1 AND bucket = $2 AND `+where+` LIMIT $5`, b.tx.db.no, b.no, from, to, limit)
	var key, value []byte
	_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		keys, values = append(keys, bytes.Clone(key)), append(values, notNil(bytes.Clone(value)))
		return nil
	})
	b.tx.must(err)
	return keys, values
}

// next is the key that follows another immediately.
func next(key []byte) []byte { return append(bytes.Clone(key), 0) }

// beyond is the first key behind those that begin with a prefix, nil when there is none.
func beyond(prefix []byte) []byte {
	end := bytes.TrimRight(prefix, "\xff")
	if len(end) == 0 {
		return nil
	}
	end = bytes.Clone(end)
	end[len(end)-1]++
	return end
}

// Floor returns what to scan after to begin with the greatest key that is not greater than key.
func (b *bucket) Floor(key []byte) []byte {
	keys, _ := b.page(`key >= $3 AND key < $4 ORDER BY key DESC`, []byte{}, next(key), 2)
	if len(keys) < 2 {
		return nil
	}
	return keys[1]
}

// Sequence is the bucket's own counter.
func (b *bucket) Sequence() uint64 { return b.tx.list()[b.path].seq }

// SetSequence sets the counter.
func (b *bucket) SetSequence(n uint64) error {
	b.counted = true
	b.tx.changing()[b.path] = bucketRow{b.no, n}
	return nil
}

// Pack does nothing: the fill factor is the table's.
func (b *bucket) Pack(float64) {}
