package web

import (
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

// visitors limits how often each may ask. Its zero value is usable.
type visitors struct {
	mu   sync.Mutex // protects rate
	rate map[netip.Prefix]*rate.Limiter
}

// visitorOf returns who asks. Behind a proxy that is whom the last one of the trusted names: what
// stands further left in X-Forwarded-For anybody could have written.
func visitorOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	from, _ := netip.ParseAddr(host) // none: not by the network
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

func (v *visitors) allow(from netip.Addr, now time.Time) bool {
	bits := 32
	if from.Is6() {
		bits = 56
	}
	network, err := from.Prefix(bits)
	if err != nil || !from.IsValid() {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rate == nil {
		v.rate = map[netip.Prefix]*rate.Limiter{}
	}
	limit := v.rate[network]
	if limit == nil {
		if len(v.rate) >= visitorsKept { // who has not asked for a while is as good as new
			maps.DeleteFunc(v.rate, func(_ netip.Prefix, l *rate.Limiter) bool { return l.TokensAt(now) >= visitsAtOnce })
		}
		if len(v.rate) >= visitorsKept {
			clear(v.rate)
		}
		limit = rate.NewLimiter(visitsPerSecond, visitsAtOnce)
		v.rate[network] = limit
	}
	return limit.AllowN(now, 1)
}
