package postgres

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"entrasync/state/kv"
)

// A tx is a transaction. What it writes is kept until it is scanned, until there is much of it, or until the commit:
// so that many rows share a statement.
type tx struct {
	db      *DB
	ctx     context.Context
	tx      session
	began   time.Time
	base    int64 // seq of the last commit that it sees
	seq     int64
	write   bool
	changed bool

	paths   map[string]bucketRow // nil: not read yet
	own     bool                 // paths is this transaction's, not shared
	open    map[int64]*bucket
	waiting int // bytes of rows that are not sent yet
	arena   kv.Arena
}

// A session is a connection in which a transaction was begun.
type session interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// enough is how many bytes of rows wait at most.
const enough = 8 << 20

// Number is that of the commit.
func (t *tx) Number() uint64 { return uint64(t.seq) }

// Arena is where values are built.
func (t *tx) Arena() *kv.Arena { return &t.arena }

// must raises an error of a read.
func (t *tx) must(err error) {
	if err != nil {
		panic(kv.Fault{Err: t.db.fail("read", err)})
	}
}

// list returns which buckets there are.
func (t *tx) list() map[string]bucketRow {
	if t.paths != nil {
		return t.paths
	}
	if known := t.db.buckets.Load(); known != nil && known.seq == t.base {
		t.paths = known.byPath
		return t.paths
	}
	rows, _ := t.tx.Query(t.ctx, `SELECT no, path, seq FROM bucket WHERE tenant = $1`, t.db.no)
	found := map[string]bucketRow{}
	var row bucketRow
	var path []byte
	_, err := pgx.ForEachRow(rows, []any{&row.no, &path, &row.seq}, func() error { found[string(path)] = row; return nil })
	t.must(err)
	t.paths = found
	t.db.buckets.Store(&bucketList{t.base, found})
	return found
}

// changing returns the list to be changed.
func (t *tx) changing() map[string]bucketRow {
	if !t.own {
		t.paths, t.own = maps.Clone(t.list()), true
	}
	t.changed = true
	return t.paths
}

// publish shares the list of buckets as of the commit.
func (t *tx) publish() {
	if t.paths != nil {
		t.db.buckets.Store(&bucketList{t.seq, t.paths})
	}
}

// Bucket returns a bucket by its path, nil when there is none.
func (t *tx) Bucket(path string) kv.Bucket {
	row, ok := t.list()[path]
	if !ok {
		return nil
	}
	return t.bucket(path, row)
}

func (t *tx) bucket(path string, row bucketRow) *bucket {
	b := t.open[row.no]
	if b == nil {
		b = &bucket{tx: t, path: path, no: row.no, rows: map[string]entry{}}
		t.open[row.no] = b
	}
	return b
}

// CreateBucket returns a bucket by its path and creates it where there is none.
func (t *tx) CreateBucket(path string) (kv.Bucket, error) {
	if row, ok := t.list()[path]; ok {
		return t.bucket(path, row), nil
	}
	if last := strings.LastIndexByte(path, 0); last >= 0 {
		if _, err := t.CreateBucket(path[:last]); err != nil {
			return nil, err
		}
	}
	var row bucketRow
	err := t.tx.QueryRow(t.ctx, `INSERT INTO bucket (tenant, path) VALUES ($1, $2) RETURNING no`, t.db.no, []byte(path)).Scan(&row.no)
	if err != nil {
		return nil, t.db.fail("write", err)
	}
	t.changing()[path] = row
	return t.bucket(path, row), nil
}

// DeleteBucket deletes a bucket with all it holds.
func (t *tx) DeleteBucket(path string) error {
	if _, ok := t.list()[path]; !ok {
		return nil
	}
	var gone []int64
	for other, row := range t.changing() {
		if other != path && !kv.Within(other, path) {
			continue
		}
		gone = append(gone, row.no)
		if b := t.open[row.no]; b != nil {
			t.waiting -= b.waiting
			delete(t.open, row.no)
		}
		delete(t.paths, other)
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM kv WHERE tenant = $1 AND bucket = ANY($2)`, t.db.no, gone)
	batch.Queue(`DELETE FROM bucket WHERE no = ANY($1)`, gone)
	if err := t.tx.SendBatch(t.ctx, batch).Close(); err != nil {
		return t.db.fail("write", err)
	}
	return nil
}

// Buckets yields the names of the buckets inside one.
func (t *tx) Buckets(path string) iter.Seq[string] {
	prefix := ""
	if path != "" {
		prefix = path + "\x00"
	}
	var names []string
	for other := range t.list() {
		if name, inside := strings.CutPrefix(other, prefix); inside && !strings.Contains(name, "\x00") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Values(names)
}

// Paths yields the paths of all buckets.
func (t *tx) Paths() iter.Seq[string] { return slices.Values(slices.Sorted(maps.Keys(t.list()))) }

// flush sends what waits, of all buckets.
func (t *tx) flush() error {
	batch := &pgx.Batch{}
	for _, no := range slices.Sorted(maps.Keys(t.open)) {
		t.open[no].queue(batch)
	}
	if batch.Len() == 0 {
		return nil
	}
	return t.tx.SendBatch(t.ctx, batch).Close()
}

// wrote notes that bytes wait, and sends them when there are many.
func (t *tx) wrote(b *bucket, n int) error {
	t.changed = true
	b.waiting += n
	if t.waiting += n; t.waiting < enough {
		return nil
	}
	if err := t.flush(); err != nil {
		return t.db.fail("write", err)
	}
	return nil
}
