package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"entrasync/cmd/internal/webserver"
)

//go:embed templates assets
var files embed.FS

// A page is what every page has.
type page struct {
	Title   string
	Section string // the entry of the menu that is the present one
	Now     time.Time
	Version string
	Waiting int    // holds that wait for an answer
	Token   string // for forms
	Refused string // why the configuration was not loaded at the last reload
	Backup  string // why the state could not be backed up
	Ends    []End  // tokens and certificates of targets that end soon
	rows    []row  // all syncs, those that need attention first
}

// Errors that are answers: no such page, and look at the Location instead.
var (
	errNotFound = errors.New("there is no such page")
	errSeeOther = errors.New("see elsewhere")
	errInvalid  = errors.New("the form is not filled in as it should be") // the page says what is wrong
)

// A maker makes the data of a page and names its template.
type maker func(r *http.Request, p page) (name string, data any, err error)

// page makes a handler of a maker. A page is written when it is complete, so that a failure
// never leaves half of one.
func (s *Server) page(make maker) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := s.newPage(w, r)
		name, data, err := make(r, p)
		status := http.StatusOK
		switch {
		case errors.Is(err, errSeeOther):
			w.WriteHeader(http.StatusSeeOther)
			return
		case errors.Is(err, errInvalid):
			status = http.StatusBadRequest
		case errors.Is(err, errNotFound):
			status, name, data = http.StatusNotFound, "missing", missing{page: p.titled("Not found", "")}
		case err != nil:
			s.Log.Error("status page", "path", r.URL.Path, "error", err)
			status, name, data = http.StatusInternalServerError, "missing", missing{page: p.titled("This page cannot be shown", ""), Message: err.Error()}
		}
		s.write(w, status, name, data)
	}
}

// missing is a page that is not there, or not to be had.
type missing struct {
	page
	Message string
}

func (s *Server) newPage(w http.ResponseWriter, r *http.Request) page {
	p := page{Now: s.Now().UTC(), Version: s.Version, Token: s.forms.token(w, r)}
	if s.BackupProblem != nil {
		p.Backup = s.BackupProblem()
	}
	if s.Ends != nil {
		p.Ends = s.Ends()
	}
	if s.Refused != nil {
		p.Refused = s.Refused()
	}
	p.rows = s.statuses.rows(r.Context())
	for _, row := range p.rows {
		p.Waiting += len(row.Holds)
	}
	return p
}

func (p page) titled(title, section string) page {
	p.Title, p.Section = title, section
	return p
}

func (s *Server) write(w http.ResponseWriter, status int, name string, data any) {
	var out bytes.Buffer
	if err := s.pages[name].Execute(&out, data); err != nil {
		s.Log.Error("render page", "page", name, "error", err)
		http.Error(w, "This page cannot be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(webserver.Clean(out.Bytes()))
}

// parsePages returns the templates by name, each with the frame around it.
func parsePages() map[string]*template.Template {
	frame := template.Must(template.New("frame.html").Funcs(template.FuncMap{
		"text": webserver.Shorten, "number": webserver.Thousands, "plural": webserver.Plural, "took": took, "value": shown, "path": pathOf, "join": strings.Join, "mark": mark, "step": stepClass, "given": func(v any) bool { return v != nil },
	}).ParseFS(files, "templates/frame.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"overview", "sync", "run", "holds", "hold", "people", "tenants", "invitation", "missing"} {
		all[name] = template.Must(template.Must(frame.Clone()).ParseFS(files, "templates/"+name+".html"))
	}
	return all
}

// icon serves the icon.
func icon(w http.ResponseWriter, _ *http.Request) {
	text, _ := files.ReadFile("assets/icon.svg") // is embedded
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "max-age=300")
	w.Write(text)
}

// When shows a time and how far away it is.
func (p page) When(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	form := "2006-01-02 15:04:05"
	if t.Format(time.DateOnly) == p.Now.Format(time.DateOnly) {
		form = "15:04:05"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time> <span class="far">%s</span>`, t.Format(time.RFC3339), t.Format(form), away(t.Sub(p.Now))))
}

// At shows a time alone.
func (p page) At(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.UTC().Format(time.RFC3339), t.UTC().Format("2006-01-02 15:04:05")))
}

// Day shows the day of a time.
func (p page) Day(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.UTC().Format(time.RFC3339), t.UTC().Format(time.DateOnly)))
}

// For says how long something has taken so far.
func (p page) For(since time.Time) string { return span(max(0, p.Now.Sub(since))) }

func away(d time.Duration) string {
	ago := d < 0
	d = d.Abs()
	switch {
	case d < time.Second:
		return "now"
	case ago:
		return span(d) + " ago"
	}
	return "in " + span(d)
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return webserver.Plural(int(d/time.Second), "second", "seconds")
	case d < time.Hour:
		return webserver.Plural(int(d/time.Minute), "minute", "minutes")
	case d < 48*time.Hour:
		return webserver.Plural(int(d/time.Hour), "hour", "hours")
	}
	return webserver.Plural(int(d/(24*time.Hour)), "day", "days")
}

func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// shown writes a value of an attribute.
func shown(v any) string {
	if v == nil {
		return "(none)"
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return webserver.Shorten(v)
	}
	return webserver.Shorten(strings.TrimSuffix(text.String(), "\n"))
}
