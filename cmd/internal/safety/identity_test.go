package safety

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"entrasync/graphsync"
	"entrasync/target/scim/scimtest"
)

// giveOutAgain gives the id of an account of ours to another user's account, as a restored application
// does.
func (h inApplication) giveOutAgain() {
	h.some("whose", h.alive(h.users), func(id graphsync.ID) {
		for _, a := range h.inventory().accounts {
			if a.external != id.String() {
				continue
			}
			h.made++
			h.front.Replace(h.t, "/Users/"+a.id, map[string]any{"userName": fmt.Sprintf("stranger%d@other.example", h.made),
				"externalId": fmt.Sprintf("stranger-%d", h.made), "displayName": "Another user", "active": true})
			h.watch.free(a.id)
			h.watch.stranger(a.id)
			h.drift[id] = true
			h.note("account %s of %s is another user's from now on", a.id, a.values["userName"])
		}
	})
}

// giveOutGroupAgain does so with a group's.
func (h inApplication) giveOutGroupAgain() {
	h.some("group", h.alive(h.groups), func(id graphsync.ID) {
		for target, g := range h.inventory().groups {
			if g.external != id.String() {
				continue
			}
			h.made++
			h.front.Replace(h.t, "/Groups/"+target, map[string]any{"displayName": fmt.Sprintf("Others %d", h.made), "externalId": fmt.Sprintf("others-%d", h.made)})
			h.watch.leave(target)
			h.drift[id] = true
			h.note("group %s of %s is another one from now on", target, g.name)
		}
	})
}

// makeAgain deletes an account in the application and makes it again, under another id.
func (h inApplication) makeAgain() {
	h.some("whose", h.alive(h.users), func(id graphsync.ID) {
		for _, a := range h.inventory().accounts {
			if a.external != id.String() {
				continue
			}
			h.front.Delete(h.t, "/Users/"+a.id)
			h.watch.free(a.id)
			again := h.front.Seed(h.t, map[string]any{"userName": a.values["userName"], "externalId": a.external, "displayName": "made again", "active": a.active})
			h.drift[id] = true
			h.note("account %s of %s is made again as %s", a.id, a.values["userName"], again)
		}
	})
}

// stranger marks an account that is not ours although its id was. By what it is known and whether
// it works must never change, nor may it go; anything else is written without reading it first.
func (v *watch) stranger(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.strangers[id] = v.w.inventory().accounts[id].identity()
}

// identity is by what an account is known, and whether it works.
func (a account) identity() string {
	return fmt.Sprint(a.external, " ", a.values["userName"], " ", a.values["email"], " active: ", a.active)
}

// anotherAccount does the work and answers about another account.
func anotherAccount(r *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
	response, err := next()
	if err != nil || response.StatusCode >= 300 || !strings.Contains(r.URL.Path, "/Users") {
		return response, err
	}
	response.Body.Close()
	body, err := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": "another",
		"userName": "another@other.example", "externalId": "another", "active": true})
	if err != nil {
		return nil, err
	}
	other := scimtest.NewResponse(response.StatusCode, string(body), "Content-Type", "application/scim+json")
	other.Request = r
	return other, nil
}
