package consentweb

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/state"
)

const (
	lookEvery      = 500 * time.Millisecond
	watchersAtOnce = 200
)

// A joiningTop is what is above the steps.
type joiningTop struct {
	Title  string
	Head   letterhead
	Joined bool // the tenant is connected already
}

// A joiningStep is one step from a consent to accounts in the application, once it has happened.
type joiningStep struct {
	Kind  string // ok, wait or failed
	Title string
	Text  []string
}

// A joiningEnd is what stands below the steps when no more of them come with this answer.
type joiningEnd struct {
	Head  letterhead
	Again string // where to look for more; empty when there is nothing more to come
	Todo  []string
}

var joiningPage = template.Must(template.ParseFS(files, "templates/joining.html", "templates/letterhead.html"))

// progress shows the browser that made a claim each step as it happens: the page is sent step by step while it is
// open, without a script and without a reload.
func (c *Server) progress(w http.ResponseWriter, r *http.Request, settings Settings) {
	raw, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("j"))
	if err != nil || len(raw) != len(state.InvitationKey{}) {
		c.refuse(w, r, errState)
		return
	}
	key := state.InvitationKey(raw)
	cookie, _ := cookieOf(r, settings)
	invitation, err := c.Store.Invitations().Get(key)
	switch {
	case err != nil:
		c.refuse(w, r, err)
		return
	case invitation.Claim == nil || !equal(invitation.Claim.Cookie, hash(cookie)):
		c.refuse(w, r, errBrowser, "invitation", key.Name(), "note", invitation.Note)
		return
	case len(invitation.Claim.SignIn) > 0: // and it has yet to come back
		c.refuse(w, r, errState, "invitation", key.Name(), "note", invitation.Note)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep the steps back until the last
	page := http.NewResponseController(w)
	head := c.letterhead()
	h.Set("Content-Security-Policy", webserver.Policy(head.images))
	c.part(w, "top", joiningTop{Title: "Connecting your organization", Head: head, Joined: invitation.Claim.Joined})
	ctx, stop := context.WithTimeout(r.Context(), c.Watch)
	defer stop()
	select {
	case c.watchers <- struct{}{}:
		defer func() { <-c.watchers }()
	default:
		stop() // too many wait already: it gets what there is
	}
	for shown := 0; ; {
		steps, end := c.steps(&invitation)
		for ; shown < len(steps); shown++ {
			c.part(w, "step", steps[shown])
		}
		if end != nil {
			end.Head = head
			c.part(w, "end", end)
			return
		}
		_ = page.Flush() // one that cannot sends the whole at the end
		select {
		case <-ctx.Done():
			c.part(w, "end", joiningEnd{Head: head, Again: settings.at(progressPath) + "?j=" + base64.RawURLEncoding.EncodeToString(raw)})
			return
		case <-time.After(lookEvery):
		}
		invitation, err = c.Store.Invitations().Get(key)
		if claim := invitation.Claim; err != nil || claim == nil || len(claim.SignIn) > 0 || !equal(claim.Cookie, hash(cookie)) {
			c.part(w, "end", joiningEnd{Head: head, Todo: noticeState.Todo}) // withdrawn, or started again elsewhere
			return
		}
	}
}

// steps are what has happened so far; end is nil while more is to come.
func (c *Server) steps(invitation *state.Invitation) (steps []joiningStep, end *joiningEnd) {
	claim := invitation.Claim
	steps = []joiningStep{{Kind: "ok", Title: "Your consent has arrived"}}
	switch {
	case claim.Proving():
		steps[0].Text = []string{"The check begins at once. It can take some minutes until Microsoft shows a new consent everywhere; the check continues if you close this page."}
		return steps, nil
	case claim.Problem != "":
		steps = append(steps, joiningStep{"failed", "The connection could not be made", []string{webserver.Sentence(claim.Problem), "Nothing was connected and nothing was changed."}})
		return steps, &joiningEnd{Todo: []string{webserver.Sentence(claim.Hint)}}
	}
	end = &joiningEnd{Todo: []string{
		"There is nothing more to do. You can close this page.",
		"To take the consent back one day, delete the application under Enterprise applications in the Microsoft Entra admin center."}}
	connected := joiningStep{"ok", "Your organization is connected", []string{"Your organization: " + claim.Name + "."}}
	first, known := c.first(claim.Tenant)
	if !known {
		return append(steps, connected), end
	}
	connected.Text = append(connected.Text, "The first synchronization starts automatically. It removes no account.")
	if steps = append(steps, connected); first.Title == "" {
		return steps, nil
	}
	return append(steps, first), end
}

