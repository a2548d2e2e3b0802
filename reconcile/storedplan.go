package reconcile

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"

	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Plan is the plan a cycle stored. It is read from the state as it is used: a million actions
// are never in memory together. It is valid until the sync's next run.
type Plan struct {
	sync   *Sync
	tenant *state.Tenant
	head   planHead
	held   string            // space of the held actions
	no     string            // space of the rejected ones
	holds  map[string]string // their holds' ids, by holdKey
}

func planOf(sync *Sync, tenant *state.Tenant, r *Report) *Plan {
	return &Plan{sync: sync, tenant: tenant, held: r.held, no: r.rejected, holds: r.holds, head: planHead{
		Format: planFormat, Sync: sync.Name, Tenant: sync.Tenant, Cycle: r.Cycle, Complete: true, Summary: r.Summary, Upcoming: r.Upcoming, Undo: r.Undo,
	}}
}

// Held yields what waits for an approval.
func (p *Plan) Held() iter.Seq2[plan.Held, error] {
	return func(yield func(plan.Held, error) bool) {
		p.stored(p.held, func(tx *state.Tx, raw []byte) error {
			a, err := plan.DecodeAction(raw)
			if err != nil {
				return stopUnless(yield(plan.Held{}, err))
			}
			p.setName(tx, &a.Action)
			return stopUnless(yield(plan.Held{Hold: p.holds[guard.HoldKey(a.Held.Guard, a.Held.Cause)], Guard: a.Held.Guard, Cause: a.Held.Cause, Action: a.Action, Members: guard.SomeMembers(tx, p.sync.Name, &a.Action)}, nil))
		}, func(err error) { yield(plan.Held{}, err) })
	}
}

// Rejected yields what is due but was rejected.
func (p *Plan) Rejected() iter.Seq2[plan.Rejected, error] {
	return func(yield func(plan.Rejected, error) bool) {
		p.stored(p.no, func(tx *state.Tx, raw []byte) error {
			a, err := plan.DecodeAction(raw)
			if err == nil && (a.Held == nil || a.Rejected == nil) {
				err = fmt.Errorf("read stored plan: a rejected action without its decision")
			}
			if err != nil {
				return stopUnless(yield(plan.Rejected{}, err))
			}
			p.setName(tx, &a.Action)
			return stopUnless(yield(plan.Rejected{Hold: a.Rejected.Hold, Guard: a.Held.Guard, Cause: a.Held.Cause, Action: a.Action, Members: guard.SomeMembers(tx, p.sync.Name, &a.Action), Decision: a.Rejected.Decision}, nil))
		}, func(err error) { yield(plan.Rejected{}, err) })
	}
}

// Skipped yields the records nothing is done for.
func (p *Plan) Skipped() iter.Seq2[plan.Skipped, error] {
	return func(yield func(plan.Skipped, error) bool) {
		p.stored(plan.SkippedSpace, func(_ *state.Tx, raw []byte) error {
			var s plan.Skipped
			err := plan.Decode(raw, &s)
			return stopUnless(yield(s, err))
		}, func(err error) { yield(plan.Skipped{}, err) })
	}
}

func (p *Plan) stored(space string, visit func(tx *state.Tx, raw []byte) error, failed func(error)) {
	err := p.tenant.View(func(tx *state.Tx) error {
		for _, raw := range tx.Space(p.sync.Name, space).All(nil) {
			if err := visit(tx, raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && err != errStop {
		failed(err)
	}
}

// binding identifies the plan: the same actions under the same configuration give the same
// text. Values that are made on creation are bound by their place only.
func (p *Plan) binding() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", p.sync.Name, p.sync.Tenant, p.sync.Hash())
	if p.head.Undo != nil {
		h.Write(plan.Encode(p.head.Undo))
	}
	for action, err := range p.Actions() {
		if err != nil {
			return "", err
		}
		action.Name = "" // of no consequence for what is done
		h.Write(plan.Encode(&action))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// WriteJSON writes the plan as one line of JSON: the contract's plan document.
func (p *Plan) WriteJSON(w io.Writer) error {
	head := p.head
	var err error
	if head.Binding, err = p.binding(); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	text := plan.Encode(&head)
	out.Write(text[:len(text)-1])
	if err := writeList(out, "actions", p.Actions()); err != nil {
		return err
	}
	if err := writeList(out, "held", p.Held()); err != nil {
		return err
	}
	if err := writeList(out, "rejected", p.Rejected()); err != nil {
		return err
	}
	if err := writeList(out, "skipped", p.Skipped()); err != nil {
		return err
	}
	out.WriteString("}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func writeList[T any](out *bufio.Writer, name string, items iter.Seq2[T, error]) error {
	fmt.Fprintf(out, ",%q:[", name)
	first := true
	for item, err := range items {
		if err != nil {
			return err
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.Write(plan.Encode(&item))
	}
	return out.WriteByte(']')
}
