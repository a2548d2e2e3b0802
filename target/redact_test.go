package target_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"entrasync/target"
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

// What an application sends back of the credential is in no response, neither in its body nor in its
// headers, whatever the credential is.
func TestEchoesInAnySpellingAreBlanked(t *testing.T) {
	t.Parallel()
	const planted = "planted+tok/x1234=="
	for name, spell := range spellings {
		for kind, auth := range map[string]target.Auth{
			"bearer": {Bearer: secret(planted)},
			"basic":  {Basic: &target.Basic{Username: "user", Password: secret(planted)}},
			"oauth2": {OAuth2: &target.OAuth2{TokenURL: "http://x/token", ClientID: "client", ClientSecret: secret(planted)}},
		} {
			for _, status := range []int{200, 403} {
				tr := transport(t, target.TransportConfig{Auth: auth, Base: inProcess{func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" {
						w.Header().Set("Content-Type", "application/json")
						io.WriteString(w, `{"access_token":"issued","token_type":"bearer"}`)
						return
					}
					w.Header().Set("X-Debug", spell(planted))
					w.WriteHeader(status)
					io.WriteString(w, `{"detail":"your token is `+strings.Trim(spell(planted), `"`)+`"}`)
				}}})
				response, err := tr.RoundTrip(request(t, "GET", "http://x/", ""))
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(response.Body)
				for _, text := range []string{string(body), response.Header.Get("X-Debug")} {
					if !strings.Contains(text, "[hidden]") || strings.Contains(text, strings.Trim(spell(planted), `"`)) {
						t.Errorf("%s, %s, %d: %s", name, kind, status, text)
					}
				}
			}
		}
	}
}

// The token endpoint may repeat the client's secret, too.
func TestTokenEndpointEchoesAreBlanked(t *testing.T) {
	t.Parallel()
	const planted = "planted+tok/x1234=="
	for name, spell := range spellings {
		for _, form := range []string{`{"error":"invalid_client","error_description":"%s is wrong"}`, "%s is wrong"} {
			tr := transport(t, target.TransportConfig{
				Auth: target.Auth{OAuth2: &target.OAuth2{TokenURL: "http://x/token", ClientID: "client", ClientSecret: secret(planted)}},
				Base: inProcess{func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(400)
					text := strings.Trim(spell(planted), `"`)
					if form[0] == '{' {
						text = strings.Trim(jsonText(text), `"`)
					}
					fmt.Fprintf(w, form, text)
				}},
			})
			_, err := tr.RoundTrip(request(t, "GET", "http://x/", ""))
			if err == nil || !strings.Contains(err.Error(), "[hidden]") || strings.Contains(err.Error(), strings.Trim(spell(planted), `"`)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
