package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// attention finds what keeps a cycle that ran from being a success. A cycle for one object says
// nothing about the others.
func (r *reporter) attention() (found []Attention, err error) {
	if r.opts.Subject != nil {
		return nil, nil
	}
	err = r.tenant.View(func(tx *state.Tx) error {
		skips, err := r.skips(tx)
		if err != nil {
			return err
		}
		if message := skips.message(r.sync.Guard.Skipped); message != "" {
			found = append(found, Attention{MostlySkipped, message})
		}
		if failed, _ := tx.Retries(r.sync.Name).Count(); r.opts.Apply && failed > r.ledger.failures {
			found = append(found, Attention{Retrying, counted(failed, "record failed and waits for a retry", "records failed and wait for a retry")})
		}
		return nil
	})
	if q := r.info.Quarantine; q != nil && r.opts.Apply {
		found = append(found, Attention{TargetQuarantine, fmt.Sprintf("target %s is paused since %s: %s", r.sync.TargetName, q.Since.Format(time.RFC3339), q.Message)})
	}
	return found, err
}

// A skipCount counts the people in scope for whom nothing is done, by the code of the reason.
type skipCount struct {
	scope  int // people in scope
	byCode map[string]int
	such   map[string]string // the first of each code: who, and why
}

// intendedSkips are the codes of skips that the configuration asks for, or that concern people who
// are not in scope.
var intendedSkips = []string{"ignored", "action_not_allowed", "protected", "clock_differs", "target_rejected"}

func (s *skipCount) add(tx *state.Tx, sync string, id graphsync.ID, code, name, why string) error {
	if slices.Contains(intendedSkips, code) {
		return nil
	}
	if s.byCode[code]++; s.byCode[code] == 1 {
		s.such[code] = name + ": " + why
	}
	link, linked, err := tx.Links(sync).Get(graphsync.User, id)
	if !linked || !link.Active {
		s.scope++
	}
	return err
}

// skips counts who is skipped after this cycle: of an applied one what it stored, of a plan what
// it found, and what an earlier cycle stored about people it did not look at.
func (r *reporter) skips(tx *state.Tx) (*skipCount, error) {
	s := &skipCount{byCode: map[string]int{}, such: map[string]string{}}
	_, s.scope = tx.Links(r.sync.Name).Count(graphsync.User)
	if _, stored := tx.Retries(r.sync.Name).Count(); stored == 0 && r.ledger.counts.Skipped == 0 {
		return s, nil
	}
	drafted := tx.Space(r.sync.Name, draftedSpace)
	for retry := range tx.Retries(r.sync.Name).All() {
		stale := !r.opts.Apply && (r.findings.all || drafted.Has(pendingBytes(retry.Key)))
		if !retry.Skipped || retry.Key.Kind != graphsync.User || stale {
			continue
		}
		if err := s.add(tx, r.sync.Name, retry.Key.ID, retry.Code, retry.Name, retry.Message); err != nil {
			return nil, err
		}
	}
	if r.opts.Apply {
		return s, nil
	}
	s.scope += r.ledger.counts.Create + r.ledger.counts.Adopt
	for _, raw := range tx.Space(r.sync.Name, plan.SkippedSpace).All(nil) {
		var skipped plan.Skipped
		if err := plan.Decode(raw, &skipped); err != nil {
			return nil, err
		}
		if skipped.Kind != graphsync.User {
			continue
		}
		if err := s.add(tx, r.sync.Name, skipped.SourceID, skipped.Code, skipped.Key, skipped.Why); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// message says that more of the scope is skipped than a share lets pass, "" when it is not.
func (s *skipCount) message(limit guard.Share) string {
	skipped := 0
	for _, n := range s.byCode {
		skipped += n
	}
	if limit.Percent == nil || s.scope < limit.OfAtLeast || float64(skipped)*100 <= *limit.Percent*float64(s.scope) {
		return ""
	}
	codes := slices.SortedFunc(maps.Keys(s.byCode), func(a, b string) int {
		return cmp.Or(s.byCode[b]-s.byCode[a], strings.Compare(a, b))
	})
	var reasons []string
	for _, code := range codes[:min(len(codes), 3)] {
		reasons = append(reasons, fmt.Sprintf("%d %s, such as %s", s.byCode[code], code, s.such[code]))
	}
	return fmt.Sprintf("%d of %d people in scope are skipped: %s", skipped, s.scope, strings.Join(reasons, "; "))
}
