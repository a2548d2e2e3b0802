// Package wire provisions applications by a protocol of ten messages that a program in any language can answer: one
// that entrasync starts (type exec), or a receiver of webhooks (type webhook).
//
// Messages are those of JSON-RPC 2.0. To a program they go one a line over its standard input and output; a receiver
// gets each as the body of a POST that is signed as Standard Webhooks has it. messages.go holds their shapes, from
// which configs/target-messages.schema.json is generated; configs/docs/writing-a-target.md explains them to authors.
//
// An answer is believed no further than it proves itself: one about another account than was asked is refused, a
// look-up's results must have the value, and a write whose answer makes no sense is one that may have happened.
package wire

import (
	"context"

	"entrasync/target"
)

// Protocol is the version of the messages.
const Protocol = 1

// A channel carries messages to one application.
type channel interface {
	// hello returns how the application introduced itself.
	hello(ctx context.Context) (*HelloResult, error)

	// call sends a message and fills result from the answer. Errors are *[target.Error].
	call(ctx context.Context, c *call) error

	// end finishes a cycle.
	end(ctx context.Context) error

	concurrency() int
	traffic() target.Traffic
}

// A call is one message and where its result goes.
type call struct {
	op     string // for errors
	method string
	params any
	result any
	writes bool
	key    string // of a write: equal at every repetition, see key
}

// An Adapter provisions one application over a channel. Its methods may be called concurrently.
type Adapter struct {
	channel channel
}

var (
	_ target.Adapter         = (*Adapter)(nil)
	_ target.Lister          = (*Adapter)(nil)
	_ target.Getter          = (*Adapter)(nil)
	_ target.MemberWriter    = (*Adapter)(nil)
	_ target.MemberReader    = (*Adapter)(nil)
	_ target.Closer          = (*Adapter)(nil)
	_ target.TrafficReporter = (*Adapter)(nil)
	_ target.Limited         = (*Adapter)(nil)
)

// Concurrency implements [target.Limited].
func (a *Adapter) Concurrency() int { return a.channel.concurrency() }

// Traffic implements [target.TrafficReporter]: messages that were sent.
func (a *Adapter) Traffic() target.Traffic { return a.channel.traffic() }

// Close implements [target.Closer].
func (a *Adapter) Close(ctx context.Context) error { return a.channel.end(ctx) }

// Events provisions an application that receives changes and cannot be asked: what is linked is the only record of
// its accounts.
type Events struct{ told *Adapter }

var (
	_ target.Adapter         = (*Events)(nil)
	_ target.MemberWriter    = (*Events)(nil)
	_ target.Closer          = (*Events)(nil)
	_ target.TrafficReporter = (*Events)(nil)
	_ target.Limited         = (*Events)(nil)
)

// Probe implements [target.Adapter].
func (e *Events) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	c := call{op: "probe", method: "probe", params: probeParams(paths)}
	if err := e.told.channel.call(ctx, &c); err != nil {
		return nil, err
	}
	return &target.Profile{
		Name: "receives events", Patch: true, Kinds: map[target.Kind]bool{target.User: true, target.Group: true},
		Notes: []string{"events_only: existing accounts are not found or adopted, and a full cycle compares nothing; what entrasync has linked is the only record of the accounts"},
	}, nil
}

// Find implements [target.Adapter]. Nothing can be found.
func (e *Events) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	if err := ended(ctx, "find "+string(kind)); err != nil {
		return nil, err
	}
	return []target.Resource{}, nil
}

// Create implements [target.Adapter]. An account whose receiver names no id has that of its user in the directory.
func (e *Events) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	return e.told.create(ctx, kind, attributes, ownID(ctx, attributes))
}

// Update implements [target.Adapter].
func (e *Events) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	return e.told.Update(ctx, ref, attributes)
}

// Delete implements [target.Adapter].
func (e *Events) Delete(ctx context.Context, ref target.Ref) error { return e.told.Delete(ctx, ref) }

// ChangeMembers implements [target.MemberWriter].
func (e *Events) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) ([]target.MemberError, error) {
	return e.told.changeMembers(ctx, group, add, remove)
}

// Close implements [target.Closer]. A receiver of events hears of no cycle's end.
func (e *Events) Close(context.Context) error { return nil }

// Concurrency implements [target.Limited].
func (e *Events) Concurrency() int { return e.told.Concurrency() }

// Traffic implements [target.TrafficReporter].
func (e *Events) Traffic() target.Traffic { return e.told.Traffic() }

// ended returns the error of a call whose context has ended, nil while it has not.
func ended(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &target.Error{Code: target.Unavailable, Op: op, Message: "stopped before it was sent", Err: err}
	}
	return nil
}
