package snapshot

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"entrasync/graphsync"
	"entrasync/state"
)

// miscountedCycles is in how many cycles in a row Graph's count of the app role assignments may differ
// from the rows before the count is set aside. Assignments that are made while the list is read
// are a reason for one such cycle.
const miscountedCycles = 3

// miscountSpace holds, by application, in how many cycles in a row the count differed; kept over cycles.
const miscountSpace = "miscounted"

// A miscount is how often in a row the count of an application's assignments differed.
type miscount struct {
	tenant *state.Tenant
	sync   string
	appID  string
}

func (m *miscount) cycles() (n int, err error) {
	err = m.tenant.View(func(tx *state.Tx) error {
		if raw := tx.Space(m.sync, miscountSpace).Get([]byte(m.appID)); raw != nil {
			n, err = strconv.Atoi(string(raw))
		}
		return err
	})
	return n, err
}

func (m *miscount) set(n int) error {
	return m.tenant.Update(func(tx *state.Tx) error {
		space := tx.Space(m.sync, miscountSpace)
		if n == 0 {
			return space.Delete([]byte(m.appID))
		}
		return space.Put([]byte(m.appID), []byte(strconv.Itoa(n)))
	})
}

// readMiscounted reads assignments with read, which is told whether to set the count aside. When the
// count differs, read is called again at once. From the cycle on in which it differs for the
// miscountedCycles-th time, the rows are taken as they are: additions count, and each row that is missing is
// asked for by its own id, as where Graph gives no count. keep stores how often it differed.
func readMiscounted(ctx context.Context, m *miscount, keep bool, read func(context.Context, bool) error) error {
	before, err := m.cycles()
	if err != nil {
		return err
	}
	err = repeated(func() error { return read(ctx, false) })
	now := 0
	if errors.Is(err, graphsync.ErrIncomplete) {
		if now = min(before+1, miscountedCycles); now == miscountedCycles {
			err = read(ctx, true)
		}
	} else if err != nil {
		return err
	}
	if keep && now != before {
		if serr := m.set(now); serr != nil {
			return errors.Join(err, fmt.Errorf("remember that the assignments were miscounted: %w", serr))
		}
	}
	return err
}