// first is the step of a tenant's first synchronization; known is false where no sync reads the tenant.
// The step has no title before it has run. What it says is for people of the tenant: figures, and
// nothing of the application.
func (c *Server) first(tenant graphsync.ID) (step joiningStep, known bool) {
	if c.Syncs == nil {
		return step, false
	}
	var sum firstCycle
	for _, sync := range c.Syncs() {
		if sync.Tenant != tenant || sync.Paused {
			continue
		}
		known = true
		one, err := readFirstCycle(c.Store, sync)
		if err != nil {
			c.Log.Error("read the first synchronization", "tenant", tenant, "error", err)
			one.failing = true
		}
		sum.add(one)
	}
	switch {
	case sum.failing:
		return joiningStep{"wait", "The first synchronization has not succeeded yet", []string{"It is retried automatically, and the person who sent you the link can see why. You do not have to wait here."}}, known
	case sum.waiting:
		return step, known
	}
	step = joiningStep{"ok", "The first synchronization is done", []string{
		fmt.Sprintf("%s of your organization %s in the product.", webserver.Plural(sum.linked, "person or group", "people and groups"), map[bool]string{true: "is", false: "are"}[sum.linked == 1])}}
	if sum.left > 0 {
		step.Text = append(step.Text, fmt.Sprintf("%s could not be brought over; the person who sent you the link can see why.", webserver.Plural(sum.left, "entry", "entries")))
	}
	if sum.held > 0 {
		step.Text = append(step.Text, fmt.Sprintf("%s for an approval.", map[bool]string{true: "1 change waits", false: webserver.Thousands(sum.held) + " changes wait"}[sum.held == 1]))
	}
	return step, known
}

// A firstCycle is what the first synchronization of a tenant came to, over its syncs.
type firstCycle struct {
	linked, left, held int  // accounts and groups; records that failed or were skipped; actions that wait for an approval
	waiting, failing   bool // a sync has not run yet; a sync has run and not succeeded
}

func (f *firstCycle) add(one firstCycle) {
	f.linked, f.left, f.held = f.linked+one.linked, f.left+one.left, f.held+one.held
	f.waiting, f.failing = f.waiting || one.waiting, f.failing || one.failing
}

func readFirstCycle(store *state.Store, sync Sync) (f firstCycle, err error) {
	tenant, err := store.Tenant(sync.Tenant)
	if err != nil {
		return f, err
	}
	defer tenant.Close()
	err = tenant.View(func(tx *state.Tx) error {
		if tx.SyncInfo(sync.Name).LastSuccess.IsZero() {
			ran := len(tx.Runs(sync.Name).Latest(1)) > 0
			f.waiting, f.failing = !ran, ran
		}
		_, users := tx.Links(sync.Name).Count(graphsync.User)
		_, groups := tx.Links(sync.Name).Count(graphsync.Group)
		failed, skipped := tx.Retries(sync.Name).Count()
		f.linked, f.left = users+groups, failed+skipped
		for hold := range tx.Holds(sync.Name).All() {
			f.held += hold.Count
		}
		return nil
	})
	return f, err
}

// part writes a part of the page. One that cannot be written has no reader any more.
func (c *Server) part(w http.ResponseWriter, name string, data any) {
	var out bytes.Buffer
	if err := joiningPage.ExecuteTemplate(&out, name, data); err != nil {
		c.Log.Error("render consent page", "part", name, "error", err)
		return
	}
	w.Write(webserver.Clean(out.Bytes()))
}
