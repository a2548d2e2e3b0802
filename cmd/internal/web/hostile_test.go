package web_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"entrasync/cmd/internal/web"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// hostile is what a directory or an application may send in place of a name.
var hostile = `<script>alert(1)</script>"><img src=x onerror=alert(2)>'` + "\x00\x1b[31m\x07\u202egpj.exe\u2066\u0085" + `{{.Token}}javascript:` + strings.Repeat("long", 20_000)

// What comes from elsewhere appears as text, without characters that steer, and cut.
func TestHostileData(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	sync := b.sync("front", hostile[:60], 1)
	sync.TargetName = hostile
	failure := plan.Failure{Kind: graphsync.User, SourceID: id(1), Key: hostile, Op: plan.Op(hostile), Code: hostile, Message: hostile, RetryAt: hostile}
	line := encode(t, plan.Action{Op: plan.Update, Kind: graphsync.User, SourceID: id(1), Key: hostile, Why: hostile, Notes: []string{hostile},
		Changes: []plan.Change{{Attribute: hostile, Old: hostile, New: map[string]any{hostile: []any{hostile}}}}})
	run := b.run(sync, 0, reconcile.Report{
		Result: reconcile.Failed, Notes: []string{hostile}, Errors: []plan.Failure{failure},
		Skipped: []plan.Skipped{{Kind: graphsync.User, SourceID: id(1), Key: hostile, Code: hostile, Why: hostile}},
		Failure: &reconcile.CycleFailure{Code: hostile, Message: hostile, Hint: hostile},
		Held:    []plan.Held{{Hold: hostile, Guard: hostile, Cause: hostile, Action: plan.Action{Op: plan.Delete, Kind: graphsync.User, Key: hostile}}},
	}, string(line))
	b.hold(sync, "h-1", hostile, hostile, hostile)
	b.users(sync.Tenant, user(1, "displayName", hostile, "userPrincipalName", hostile, "mail", hostile), user(2, "displayName", hostile))
	b.write(sync.Tenant, func(tx *state.Tx) error {
		if err := tx.Links("front").Put(state.Link{Kind: graphsync.User, Source: id(1), TargetID: hostile[:1000], Key: hostile, Cause: hostile, LastOp: hostile, LastAt: now}); err != nil {
			return err
		}
		return tx.Retries("front").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: id(1)}, Code: hostile, Op: hostile, Message: hostile, Name: hostile})
	})
	b.tenants = []web.Tenant{
		{Name: hostile[:1000], ID: id(9), Origin: hostile, State: hostile, Message: hostile, Note: hostile},
		{Name: hostile, ID: sync.Tenant, Origin: hostile, State: "active", Message: hostile, Note: hostile, CredentialEnds: now},
	}
	err := b.store.Invitations().Put(state.InvitationKey{1}, state.Invitation{Note: hostile, Created: now, Expires: now.Add(time.Hour),
		Claim: &state.ConsentClaim{Problem: hostile, Hint: hostile, Name: hostile}})
	if err != nil {
		t.Fatal(err)
	}
	page := sync.Path()
	for _, path := range []string{
		"/", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&state=%22%3E%3Cscript%3E", page, page + "/runs/" + run, page + "/runs/" + run + "?show=skipped",
		page + "/runs/" + run + "?show=actions", page + "/runs/" + run + "?show=held", "/holds", "/holds" + strings.TrimPrefix(page, "/syncs") + "/h-1",
		"/people?q=script", "/people?q=" + id(1).String(), "/people?q=%3Cscript%3E%00%1b", "/tenants", "/%3Cscript%3E",
	} {
		w := b.get(path)
		text := w.Body.String()
		if w.Code != 200 && path != "/%3Cscript%3E" {
			t.Errorf("GET %s: %d\n%.500s", path, w.Code, text)
		}
		if len(text) > 60_000 {
			t.Errorf("GET %s: %d bytes", path, len(text))
		}
		for _, r := range text {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || r == '\u202e' || r == '\u2066' {
				t.Errorf("GET %s shows %U", path, r)
				break
			}
		}
		document, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for n := range document.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" || n.Data == "img" {
				t.Errorf("GET %s has an element %s", path, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || (a.Key == "href" || a.Key == "action") && strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("GET %s has an attribute %s=%q", path, a.Key, a.Val)
				}
			}
		}
	}
}
