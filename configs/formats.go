package configs

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const guidPattern = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

// cronPattern is what the schema can check of a schedule.
const cronPattern = `((CRON_)?TZ=\S+ +)?(@(every \S+|yearly|annually|monthly|weekly|daily|midnight|hourly)|\S+( +\S+){4})`

var guid = regexp.MustCompile(guidPattern)

// format returns the scalar in its format's own form: GUIDs in lower case, paths joined to the
// configuration's folder.
func (d *decoder) format(n *node, key, format string) (string, bool) {
	text := n.text
	switch format {
	case "logo":
		if text != "" && !isWebAddress(text) {
			return d.format(n, key, "path")
		}
		return d.format(n, key, "link")
	case "link":
		if why, hint := badLink(text); why != "" {
			d.fault(n, key, hint, "%s %s", key, why)
			return "", false
		}
	case "support":
		bad := badLink
		if scheme, _, _ := strings.Cut(text, ":"); strings.EqualFold(scheme, "mailto") {
			bad = badMailto
		}
		if why, _ := bad(text); why != "" {
			d.fault(n, key, "write it as https://host/path or mailto:support@example.com", "%s %s", key, why)
			return "", false
		}
	case "path":
		if isDatabase(text) {
			d.fault(n, key, "name a folder", "%s names a database, where a file or folder is wanted", key)
			return "", false
		}
		if !filepath.IsAbs(text) {
			text = filepath.Join(d.dir, text)
		}
	case "guid":
		if !guid.MatchString(text) {
			d.fault(n, key, "write it as in the portal, 11111111-2222-3333-4444-555555555555", "%s %s is not a GUID", key, quote(n.raw))
			return "", false
		}
		text = strings.ToLower(text)
	case "url", "https":
		if why, hint := badURL(text, format == "https"); why != "" {
			d.fault(n, key, hint, "%s %s", key, why)
			return "", false
		}
	case "listen":
		_, port, err := net.SplitHostPort(text)
		if p, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil && p == 0 {
			d.fault(n, key, "write it as 127.0.0.1:8417", "%s %s is not an address and port", key, quote(n.raw))
			return "", false
		}
	case "network":
		prefix, err := netip.ParsePrefix(text)
		if address, aerr := netip.ParseAddr(text); aerr == nil {
			prefix, err = netip.PrefixFrom(address.WithZone(""), address.BitLen()), nil
		}
		if err != nil {
			d.fault(n, key, "write it as 10.0.0.0/8 or 192.0.2.7", "%s %s is not an address or network", key, quote(n.raw))
			return "", false
		}
		if widest := widestNetwork(prefix.Addr()); prefix.Bits() < widest {
			d.fault(n, key, "name the proxies themselves, such as 10.0.0.0/8 or 192.0.2.7", "%s %s is so wide that any client could be in it and forge the address of a request", key, quote(n.raw))
			return "", false
		}
		text = prefix.Masked().String()
	case "date":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			d.fault(n, key, "write it as 2027-05-01", "%s %s is not a date", key, quote(n.raw))
			return "", false
		}
	case "duration-off":
		if text == "off" {
			break
		}
		if v, err := ParseDuration(text); err != nil || v == 0 {
			d.fault(n, key, "write it as 90s, 10m or 1h, or off", "%s %s is not a time above zero", key, quote(n.raw))
			return "", false
		}
	case "cron", "cron-off":
		if text == "off" && format == "cron-off" {
			break
		}
		if why := badSchedule(text); why != "" {
			d.fault(n, key, `write five cron fields such as "0 3 * * 0", or "@every 30m"`, "%s %s is not a schedule: %s", key, quote(n.raw), why)
			return "", false
		}
	}
	return text, true
}

// badURL says why a text is no web address. It never repeats the text, which may hold a
// password. {tenant} stands for a tenant's id in an address.
// widestNetwork is the least length of a prefix that one organisation has: 10.0.0.0/8 (RFC 1918) and
// fc00::/7 (RFC 4193).
func widestNetwork(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 8 + a.BitLen() - 32
	}
	return 7
}

func badURL(text string, secure bool) (why, hint string) {
	const form = "write it as https://host/path"
	u, err := url.Parse(strings.ReplaceAll(text, "{tenant}", "tenant"))
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return "is not a URL", form
	case u.Scheme != "https" && u.Scheme != "http":
		return "is not an http or https URL", form
	case u.User != nil:
		return "has a user name or password in it", "put them in the keys for credentials"
	case u.Fragment != "":
		return "has a # in it", "leave out what follows it"
	case secure && u.Scheme != "https" && !loopback(u.Hostname()):
		return "is not an https URL", "plain http is for this machine alone"
	}
	return "", ""
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func badSchedule(s string) string {
	// The parser panics on a zone with nothing after it.
	if zone := strings.HasPrefix(s, "TZ=") || strings.HasPrefix(s, "CRON_TZ="); zone && !strings.Contains(s, " ") {
		return "no fields follow the time zone"
	}
	if _, err := cron.ParseStandard(s); err != nil {
		return err.Error()
	}
	return ""
}
