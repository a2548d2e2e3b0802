package consentweb

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"entrasync/cmd/internal/webserver"
)

// A notice is what a consent page says: what happened, and what to do.
type notice struct {
	status     int
	Kind       string // wait or failed
	Title      string
	Text, Todo []string
}

// with fills in what is known only now.
func (n notice) with(message, hint string) notice {
	n.Text = append(n.Text[:len(n.Text):len(n.Text)], webserver.Sentence(message))
	if hint != "" {
		n.Todo = []string{webserver.Sentence(hint)}
	}
	return n
}

var (
	noticeRefused = notice{status: http.StatusOK, Kind: "failed", Title: "The consent was not given",
		Text: []string{"Nothing was connected and nothing was changed."}}

	noticeSignIn = notice{status: http.StatusOK, Kind: "failed", Title: "You could not be signed in",
		Text: []string{"After the consent you are asked to sign in, so that only a user of your organization can connect it. Nothing was connected."}}

	noticeNothing = notice{status: http.StatusNotFound, Kind: "failed", Title: "There is no such page",
		Text: []string{"This address leads nowhere."}, Todo: []string{"Open the link of your invitation as you received it."}}
	noticeUnknown = notice{status: http.StatusNotFound, Kind: "failed", Title: "This link is not valid",
		Text: []string{"The link is incomplete, or its invitation was withdrawn."}, Todo: []string{"Copy the whole link from the message, or ask the person who sent it for a new one."}}
	noticeUsed = notice{status: http.StatusGone, Kind: "failed", Title: "This link has been used",
		Text: []string{"An organization has been connected with it already, and it works only once."}, Todo: []string{"Ask the person who sent it for a new one if another organization is to be connected."}}
	noticeExpired = notice{status: http.StatusGone, Kind: "failed", Title: "This link has expired",
		Text: []string{"The time in which it could be used is over. Nothing was connected."}, Todo: []string{"Ask the person who sent it for a new one."}}
	noticeInUse = notice{status: http.StatusConflict, Kind: "wait", Title: "This link is in use",
		Text: []string{"A consent has just been given with it and is being checked."}, Todo: []string{"Look again in some minutes."}}
	noticeState = notice{status: http.StatusForbidden, Kind: "failed", Title: "This answer cannot be used",
		Text: []string{"It has been used before, has expired, or was changed on its way from Microsoft. Nothing was connected."}, Todo: []string{"Open the link of your invitation again."}}
	noticeBrowser = notice{status: http.StatusForbidden, Kind: "failed", Title: "This answer belongs to another browser",
		Text: []string{"For your safety the consent must come back to the browser in which the link was opened, with cookies allowed."}, Todo: []string{"Open the link of your invitation again, in this browser."}}
	noticeTenant = notice{status: http.StatusForbidden, Kind: "failed", Title: "This invitation is for another organization",
		Text: []string{"You signed in to an organization other than the one that was invited. It was not connected."}, Todo: []string{"Open the link again and sign in with an account of the invited organization. If yours is the right one, ask for a new link."}}
	noticeOpen = notice{status: http.StatusForbidden, Kind: "failed", Title: "This link can no longer be used",
		Text: []string{"It names no organization, and such links are not accepted any more. Nothing was connected."}, Todo: []string{"Ask the person who sent it for one that is made for your organization's tenant ID."}}
	noticeTooMany = notice{status: http.StatusTooManyRequests, Kind: "wait", Title: "Too many requests",
		Text: []string{"Too many pages were asked for from your network."}, Todo: []string{"Wait a few seconds and load the page again."}}
	noticeClosed = notice{status: http.StatusServiceUnavailable, Kind: "failed", Title: "No organization can be connected now",
		Text: []string{"These pages have been closed."}, Todo: []string{"Ask the person who sent you the link."}}
	noticeFailed = notice{status: http.StatusInternalServerError, Kind: "failed", Title: "Something went wrong on our side",
		Text: []string{"The page could not be made."}, Todo: []string{"Open the link again later, or tell the person who sent it."}}
)

//go:embed templates
var files embed.FS

var noticePage = template.Must(template.ParseFS(files, "templates/notice.html", "templates/letterhead.html"))

func (c *Server) write(w http.ResponseWriter, n notice) {
	head := c.letterhead()
	var out bytes.Buffer
	err := noticePage.Execute(&out, struct {
		notice
		Head letterhead
	}{n, head})
	if err != nil {
		c.Log.Error("render consent page", "page", n.Title, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", webserver.Policy(head.images))
	w.WriteHeader(n.status)
	w.Write(webserver.Clean(out.Bytes()))
}
