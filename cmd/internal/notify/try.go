package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// A Trial is how the test message to one channel ended.
type Trial struct {
	Channel string `json:"channel"`
	ID      string `json:"id"`
	OK      bool   `json:"ok"`
	Error   string `json:"error,omitempty"`
}

// Try sends a test message to the channels of a name, to all for "", past queue and routes.
func Try(ctx context.Context, channels []Channel, name, page string, now time.Time) ([]Trial, error) {
	chosen := slices.Clone(channels)
	if name != "" {
		chosen = slices.DeleteFunc(chosen, func(c Channel) bool { return c.Name != name })
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("notify.channels has no %q", name)
	}
	var trials []Trial
	for _, c := range chosen {
		m := &Message{Format: messageFormat, ID: "msg_" + rand.Text(), At: now.UTC(), Events: []Event{{
			Type: Test, Severity: Info, At: now.UTC(), Summary: "This is a test of the channel " + c.Name, Answer: "nothing is to be done", Link: page,
		}}}
		trial := Trial{Channel: c.Name, ID: m.ID, OK: true}
		if err := c.Sender.Send(ctx, m); err != nil {
			trial.OK, trial.Error = false, err.Error()
		}
		trials = append(trials, trial)
	}
	return trials, nil
}
