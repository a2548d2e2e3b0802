// Package redact blanks secrets out of what servers send, however they write them. It knows neither
// Graph nor a target.
package redact

import (
	"bytes"
	"encoding/base64"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// hidden stands where a text repeated a secret.
const hidden = "[hidden]"

// maxDecodings is how many encodings a text may have around each other: a form in JSON in a JSON text.
const maxDecodings = 4

// shortestEncoded is the least length of a secret whose base64 is looked for: that of a shorter one is
// part of many texts.
const shortestEncoded = 6

// A Redactor blanks secrets out of what a server sends, however it writes them: as they are,
// with the escapes of JSON (tok\/x, \u002b), URLs (%2B) and HTML (&#43;), these around each other, and
// in base64, alone or inside of something longer. Its zero value blanks nothing.
type Redactor struct{ forms [][]byte }

// New returns a redactor for the secrets that have at least so many bytes.
func New(shortest int, secrets ...string) Redactor {
	var r Redactor
	for _, secret := range secrets {
		if secret == "" || len(secret) < shortest {
			continue
		}
		forms := []string{secret}
		if strings.Contains(secret, " ") {
			forms = append(forms, strings.ReplaceAll(secret, " ", "+"))
		}
		if len(secret) >= shortestEncoded {
			forms = append(forms, encodings(secret)...)
		}
		for _, form := range forms {
			r.forms = append(r.forms, []byte(form))
		}
	}
	// The longest first: a part of it may be a secret, too.
	slices.SortStableFunc(r.forms, func(a, b []byte) int { return len(b) - len(a) })
	return r
}

// encodings returns what the base64 of any text that holds the secret has in it: at each of the three
// places in a group of bytes the characters that depend on the secret alone.
func encodings(secret string) []string {
	var forms []string
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
		from := (before*8 + 5) / 6
		to := (before + len(secret)) * 8 / 6
		form := text[from:to]
		forms = append(forms, form)
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(form); url != form {
			forms = append(forms, url)
		}
	}
	return forms
}

// IsZero reports whether it has nothing to blank.
func (r Redactor) IsZero() bool { return len(r.forms) == 0 }

// Text returns a text without the secrets.
func (r Redactor) Text(text string) string {
	if len(r.forms) == 0 || text == "" {
		return text
	}
	return string(r.Bytes([]byte(text)))
}

// Bytes returns a text without the secrets; it is the one given when it holds none.
func (r Redactor) Bytes(text []byte) []byte {
	if len(r.forms) == 0 {
		return text
	}
	found := r.find(text, nil)
	// Each kind of escape alone, for a secret that has in it what another kind takes for an escape; then
	// all together, around each other.
	original := &decoding{text: text}
	for _, kind := range escapes {
		if seen := original.next(string(kind)); seen != nil {
			found = append(found, r.find(seen.text, seen)...)
		}
	}
	for seen := original.next(escapes); seen != nil && seen.depth <= maxDecodings; seen = seen.next(escapes) {
		found = append(found, r.find(seen.text, seen)...)
	}
	if len(found) == 0 {
		return text
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, s := range found {
		if s.to <= at {
			continue
		}
		if s.from >= at {
			out = append(append(out, text[at:s.from]...), hidden...)
		}
		at = s.to
	}
	return append(out, text[at:]...)
}

// A span is a part of a text.
type span struct{ from, to int }

// find returns where in the original text the secrets are.
func (r Redactor) find(text []byte, of *decoding) (found []span) {
	for _, form := range r.forms {
		for at := 0; ; {
			i := bytes.Index(text[at:], form)
			if i < 0 {
				break
			}
			s := span{at + i, at + i + len(form)}
			at = s.to
			if of != nil {
				s = span{of.origin(s.from), of.origin(s.to)}
			}
			found = append(found, s)
		}
	}
	return found
}

// A decoding is a text with its escapes resolved.
type decoding struct {
	text  []byte
	of    *decoding // what was resolved; nil for the original
	depth int       // layers resolved
	parts []part    // by rising place
}

// A part is where a piece of the text that has no escapes begins, here and in what was resolved.
type part struct{ at, from int32 }

// origin returns where in the original a place of the text is.
func (d *decoding) origin(at int) int {
	if d.of == nil {
		return at
	}
	i, exact := slices.BinarySearchFunc(d.parts, int32(at), func(p part, at int32) int { return int(p.at) - int(at) })
	if !exact {
		i--
	}
	return d.of.origin(int(d.parts[i].from) + at - int(d.parts[i].at))
}

// escapes begin an escape of JSON, of a URL and of HTML.
const escapes = `\%&`

// next resolves one more layer of the escapes, nil when there is none.
func (d *decoding) next(escapes string) *decoding {
	at := bytes.IndexAny(d.text, escapes)
	if at < 0 {
		return nil
	}
	out := &decoding{of: d, depth: d.depth + 1, text: make([]byte, 0, len(d.text)), parts: []part{{0, 0}}}
	for rest := 0; ; {
		if at < 0 {
			out.text = append(out.text, d.text[rest:]...)
			break
		}
		out.text = append(out.text, d.text[rest:rest+at]...)
		rest += at
		plain, n := unescape(d.text[rest:])
		if n == 0 {
			plain, n = string(d.text[rest]), 1
		} else {
			out.parts = append(out.parts, part{int32(len(out.text)), int32(rest)}, part{int32(len(out.text) + len(plain)), int32(rest + n)})
		}
		out.text = append(out.text, plain...)
		rest += n
		at = bytes.IndexAny(d.text[rest:], escapes)
	}
	if len(out.parts) == 1 {
		return nil
	}
	return out
}

// unescape resolves the escape at the beginning of a text; n is its length, 0 for none.
func unescape(text []byte) (plain string, n int) {
	switch text[0] {
	case '\\':
		return unescapeJSON(text)
	case '%':
		if len(text) >= 3 {
			if b, err := strconv.ParseUint(string(text[1:3]), 16, 8); err == nil {
				return string([]byte{byte(b)}), 3
			}
		}
	case '&':
		if end := bytes.IndexByte(text[:min(len(text), 12)], ';'); end > 0 {
			if plain := html.UnescapeString(string(text[:end+1])); plain != string(text[:end+1]) {
				return plain, end + 1
			}
		}
	}
	return "", 0
}

// unescapeJSON resolves an escape of RFC 8259, section 7, or of a programming language that has \x2b.
func unescapeJSON(text []byte) (plain string, n int) {
	if len(text) < 2 {
		return "", 0
	}
	digits := 0
	switch text[1] {
	case 'u':
		digits = 4
	case 'x':
		digits = 2
	}
	if digits > 0 {
		if len(text) < 2+digits {
			return "", 0
		}
		r, err := strconv.ParseUint(string(text[2:2+digits]), 16, 32)
		if err != nil {
			return "", 0
		}
		return string(utf8.AppendRune(nil, rune(r))), 2 + digits
	}
	if at := strings.IndexByte(`"\/'`, text[1]); at >= 0 {
		return string(text[1]), 2
	}
	if at := strings.IndexByte("bfnrt", text[1]); at >= 0 {
		return string("\b\f\n\r\t"[at]), 2
	}
	return "", 0
}
