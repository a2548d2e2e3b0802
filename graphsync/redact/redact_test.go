package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync/redact"
)

// Every way in which an application may write a secret back.
var spellings = map[string]func(string) string{
	"as it is":           func(s string) string { return s },
	"JSON":               func(s string) string { return jsonText(s) },
	"JSON with slashes":  func(s string) string { return strings.ReplaceAll(jsonText(s), "/", `\/`) },
	"JSON in digits":     func(s string) string { return each(s, `\u%04x`) },
	"JSON in capitals":   func(s string) string { return each(s, `\u%04X`) },
	"URL query":          url.QueryEscape,
	"URL path":           url.PathEscape,
	"URL in digits":      func(s string) string { return each(s, "%%%02x") },
	"HTML":               html.EscapeString,
	"HTML in digits":     func(s string) string { return each(s, "&#%d;") },
	"HTML in hex":        func(s string) string { return each(s, "&#x%x;") },
	"base64":             func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 for URLs":    func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 behind one":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s + "!")) },
	"base64 behind two":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xy" + s + "!!")) },
	"base64 of a header": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Authorization: Bearer " + s)) },
	"JSON in JSON":       func(s string) string { return jsonText(`{"token":` + jsonText(s) + `}`) },
	"URL in JSON":        func(s string) string { return each(url.QueryEscape(s), `\u%04x`) },
}

func jsonText(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func each(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func TestRedactorKnowsEverySpelling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9+/=_.~&"'<\\-]{16,48}`).Draw(t, "secret")
		r := redact.New(4, "another secret", secret)
		for name, spell := range spellings {
			written := spell(secret)
			got := r.Text("before " + written + " behind")
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " behind") || !strings.Contains(got, "[hidden]") {
				t.Fatalf("%s: %s became %s", name, written, got)
			}
			// No eight characters of it are left; base64 may keep what depends on its surroundings.
			for i := 0; i+8 <= len(written); i++ {
				if part := written[i : i+8]; name != "JSON in JSON" && name != "base64 of a header" && strings.Contains(got, part) {
					t.Fatalf("%s: %s of %s is left in %s", name, part, written, got)
				}
			}
		}
		other := rapid.StringMatching(`[ -~]{0,60}`).Draw(t, "other")
		if !strings.Contains(other, secret) && r.Text(other) != other && !strings.Contains(other, "another") {
			t.Fatalf("%q became %q", other, r.Text(other))
		}
	})
}

func BenchmarkRedactor(b *testing.B) {
	r := redact.New(16, "a-secret-of-an-ordinary-length-0123456789")
	page := []byte(strings.Repeat(`{"id":"3f1c","userName":"ada@contoso.example","displayName":"Zo\u00eb"},`, 1000))
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		if len(r.Bytes(page)) != len(page) {
			b.Fatal("something was blanked")
		}
	}
}
