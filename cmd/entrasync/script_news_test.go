package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/target/wire"
)

// The news command is a receiver of what the service reports, over TLS, with signatures.
//
//	news start                    begin; its address, certificate and secret are in the files news-url, news-ca.pem and news-secret
//	news answer STATUS            what it answers from now on
//	news await TYPE               wait until an event of the type arrives that was not awaited yet, and print it
//	news count TYPE               print how many events of the type have arrived in all
//	news ids                      print the ids of all requests, in order
type newsReceiver struct {
	mu     sync.Mutex // guards the rest
	more   *sync.Cond
	status int
	ids    []string
	events []newsEvent
	bad    string
}

type newsEvent struct {
	Type    string `json:"type"`
	text    string
	awaited bool
}

const newsSecret = "whsec_bmV3cy1uZXdzLW5ld3MtbmV3cy1uZXdzLW5ld3M="

func (n *newsReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	n.mu.Lock()
	defer n.mu.Unlock()
	defer n.more.Broadcast()
	id := r.Header.Get("Webhook-Id")
	at, err := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
	want, serr := wire.Sign(func() (string, error) { return newsSecret, nil }, id, at, body)
	if err != nil || serr != nil || want != r.Header.Get("Webhook-Signature") {
		n.bad = "a message is not signed"
	}
	n.ids = append(n.ids, id)
	if w.WriteHeader(n.status); n.status/100 != 2 {
		return
	}
	var message struct {
		ID     string            `json:"id"`
		Events []json.RawMessage `json:"events"`
	}
	if json.Unmarshal(body, &message) != nil || message.ID != id {
		n.bad = "a message has another id than its header"
	}
	for _, raw := range message.Events {
		e := newsEvent{text: string(raw)}
		_ = json.Unmarshal(raw, &e)
		n.events = append(n.events, e)
	}
}

func (w *world) newsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: news VERB")
	}
	if args[0] == "start" {
		w.news = &newsReceiver{status: http.StatusOK}
		w.news.more = sync.NewCond(&w.news.mu)
		server := httptest.NewTLSServer(w.news)
		w.tb.Cleanup(server.Close)
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		for name, text := range map[string]string{"news-ca.pem": string(certificate), "news-url": server.URL + "/news", "news-secret": newsSecret} {
			ts.Check(os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
		}
		return
	}
	n := w.news
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bad != "" {
		ts.Fatalf("news: %s", n.bad)
	}
	switch args[0] {
	case "answer":
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		n.status = status
	case "ids":
		for _, id := range n.ids {
			fmt.Fprintln(ts.Stdout(), id)
		}
	case "count":
		count := 0
		for _, e := range n.events {
			if e.Type == args[1] {
				count++
			}
		}
		fmt.Fprintln(ts.Stdout(), count)
	case "await":
		late := false
		timer := time.AfterFunc(time.Minute, func() { n.mu.Lock(); late = true; n.mu.Unlock(); n.more.Broadcast() })
		defer timer.Stop()
		for !late {
			for i := range n.events {
				if e := &n.events[i]; e.Type == args[1] && !e.awaited {
					e.awaited = true
					fmt.Fprintln(ts.Stdout(), e.text)
					return
				}
			}
			n.more.Wait()
		}
		ts.Fatalf("news: no event %s came", args[1])
	default:
		ts.Fatalf("news: there is no %s", args[0])
	}
}
