package notify

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"entrasync/state"
)

// The prefixes of records in the queue.
const (
	eventPrefix   = "event/"   // channel, number → Event that is not in a message yet
	messagePrefix = "message/" // channel, id → queued: a message that is not delivered yet
)

// A queued is a message with how its delivery stands.
type queued struct {
	Message
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`
	Since    time.Time `json:"since"`
	Error    string    `json:"error,omitempty"`
}

// A Queue keeps what is to be delivered in the state.
type Queue struct {
	News   state.News
	Routes []Route
	Shared bool // with other workers, each of which delivers
}

// Observe queues what a scope has to report: conditions that were not reported as they are, conditions that are over,
// and what happened. The keys of all conditions of a scope are the scope, or begin with it and a slash. Noting and queueing are one transaction: an
// event is neither lost nor queued twice.
func (q *Queue) Observe(scope string, now time.Time, conditions []Condition, happened ...Event) error {
	if !q.changes(scope, conditions, happened) {
		return nil
	}
	return q.News.Update(func(tx state.NewsTx) error {
		events, present := happened, map[string]bool{}
		for _, c := range conditions {
			present[c.Key] = true
			if known := decode[Condition](tx.Mark(c.Key)); known != nil && known.Mark == c.Mark {
				continue
			}
			if err := tx.PutMark(c.Key, encode(c)); err != nil {
				return err
			}
			events = append(events, c.Event)
		}
		var over []string
		for key, raw := range tx.Marks(scope) {
			if present[key] || !within(key, scope) {
				continue
			}
			over = append(over, key)
			if known := decode[Condition](raw); known != nil {
				if e, is := recovered(*known, now); is {
					events = append(events, e)
				}
			}
		}
		for _, key := range over {
			if err := tx.DeleteMark(key); err != nil {
				return err
			}
		}
		return q.put(tx, events)
	})
}

// within reports whether a condition belongs to a scope: tenant con is not tenant contoso.
func within(key, scope string) bool {
	rest, is := strings.CutPrefix(key, scope)
	return is && (rest == "" || strings.HasPrefix(rest, "/"))
}

// changes reports whether a scope has anything to report, without a write.
func (q *Queue) changes(scope string, conditions []Condition, happened []Event) (changes bool) {
	if len(happened) > 0 {
		return true
	}
	known := map[string]string{}
	_ = q.News.View(func(tx state.NewsTx) error {
		for key, raw := range tx.Marks(scope) {
			if !within(key, scope) {
				continue
			}
			if c := decode[Condition](raw); c != nil {
				known[key] = c.Mark
			} else {
				known[key] = ""
			}
		}
		return nil
	})
	for _, c := range conditions {
		mark, is := known[c.Key]
		if !is || mark != c.Mark {
			return true
		}
		delete(known, c.Key)
	}
	return len(known) > 0
}

func (q *Queue) put(tx state.NewsTx, events []Event) error {
	for i := range events {
		for _, route := range q.Routes {
			if !route.Takes(&events[i]) {
				continue
			}
			key := fmt.Sprintf("%s%s/%020d-%s", eventPrefix, route.Name, events[i].At.UnixNano(), rand.Text())
			if err := tx.Put(key, encode(events[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pack puts the events that wait for a channel into messages. From then on they are delivered under the ids of these.
func (q *Queue) Pack(channel string, now time.Time) error {
	return q.News.Update(func(tx state.NewsTx) error {
		var keys []string
		var events []Event
		for key, raw := range tx.Records(eventPrefix + channel + "/") {
			keys = append(keys, key)
			if e := decode[Event](raw); e != nil {
				events = append(events, *e)
			}
		}
		for _, group := range Group(events) {
			id := "msg_" + rand.Text()
			m := queued{Message: Message{Format: messageFormat, ID: id, At: now.UTC(), Events: group}, Next: now, Since: now}
			if err := tx.Put(messagePrefix+channel+"/"+id, encode(m)); err != nil {
				return err
			}
		}
		for _, key := range keys {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// oldest returns when the first event came that waits for a channel; zero for none.
func (q *Queue) oldest(channel string) (at time.Time) {
	_ = q.News.View(func(tx state.NewsTx) error {
		for _, raw := range tx.Records(eventPrefix + channel + "/") {
			if e := decode[Event](raw); e != nil {
				at = e.At
			}
			break
		}
		return nil
	})
	return at
}

// messages returns what is to be delivered to a channel.
func (q *Queue) messages(channel string) (all []queued) {
	_ = q.News.View(func(tx state.NewsTx) error {
		for _, raw := range tx.Records(messagePrefix + channel + "/") {
			if m := decode[queued](raw); m != nil {
				all = append(all, *m)
			}
		}
		return nil
	})
	return all
}

// claim keeps other workers from sending a message meanwhile, and reports whether this one may send it. A worker that dies
// while it sends is followed by another one after the claim.
func (q *Queue) claim(channel, id string, now time.Time) (mine bool, err error) {
	if !q.Shared {
		return true, nil
	}
	err = q.News.Update(func(tx state.NewsTx) error {
		key := messagePrefix + channel + "/" + id
		m := decode[queued](tx.Record(key))
		if mine = m != nil && !m.Next.After(now); !mine {
			return nil
		}
		m.Next = now.Add(2 * sendTime)
		return tx.Put(key, encode(m))
	})
	return mine, err
}

// done drops a message that was delivered.
func (q *Queue) done(channel, id string) error {
	return q.News.Update(func(tx state.NewsTx) error { return tx.Delete(messagePrefix + channel + "/" + id) })
}

// failed notes when a message is tried again.
func (q *Queue) failed(channel string, m queued) error {
	return q.News.Update(func(tx state.NewsTx) error { return tx.Put(messagePrefix+channel+"/"+m.ID, encode(m)) })
}

// Waiting returns how many events and messages wait.
func (q *Queue) Waiting() (n int) {
	_ = q.News.View(func(tx state.NewsTx) error {
		for key := range tx.Records("") {
			if strings.HasPrefix(key, eventPrefix) || strings.HasPrefix(key, messagePrefix) {
				n++
			}
		}
		return nil
	})
	return n
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types: cannot fail
	}
	return text
}

func decode[T any](raw []byte) *T {
	var v T
	if raw == nil || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return &v
}
