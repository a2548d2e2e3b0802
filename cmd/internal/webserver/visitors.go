package webserver

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Every visitor may ask so often. One network of IPv6, as a household or an office has it, counts
// as one.
const (
	visitsPerSecond = 5
	visitsAtOnce    = 60
	visitorsKept    = 10_000
)

// Visitors limits how often each network may ask. Its zero value is usable and has the limits of visits. Its methods
// may be called concurrently.
type Visitors struct {
	PerSecond rate.Limit // default 5
	AtOnce    int        // default 60

	mu   sync.Mutex // protects rate
	rate map[netip.Prefix]*rate.Limiter
}

// VisitorOf returns who asks. Behind a proxy that is whom the last one of the trusted names: what
// stands further left in X-Forwarded-For any client could have written.
func VisitorOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	from := addressOf(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if from = from.Unmap().WithZone(""); !from.IsLoopback() && !slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(from) }) {
			break
		}
		before, ok := hopOf(strings.TrimSpace(hop))
		if !ok {
			break
		}
		from = before
	}
	return from.Unmap().WithZone("")
}

// hopOf reads an entry of X-Forwarded-For, which some proxies write with a port.
func hopOf(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address, true
	}
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr(), true
	}
	return netip.Addr{}, false
}

// addressOf reads an address with or without a port; it is not valid where there is none, as on a
// connection that is not by the network.
func addressOf(text string) netip.Addr {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		host = text
	}
	address, _ := netip.ParseAddr(host)
	return address.Unmap().WithZone("")
}

// networkOf is what counts as one visitor.
func networkOf(from netip.Addr) netip.Prefix {
	bits := 32
	if from.Is6() {
		bits = 56
	}
	if from.IsLoopback() {
		bits = from.BitLen()
	}
	network, _ := from.Prefix(bits) // none: not by the network
	return network
}

// Allow counts a visit and reports whether it is within the limits.
func (v *Visitors) Allow(from netip.Addr, now time.Time) bool {
	return v.take(from, now, 1)
}

// Exhausted reports whether a visitor has used its limits up, counting nothing.
func (v *Visitors) Exhausted(from netip.Addr, now time.Time) bool {
	return !v.take(from, now, 0)
}

func (v *Visitors) take(from netip.Addr, now time.Time, visits int) bool {
	network := networkOf(from)
	if !network.IsValid() {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rate == nil {
		v.rate = map[netip.Prefix]*rate.Limiter{}
	}
	atOnce := cmp.Or(v.AtOnce, visitsAtOnce)
	limit := v.rate[network]
	if limit == nil {
		if visits == 0 {
			return true
		}
		if len(v.rate) >= visitorsKept { // who has not asked for a while is as good as new
			maps.DeleteFunc(v.rate, func(_ netip.Prefix, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(atOnce) })
		}
		if len(v.rate) >= visitorsKept {
			clear(v.rate)
		}
		limit = rate.NewLimiter(cmp.Or(v.PerSecond, visitsPerSecond), atOnce)
		v.rate[network] = limit
	}
	if visits == 0 {
		return limit.TokensAt(now) >= 1
	}
	return limit.AllowN(now, visits)
}
