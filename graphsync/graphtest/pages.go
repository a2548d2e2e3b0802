package graphtest

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed consent.html signin.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "*.html"))

// Titles of error screens.
const (
	trouble      = "Sorry, but we're having trouble signing you in."
	wrongAccount = "You can't sign in here with this account."
	needAdmin    = "Need admin approval"
)

// back redirects to the application a link came from, with its state and parameters added to
// those its URI has.
func (bp browserPages) back(link, parameters url.Values) *Response {
	redirect, separator := link.Get("redirect_uri"), "?"
	if strings.Contains(redirect, "?") {
		separator = "&"
	}
	if state, ok := link["state"]; ok {
		parameters["state"] = state
	}
	return &Response{Status: http.StatusFound, Header: http.Header{"Location": {redirect + separator + parameters.Encode()}}}
}

// refusal is an error screen: the browser is not sent back to the application.
func (bp browserPages) refusal(title string, e *tokenError) *Response {
	text := "The application was given nothing."
	if e.number == 90094 {
		text = "Sign in as a Global Administrator or Privileged Role Administrator, or ask one to open the link."
	}
	return bp.html(http.StatusBadRequest, "refusal", map[string]any{
		"Title": title, "Text": text, "RequestID": bp.call.id,
		"Timestamp": bp.call.now().UTC().Format("2006-01-02T15:04:05Z"),
		"Message":   fmt.Sprintf("AADSTS%d: %s", e.number, e.message),
	})
}

func (bp browserPages) html(status int, page string, data any) *Response {
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, page, data); err != nil {
		panic("graphtest: render page: " + err.Error())
	}
	return &Response{Status: status, Body: out.Bytes(), Header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
		"X-Frame-Options":         {"DENY"},
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
	}}
}
