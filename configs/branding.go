package configs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what the consent pages show of whom an administrator connects to.
const (
	longestName = 80        // characters of consent.name
	largestLogo = 256 << 10 // bytes of a file in consent.logo
)

// A Logo is a picture and its media type.
type Logo struct {
	Data      []byte
	MediaType string // image/png, image/jpeg, image/webp or image/svg+xml
}

// LogoFile is the path of the file in consent.logo; empty where there is none or it is an address.
func (c *Consent) LogoFile() string {
	if isWebAddress(c.Logo) {
		return ""
	}
	return c.Logo
}

// ReadLogo reads a logo from a file. The type is told by the content, not by the name. The error names the file and
// is about reading it, its size or its type.
func ReadLogo(file string) (logo Logo, err error) {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return logo, fmt.Errorf("cannot read %s: %w", file, reason(err))
	}
	f, err := os.Open(file)
	if err != nil {
		return logo, fmt.Errorf("cannot read %s: %w", file, reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largestLogo+1))
	switch {
	case err != nil:
		return logo, fmt.Errorf("cannot read %s: %w", file, reason(err))
	case len(data) > largestLogo:
		return logo, fmt.Errorf("%s is larger than %d KiB", file, largestLogo>>10)
	}
	logo = Logo{data, mediaType(data)}
	if logo.MediaType == "" {
		return Logo{}, fmt.Errorf("%s is not a PNG, JPEG, WebP or SVG image", file)
	}
	return logo, nil
}

// reason leaves out the path, which the message has already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// mediaType is the type of an image; empty for any other content.
func mediaType(data []byte) string {
	switch found := http.DetectContentType(data); found {
	case "image/png", "image/jpeg", "image/webp":
		return found
	}
	decoder := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if root, ok := token.(xml.StartElement); ok {
			if root.Name == (xml.Name{Space: "http://www.w3.org/2000/svg", Local: "svg"}) {
				return "image/svg+xml"
			}
			return ""
		}
	}
}

// branding checks what the consent pages show of whom an administrator connects to.
func (v *validator) branding() {
	c := v.Consent
	given := func(key string) bool { return v.root.find(path("consent")).get(key) != nil }
	switch {
	case given("name") && strings.TrimSpace(c.Name) == "":
		v.fault(path("consent", "name"), "write the name that your customers know, or leave the key out", "consent.name is empty")
	case utf8.RuneCountInString(c.Name) > longestName:
		v.fault(path("consent", "name"), "shorten it", "consent.name has more than %d characters", longestName)
	case strings.ContainsFunc(c.Name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		v.fault(path("consent", "name"), "write it on one line", "consent.name has a control character in it")
	}
	if file := c.LogoFile(); file != "" {
		if _, err := ReadLogo(file); err != nil {
			v.fault(path("consent", "logo"), fmt.Sprintf("name a PNG, JPEG, WebP or SVG file of at most %d KiB, or an https address", largestLogo>>10), "consent.logo: %v", err)
		}
	}
}

// isWebAddress tells an address from the path of a file.
func isWebAddress(text string) bool { return strings.Contains(text, "://") }

// A host as it may stand in a Content-Security-Policy: without user, and in the ASCII form.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?$`)

// badLink says why a text is not the address of a page or a picture that a customer's browser can open. It never
// repeats the text, which may hold a password.
func badLink(text string) (why, hint string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return "is not a URL", "write it as https://host/path"
	case u.Scheme != "https":
		return "is not an https URL", "customers' browsers open it: write it as https://host/path"
	case u.User != nil:
		return "has a user name or password in it", "every customer would see it; leave it out"
	case !plainHost.MatchString(u.Host):
		return "has a host that is not in the ASCII form", "write the host with letters, digits and dots; other scripts begin with xn--"
	}
	return "", ""
}

// badMailto says why a text is not a mailto address (RFC 6068) with one receiver.
func badMailto(text string) (why, hint string) {
	u, err := url.Parse(text)
	if err == nil {
		var to string
		if to, err = url.PathUnescape(u.Opaque); err == nil {
			var address *mail.Address
			if address, err = mail.ParseAddress(to); err == nil && address.Address != to {
				err = errors.New("more than an address")
			}
		}
	}
	if err != nil || u.Fragment != "" {
		return "is not one mail address", "write it as mailto:support@example.com"
	}
	return "", ""
}
