package webserver

import (
	_ "embed"
	"net/http"
)

//go:embed style.css
var style []byte

// Style serves the style sheet of all pages.
func Style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	w.Write(style)
}
