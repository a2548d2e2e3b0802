package consentweb

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
)

// A Brand is whom an administrator connects to, as every consent page shows it. All of it may be empty.
type Brand struct {
	Name    string
	Support string // https or mailto address
	Privacy string // https address
	LogoURL string // https address of a logo that is elsewhere
	// Logo reads the logo that these pages serve; nil where there is none.
	Logo func() (data []byte, mediaType string, err error)
}

// A letterhead is what every consent page has around its own text.
type letterhead struct {
	Name, Support, Privacy string
	Logo, Style            string // addresses

	images string // the source of images that the page may load, for its Content-Security-Policy
}

// letterhead is that of the present configuration.
func (c *Server) letterhead() letterhead {
	settings, open := c.Settings(graphsync.ID{})
	if !open {
		return letterhead{Style: "style.css", images: "'none'"}
	}
	brand := settings.Brand
	head := letterhead{Name: brand.Name, Support: brand.Support, Privacy: brand.Privacy, Logo: brand.LogoURL, Style: settings.path(stylePath), images: "'none'"}
	switch {
	case brand.Logo != nil:
		head.Logo, head.images = settings.path(logoPath), imageSource(settings.at(logoPath))
	case brand.LogoURL != "":
		head.images = imageSource(brand.LogoURL)
	}
	return head
}

// path is the address of a page below the origin of the public URL.
func (s *Settings) path(page string) string {
	u, err := url.Parse(s.at(page))
	if err != nil {
		return page
	}
	return u.EscapedPath()
}

// A host as a policy may name it (CSP3, host-source).
var policyHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)

// imageSource names one image in a Content-Security-Policy. A source has no query, and in its path ; and , are
// escaped (CSP3, section 2.3.1).
func imageSource(address string) string {
	u, err := url.Parse(address)
	if err != nil || !policyHost.MatchString(u.Host) {
		return "'self'"
	}
	return u.Scheme + "://" + u.Host + strings.NewReplacer(";", "%3B", ",", "%2C").Replace(u.EscapedPath())
}

// logo serves the logo of the configuration. An SVG that is opened by its address is a document: the policy takes
// scripts, requests and the origin of these pages away from it.
func (c *Server) logo(w http.ResponseWriter, r *http.Request) {
	settings, _ := c.Settings(graphsync.ID{})
	if settings.Brand.Logo == nil {
		c.write(w, noticeNothing)
		return
	}
	if !c.limits.Allow(webserver.VisitorOf(r, settings.Proxies), c.Now()) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "Too many requests came from your network.", http.StatusTooManyRequests)
		return
	}
	data, mediaType, err := settings.Brand.Logo()
	if err != nil {
		c.Log.Error("the logo of the consent pages cannot be served", "error", err)
		http.Error(w, "The logo cannot be read.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	h.Set("Cache-Control", "max-age=300")
	w.Write(data)
}
