package graphsync

import (
	"fmt"
	"net/url"
	"strings"
)

// A Cloud is where a tenant lives: the host that issues tokens and the host that answers
// for Microsoft Graph. Both are origins (https, host, perhaps a port; no path). Apps, tokens
// and delta links of one cloud mean nothing in another.
type Cloud struct {
	Name      string // as configured; "custom" for one made by CustomCloud
	Authority string // https://login.microsoftonline.com
	Graph     string // https://graph.microsoft.com
}

// The clouds Microsoft runs (Graph documentation, "National cloud deployments"). GCC is part
// of Public; USGov is GCC High.
var (
	Public   = Cloud{"public", "https://login.microsoftonline.com", "https://graph.microsoft.com"}
	USGov    = Cloud{"usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"}
	USGovDoD = Cloud{"usgov-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"}
	China    = Cloud{"china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"}
)

// ParseCloud returns the cloud of that name.
func ParseCloud(name string) (Cloud, error) {
	for _, cloud := range []Cloud{Public, USGov, USGovDoD, China} {
		if name == cloud.Name {
			return cloud, nil
		}
	}
	return Cloud{}, fmt.Errorf("%.40q is not a cloud (want public, usgov, usgov-dod, china, or authority and graph addresses)", name)
}

// CustomCloud returns a cloud with other hosts, such as an emulator's. Each address is an
// https origin.
func CustomCloud(authority, graph string) (Cloud, error) {
	a, err := origin(authority)
	if err != nil {
		return Cloud{}, fmt.Errorf("read cloud authority: %w", err)
	}
	g, err := origin(graph)
	if err != nil {
		return Cloud{}, fmt.Errorf("read cloud graph: %w", err)
	}
	return Cloud{Name: "custom", Authority: a, Graph: g}, nil
}

// Scope is what a token is asked for: all application permissions the tenant consented to.
func (c Cloud) Scope() string { return c.Graph + "/.default" }

// IsCustom reports whether the cloud is none of Microsoft's.
func (c Cloud) IsCustom() bool {
	_, err := ParseCloud(c.Name)
	return err != nil
}

// CheckLink reports whether a link Graph gave may be followed with a token: https, and the
// host and port of the cloud's Graph. Anything else is [ErrForeignLink]. The link itself is
// not repeated in the error, as it may carry a delta token.
func (c Cloud) CheckLink(link string) error {
	u, err := url.Parse(link)
	if err != nil {
		return fmt.Errorf("%w: it is not a URL", ErrForeignLink)
	}
	graph, err := url.Parse(c.Graph)
	if err != nil || graph.Host == "" {
		return fmt.Errorf("%w: the cloud has no Graph address", ErrForeignLink)
	}
	switch {
	case u.Scheme != "https":
		return fmt.Errorf("%w: its scheme is %.20q", ErrForeignLink, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%w: it carries a user name", ErrForeignLink)
	case hostPort(u) != hostPort(graph):
		return fmt.Errorf("%w: it leads to %.100q instead of %q", ErrForeignLink, u.Host, graph.Host)
	}
	return nil
}

// origin checks that an address is https://host[:port] and returns it in that form.
func origin(address string) (string, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	switch {
	case err != nil:
		return "", fmt.Errorf("%.100q is not a URL", address)
	case u.Scheme != "https":
		return "", fmt.Errorf("%.100q does not begin with https://", address)
	case u.User != nil:
		return "", fmt.Errorf("the address of %q must not carry a user name or password", u.Host)
	case u.Hostname() == "":
		return "", fmt.Errorf("%.100q names no host", address)
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%.100q must end after the host and port", address)
	}
	return "https://" + strings.ToLower(u.Host), nil
}

// hostPort makes https://h and https://H:443 the same.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}
