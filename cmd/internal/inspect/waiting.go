package inspect

import (
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// WaitingRecords are the records of a sync that failed or were skipped, by cause.
type WaitingRecords struct {
	Failed, Skipped reconcile.Causes
	Next            map[string]time.Time // of failed records, by code: the first of their next attempts
}

// Add takes in a record.
func (r *WaitingRecords) Add(retry *state.Retry) {
	if retry.Skipped {
		r.Skipped.Add(retry.Key.Kind, "", retry.Code, retry.Message, retry.Name)
		return
	}
	r.Failed.Add(retry.Key.Kind, plan.Op(retry.Op), retry.Code, retry.Message, retry.Name)
	if r.Next == nil {
		r.Next = map[string]time.Time{}
	}
	if first, ok := r.Next[retry.Code]; !ok || retry.Next.Before(first) {
		r.Next[retry.Code] = retry.Next
	}
}
