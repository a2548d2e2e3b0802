package safety

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
)

// Secrets, tokens and redacted values are in nothing the program writes: no log down to debug,
// no plan, report or error, no state file. One exception is by design: what the directory says
// of a person is in the snapshot of the directory, which only the owner can read; the value
// that is made of it for the application is not.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		const city = "planted-city-9Wd4"
		w := newWorld(t, settings{all: true, guests: true, redact: true, concurrency: 4, pageSize: 5, membersPage: 5, onRemove: desired.OnRemove{Do: plan.Deactivate}})
		var tokens []string
		w.graph.Fault(graphtest.Fault{Path: streams["token"], Times: -1, Respond: func(_ *http.Request, next func() *graphtest.Response) *graphtest.Response {
			response := next()
			var body struct {
				Token string `json:"access_token"`
			}
			if json.Unmarshal(response.Body, &body) == nil && body.Token != "" {
				tokens = append(tokens, body.Token)
			}
			return response
		}})
		var written bytes.Buffer
		cycle := func(opts reconcile.Options) {
			report, err := w.run(opts)
			if err != nil {
				written.WriteString(err.Error() + "\n")
			}
			text, err := json.Marshal(report)
			if err != nil {
				t.Fatal(err)
			}
			written.Write(text)
			if err := w.syncer().Plan(report).WriteJSON(&written); err != nil {
				t.Fatal(err)
			}
		}
		id := w.tenant.AddUser(graphtest.Props{"userPrincipalName": "ada@contoso.example", "city": city})
		w.tenant.AddUser(graphtest.Props{"userPrincipalName": "bob@contoso.example", "city": city})
		w.front.Seed(t, map[string]any{"userName": "bob@contoso.example", "nickName": "old" + derived})
		cycle(reconcile.Options{})
		cycle(reconcile.Options{Apply: true})
		if nick := w.front.User(t, "ada@contoso.example")["nickName"]; nick != city+derived {
			t.Fatalf("the redacted value was not provisioned: %v", nick)
		}
		w.tenant.Set(id, "city", "other-"+city)
		cycle(reconcile.Options{})
		for _, m := range append(graphFaults(), frontFaults()...) {
			switch m.name {
			case "401", "403", "400", "500", "echoed credential", "HTML", "redirect to another host", "connection dropped", "link to another host":
			default:
				continue
			}
			w.tenant.Set(id, "city", "other-"+city+m.name+m.stage)
			undo := m.do(w)
			cycle(reconcile.Options{Apply: true, Full: true})
			undo()
		}
		w.graph.Fault(graphtest.TokenFailure(401, 7000215, "invalid_client", "Invalid client secret provided.").On(streams["token"]))
		w.source.Refresh(t.Context())
		cycle(reconcile.Options{Apply: true})

		places := map[string][]byte{"the log": []byte(w.log.String()), "a plan, report or error": written.Bytes()}
		files, err := filepath.Glob(filepath.Join(w.dir, "*"))
		if err != nil || len(files) < 3 || len(tokens) == 0 || w.log.String() == "" {
			t.Fatalf("%d files, %d tokens, a log of %d bytes, %v", len(files), len(tokens), len(w.log.String()), err)
		}
		for _, name := range files {
			if places[name], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
		for place, text := range places {
			for _, secret := range append(tokens, clientSecret, bearerToken, derived) {
				if at := bytes.Index(text, []byte(secret)); at >= 0 {
					t.Errorf("%.40s is in %s: …%.200q", secret, place, text[max(0, at-120):])
				}
			}
			if !strings.HasSuffix(place, ".db") && bytes.Contains(text, []byte(city)) {
				t.Errorf("the source of a redacted value is in %s", place)
			}
		}
	})
}
