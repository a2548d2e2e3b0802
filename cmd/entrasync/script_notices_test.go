package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/graphsync/graphtest"
)

// The notices command has Graph notify of changes.
//
//	notices open             put a proxy before the consent pages of the service and its address into $NOTICES
//	notices arrive HOW…      from now on: prompt, late=TIME, twice, lost, reversed
//	notices forge N          post N times each kind of request that Graph did not send; none may be answered late
//	notices life EVENT       post a notification of the subscription's life
//	notices expire           end the subscriptions without a word
//	notices subscribed       print the streams that are subscribed to, and for how many days
//	notices sent             print the answers to what was posted, each with how often

// open starts a proxy before the consent pages: their address is known when the service runs, and that of the proxy before.
func (n notices) open() {
	w := n.w
	proxy := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		at := w.consentAt.Load()
		if at == nil {
			http.Error(out, "no service", http.StatusBadGateway)
			return
		}
		httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: *at}).ServeHTTP(out, r)
	}))
	w.tb.Cleanup(proxy.Close)
	w.setenv("NOTICES", proxy.URL)
}

// notices are the change notifications of a script's directory.
type notices struct{ w *world }

func (n notices) command(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: notices VERB ...")
	}
	d := n.w.graph
	notifications := d.tenant.Notifications()
	switch args[0] {
	case "open":
		n.open()
	case "arrive":
		delivery, err := deliveryOf(args[1:])
		ts.Check(err)
		d.server.Deliver(delivery)
	case "forge":
		before := len(d.server.Sent())
		posted := notifications.Forge(number(args[1], 1))
		if posted == 0 {
			ts.Fatalf("nothing is subscribed to")
		}
		for _, sent := range d.server.Sent()[before:] {
			if sent.Err != nil || sent.Took > 3*time.Second {
				ts.Fatalf("a forged notification was answered with %d after %s: %v", sent.Status, sent.Took, sent.Err)
			}
		}
	case "life":
		notifications.Lifecycle(args[1])
	case "expire":
		notifications.Remove()
	case "subscribed":
		all := notifications.Subscriptions()
		if len(all) == 0 {
			fmt.Fprintln(ts.Stdout(), "none")
		}
		for _, s := range all {
			fmt.Fprintf(ts.Stdout(), "%s %d\n", s.Stream, int(time.Until(s.Expires).Hours()/24))
		}
	case "sent":
		counts := map[int]int{}
		for _, sent := range d.server.Sent() {
			counts[sent.Status]++
		}
		for _, status := range []int{0, 202, 400, 404, 413, 502} {
			if n := counts[status]; n > 0 {
				fmt.Fprintf(ts.Stdout(), "%d: %d\n", status, n)
			}
		}
	default:
		ts.Fatalf("notices %s: no such verb", args[0])
	}
}

func deliveryOf(words []string) (d graphtest.Delivery, err error) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "prompt":
		case "late":
			d.Delay, err = time.ParseDuration(value)
		case "twice":
			d.Copies = 2
		case "lost":
			d.Lost = true
		case "reversed":
			d.Reverse = true
		default:
			err = fmt.Errorf("notices arrive %s: no such way", word)
		}
	}
	return d, err
}
