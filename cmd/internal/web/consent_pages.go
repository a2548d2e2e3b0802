package web

import (
	"bytes"
	"html/template"
	"net/http"
	"unicode"
	"unicode/utf8"

	"entrasync/cmd/internal/webserver"
)

// A letter is what a consent page says: what happened, and what to do.
type letter struct {
	status     int
	Kind       string // wait or failed
	Title      string
	Text, Todo []string
}

// with fills in what is known only now.
func (l letter) with(message, hint string) letter {
	l.Text = append(l.Text[:len(l.Text):len(l.Text)], sentence(message))
	if hint != "" {
		l.Todo = []string{sentence(hint)}
	}
	return l
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if last := text[len(text)-1]; last != '.' && last != '!' && last != '?' {
		text += "."
	}
	return shorten(text)
}

var (
	letterRefused = letter{status: http.StatusOK, Kind: "failed", Title: "The consent was not given",
		Text: []string{"Nothing was connected and nothing was changed."}}

	letterSignIn = letter{status: http.StatusOK, Kind: "failed", Title: "You could not be signed in",
		Text: []string{"After the consent you are asked to sign in, so that only a user of your organization can connect it. Nothing was connected."}}

	letterNothing = letter{status: http.StatusNotFound, Kind: "failed", Title: "There is no such page",
		Text: []string{"This address leads nowhere."}, Todo: []string{"Open the link of your invitation as you received it."}}
	letterUnknown = letter{status: http.StatusNotFound, Kind: "failed", Title: "This link is not valid",
		Text: []string{"The link is incomplete, or its invitation was withdrawn."}, Todo: []string{"Copy the whole link from the message, or ask the person who sent it for a new one."}}
	letterUsed = letter{status: http.StatusGone, Kind: "failed", Title: "This link has been used",
		Text: []string{"An organization has been connected with it already, and it works only once."}, Todo: []string{"Ask the person who sent it for a new one if another organization is to be connected."}}
	letterExpired = letter{status: http.StatusGone, Kind: "failed", Title: "This link has expired",
		Text: []string{"The time in which it could be used is over. Nothing was connected."}, Todo: []string{"Ask the person who sent it for a new one."}}
	letterInUse = letter{status: http.StatusConflict, Kind: "wait", Title: "This link is in use",
		Text: []string{"A consent has just been given with it and is being checked."}, Todo: []string{"Look again in some minutes."}}
	letterState = letter{status: http.StatusForbidden, Kind: "failed", Title: "This answer cannot be used",
		Text: []string{"It has been used before, has expired, or was changed on its way from Microsoft. Nothing was connected."}, Todo: []string{"Open the link of your invitation again."}}
	letterBrowser = letter{status: http.StatusForbidden, Kind: "failed", Title: "This answer belongs to another browser",
		Text: []string{"For your safety the consent must come back to the browser in which the link was opened, with cookies allowed."}, Todo: []string{"Open the link of your invitation again, in this browser."}}
	letterTenant = letter{status: http.StatusForbidden, Kind: "failed", Title: "This invitation is for another organization",
		Text: []string{"You signed in to an organization other than the one that was invited. It was not connected."}, Todo: []string{"Open the link again and sign in with an account of the invited organization. If yours is the right one, ask for a new link."}}
	letterOpen = letter{status: http.StatusForbidden, Kind: "failed", Title: "This link can no longer be used",
		Text: []string{"It names no organization, and such links are not accepted any more. Nothing was connected."}, Todo: []string{"Ask the person who sent it for one that is made for your organization's tenant ID."}}
	letterTooMany = letter{status: http.StatusTooManyRequests, Kind: "wait", Title: "Too many requests",
		Text: []string{"Too many pages were asked for from your network."}, Todo: []string{"Wait a few seconds and load the page again."}}
	letterClosed = letter{status: http.StatusServiceUnavailable, Kind: "failed", Title: "No organization can be connected now",
		Text: []string{"These pages have been closed."}, Todo: []string{"Ask the person who sent you the link."}}
	letterFailed = letter{status: http.StatusInternalServerError, Kind: "failed", Title: "Something went wrong on our side",
		Text: []string{"The page could not be made."}, Todo: []string{"Open the link again later, or tell the person who sent it."}}
)

var consentPage = template.Must(template.ParseFS(files, "templates/consent.html", "templates/letterhead.html"))

func (c *Consent) write(w http.ResponseWriter, l letter) {
	head := c.letterhead()
	var out bytes.Buffer
	err := consentPage.Execute(&out, struct {
		letter
		Head letterhead
	}{l, head})
	if err != nil {
		c.Log.Error("render consent page", "page", l.Title, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", webserver.Policy(head.images))
	w.WriteHeader(l.status)
	w.Write(clean(out.Bytes()))
}
