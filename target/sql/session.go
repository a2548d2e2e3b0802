package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"entrasync/graphsync/redact"
	"entrasync/target"
)

const (
	tries       = 4                     // of an operation that a deadlock ended
	firstWait   = 20 * time.Millisecond // before it is tried again; doubled
	shortSecret = 4                     // bytes; a shorter password is part of many texts
)

// handle returns the connected database. The connection string is read for it.
func (a *Adapter) handle(op string) (*handle, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open != nil {
		return a.open, nil
	}
	dsn, err := a.cfg.DSN()
	if err != nil {
		return nil, &target.Error{Op: op, Code: target.Unauthorized, Message: "the connection string cannot be read", Hint: "check the target's dsn_file", Err: err}
	}
	db, secret, err := a.engine.connect(dsn, &a.cfg)
	if err != nil {
		err = target.Redacted(redact.New(shortSecret, secret), err)
		return nil, &target.Error{Op: op, Code: target.Unauthorized, Message: "the connection string cannot be used: " + target.Clean(err.Error()), Hint: "correct dsn or dsn_file of the target"}
	}
	most := a.cfg.Concurrency + 4 // lists may be read, and statements prepared, while operations have all others
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(5 * time.Minute)
	a.open = &handle{db: db, tables: map[string]*described{}, ready: map[string]*stdsql.Stmt{}}
	return a.open, nil
}

// Close implements [target.Closer]: the next cycle connects again, with the connection string as it is then.
func (a *Adapter) Close(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		return nil
	}
	err := a.open.db.Close()
	a.open = nil
	if err != nil {
		return &target.Error{Op: "close", Code: target.Unavailable, Message: "the connections to the database did not close", Err: err}
	}
	return nil
}

// described returns what the database says of a table. It is asked once in a cycle.
func (s *session) described(t *table) (*described, error) {
	a, h := s.a, s.h
	h.mu.Lock()
	known := h.tables[t.name]
	h.mu.Unlock()
	if known != nil {
		return known, nil
	}
	d, err := a.engine.describe(s.timeout, s.runner, t.name)
	if err != nil {
		return nil, err
	}
	a.sent.Add(1)
	h.mu.Lock()
	h.tables[t.name] = d
	h.mu.Unlock()
	return d, nil
}

// A session is one operation under way.
type session struct {
	a *Adapter
	h *handle
	runner
	timeout context.Context
}

// reading runs an operation that only asks.
func reading(ctx context.Context, a *Adapter, op string, do func(*session) error) error {
	return run(ctx, a, op, func(s *session) (bool, error) { return false, do(s) })
}

// changing runs an operation in a transaction, and again where a deadlock ended it. What was begun and not committed is
// undone by the database, whatever happens to the connection.
func changing(ctx context.Context, a *Adapter, op string, do func(*session) error) error {
	return run(ctx, a, op, func(s *session) (bool, error) {
		if s.dialect().oneWriter { // which waits its turn better here than at the file's lock
			s.h.writing.Lock()
			defer s.h.writing.Unlock()
		}
		tx, err := s.h.db.BeginTx(s.timeout, nil)
		if err != nil {
			return false, err
		}
		inside := *s
		inside.runner = tx
		if err := do(&inside); err != nil {
			_ = tx.Rollback() // also where the connection is gone: there is nothing to roll back then
			return false, err
		}
		return true, tx.Commit()
	})
}

// alone runs an operation that is one statement, which is a transaction of its own.
func alone(ctx context.Context, a *Adapter, op string, do func(*session) error) error {
	return run(ctx, a, op, func(s *session) (bool, error) { return true, do(s) })
}

// run runs an operation. do reports whether a change was under way, so that a lost answer leaves it unsure.
func run(ctx context.Context, a *Adapter, op string, do func(*session) (bool, error)) error {
	if err := ended(ctx, op); err != nil {
		return err
	}
	h, err := a.handle(op)
	if err != nil {
		return err
	}
	wait := firstWait
	for try := 1; ; try++ {
		timeout, cancel := within(ctx, a.cfg.Timeout)
		unsure, err := do(&session{a, h, h.db, timeout})
		cancel()
		if try == tries || !a.is(err, deadlock) {
			return a.failed(op, stopped(ctx, err), unsure)
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return a.failed(op, ctx.Err(), false)
		}
		wait *= 2
	}
}

// stopped returns an error that says so where the caller's context has ended: drivers put it in words of their own.
func stopped(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return errors.Join(ctx.Err(), err)
}

// rows sends a statement and reads its rows as texts.
func (s *session) rows(st statement) (all [][]stdsql.NullString, err error) {
	ready, err := s.prepare(st.text)
	if err != nil {
		return nil, err
	}
	var rows *stdsql.Rows
	if ready != nil {
		rows, err = ready.QueryContext(s.timeout, st.args...)
	} else {
		rows, err = s.QueryContext(s.timeout, st.text, st.args...)
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row := make([]stdsql.NullString, len(names))
		into := make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// exec sends a statement and returns how many rows it touched.
func (s *session) exec(st statement) (int64, error) {
	result, err := s.send(st)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// send sends a statement that is not read from.
func (s *session) send(st statement) (stdsql.Result, error) {
	ready, err := s.prepare(st.text)
	if err != nil {
		return nil, err
	}
	if ready != nil {
		return ready.ExecContext(s.timeout, st.args...)
	}
	return s.ExecContext(s.timeout, st.text, st.args...)
}

// mostReady bounds how many statements are kept: that of an update has a text for each set of columns.
const mostReady = 100

// prepare returns a statement that the database has read before, where its driver does not keep them; nil where it does,
// and outside of a transaction.
func (s *session) prepare(text string) (*stdsql.Stmt, error) {
	s.a.sent.Add(1)
	tx, inside := s.runner.(*stdsql.Tx)
	if !inside || s.dialect().keeps {
		return nil, nil
	}
	s.h.mu.Lock()
	known, full := s.h.ready[text], len(s.h.ready) >= mostReady
	s.h.mu.Unlock()
	if known == nil && full {
		return nil, nil
	}
	if known == nil {
		made, err := s.h.db.PrepareContext(s.timeout, text)
		if err != nil {
			return nil, err
		}
		s.h.mu.Lock()
		if known = s.h.ready[text]; known == nil {
			known = made
			s.h.ready[text] = made
		}
		s.h.mu.Unlock()
		if known != made {
			_ = made.Close() // another operation was first
		}
	}
	return tx.StmtContext(s.timeout, known), nil
}

func (s *session) dialect() *dialect { return s.a.engine.dialect() }

// each calls scanned for every row of a question about the database itself.
func each(ctx context.Context, db runner, question string, args []any, scanned func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, question, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scanned(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
