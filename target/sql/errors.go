package sql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"entrasync/target"
)

// A problem is what a database complains of.
type problem struct {
	is      complaint
	column  string // that it blames, "" when it does not say
	notSent bool   // certainly nothing was done: the statement did not leave
}

type complaint int

const (
	refused      complaint = iota // for another reason; its own words say which
	taken                         // a value that has to be unique is
	dangling                      // a foreign key points nowhere, or at what would go
	malformed                     // the text has not the form of the column's type
	deadlock                      // another transaction was in the way: try again
	busy                          // overloaded, locked or too slow
	forbidden                     // the privilege is missing
	readOnly                      // a replica, or a file that cannot be written
	unauthorized                  // the login is refused
	misfit                        // a table, column or function is not there
	absent                        // the file is not there
)

// failed says what happened to an operation. unsure is set where it may have been carried out although no answer came.
func (a *Adapter) failed(op string, err error, unsure bool) error {
	if err == nil {
		return nil
	}
	var already *target.Error
	if errors.As(err, &already) {
		if already.Op == "" {
			named := *already
			named.Op = op
			return &named
		}
		return err
	}
	p, server := a.engine.classify(err)
	e := &target.Error{Op: op, Code: target.Rejected, Err: err, Attribute: attributeOf(a, op, p.column)}
	if !server {
		return unanswered(a, e, err, unsure && !p.notSent)
	}
	e.Detail = target.Clean(err.Error())
	database := a.engine.dialect().name
	switch p.is {
	case taken:
		e.Code, e.Message = target.Conflict, "a value that has to be unique is taken"
		e.Hint = "look for the row that has it: it may be outside of the target's fixed columns, or marked as deleted"
	case dangling:
		e.Message, e.Hint = "a foreign key does not allow it", "see which table refers to the row; delete: {column: deleted_at} keeps rows"
	case deadlock, busy:
		e.Code, e.Message, e.Hint = target.Unavailable, "the database was busy with another transaction", "it is tried again; look for long transactions and locks where it happens often"
	case forbidden:
		e.Code, e.Message, e.Hint = target.Forbidden, "the database user may not do this", "grant it SELECT, INSERT, UPDATE and DELETE on the tables of the target"
	case readOnly:
		e.Code, e.Message, e.Hint = target.Forbidden, "the database can only be read", "name the primary server in the connection string, or give the user and file the right to write"
	case unauthorized:
		e.Code, e.Message, e.Hint = target.Unauthorized, database+" refuses the login", "check user, password and database in dsn_file"
	case misfit:
		e.Code, e.Message, e.Hint = target.NotSCIM, "the tables are not those of the target's configuration", "entrasync check names what is missing"
	case absent:
		e.Code, e.Message, e.Hint = target.Unavailable, "the database file cannot be opened", "check the path in dsn; entrasync makes no file, and its folder must be one that it may write to"
	default:
		e.Message = "the database refused it"
	}
	return e
}

// unanswered is the error of what the database did not answer.
func unanswered(a *Adapter, e *target.Error, err error, unsure bool) error {
	e.Code, e.Indeterminate = target.Unavailable, unsure
	var dial *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "stopped before it was answered"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message, e.Hint = fmt.Sprintf("the database did not answer within %v", a.cfg.Timeout), "look for locks and long transactions, or raise the target's timeout"
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Message, e.Hint, e.Indeterminate = "no connection: "+target.Clean(err.Error()), "check host and port in dsn_file, and the firewall", false
	default:
		e.Message = "the connection broke: " + target.Clean(err.Error())
	}
	return e
}

// attributeOf returns the path that a column holds, for the operation of a kind.
func attributeOf(a *Adapter, op, column string) string {
	t := a.users
	if strings.HasSuffix(op, string(target.Group)) && a.groups != nil {
		t = a.groups
	}
	for _, c := range t.columns {
		if column != "" && strings.EqualFold(c.name, column) {
			return c.path.String()
		}
	}
	return ""
}

func missing(op string, ref target.Ref) error {
	return &target.Error{Op: op, Code: target.NotFound, Message: fmt.Sprintf("no row with the id %.100q is one of this target's", target.Clean(ref.ID))}
}

// ended returns the error of a call whose context has ended, nil while it has not.
func ended(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &target.Error{Code: target.Unavailable, Op: op, Message: "stopped before it was sent", Err: err}
	}
	return nil
}

// is reports whether an error of the database is of a sort.
func (a *Adapter) is(err error, sorts ...complaint) bool {
	p, server := a.engine.classify(err)
	for _, sort := range sorts {
		if server && p.is == sort {
			return true
		}
	}
	return false
}
