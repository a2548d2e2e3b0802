package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"entrasync/target"
)

// An application keeps accounts in memory and counts what it is asked. Its ids are numbers, as in
// applications whose accounts of one number are not one.
type application struct {
	mu       sync.Mutex // guards what follows
	accounts map[string]map[string]any
	taken    map[any]bool // names
	unique   bool         // an update to a name that is taken is refused
	last     int
	asked    map[string]int // by method
	down     func(method string) bool
	refuse   func(method, id string) error // of one account; may be nil
	hidden   map[string]bool               // accounts that no list shows
	brief    []string                      // attributes that a search shows, all when nil
}

func newApplication() *application {
	return &application{accounts: map[string]map[string]any{}, taken: map[any]bool{}, asked: map[string]int{}}
}

var errDown = &target.Error{Code: target.Unavailable, Op: "ask", Message: "no answer"}

func (a *application) begin(method string) error {
	a.asked[method]++
	if a.down != nil && a.down(method) {
		return errDown
	}
	return nil
}

// about begins a call that is about one account.
func (a *application) about(method, id string) error {
	if err := a.begin(method); err != nil || a.refuse == nil {
		return err
	}
	return a.refuse(method, id)
}

func (a *application) hand(id string) target.Resource {
	text, err := json.Marshal(a.accounts[id])
	var attributes map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &attributes)); err != nil {
		panic(err)
	}
	return target.Resource{Ref: target.Ref{Kind: target.User, ID: id}, Attributes: attributes}
}

func (a *application) ids() []string {
	return slices.SortedFunc(maps.Keys(a.accounts), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

func (a *application) Probe(context.Context, map[target.Kind][]target.Path) (*target.Profile, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &target.Profile{}, a.begin("probe")
}

func (a *application) Find(_ context.Context, _ target.Kind, by target.Path, value string) (found []target.Resource, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.begin("find"); err != nil {
		return nil, err
	}
	for _, id := range a.ids() {
		if by.Holds(a.accounts[id], value) {
			r := a.hand(id)
			if a.brief != nil {
				maps.DeleteFunc(r.Attributes, func(name string, _ any) bool { return !slices.Contains(a.brief, name) })
			}
			found = append(found, r)
		}
	}
	return found, nil
}

func (a *application) Get(_ context.Context, ref target.Ref) (*target.Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.about("get", ref.ID); err != nil {
		return nil, err
	}
	if a.accounts[ref.ID] == nil {
		return nil, &target.Error{Code: target.NotFound, Op: "get user", Message: "there is none"}
	}
	r := a.hand(ref.ID)
	return &r, nil
}

func (a *application) List(_ context.Context, _ target.Kind, yield func([]target.Resource) error) error {
	a.mu.Lock()
	ids := a.ids()
	a.mu.Unlock()
	for page := range slices.Chunk(ids, 100) {
		a.mu.Lock()
		err := a.begin("list")
		var out []target.Resource
		for _, id := range page {
			if !a.hidden[id] {
				out = append(out, a.hand(id))
			}
		}
		a.mu.Unlock()
		if err != nil {
			return err
		}
		if err := yield(out); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) Create(_ context.Context, _ target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.begin("create"); err != nil {
		return nil, err
	}
	fresh := map[string]any{}
	for _, attribute := range attributes {
		attribute.Path.Set(fresh, attribute.Value)
	}
	if a.taken[fresh["userName"]] {
		return nil, &target.Error{Code: target.Conflict, Op: "create user", Message: "the name is taken"}
	}
	a.taken[fresh["userName"]] = true
	a.last++
	id := strconv.Itoa(a.last)
	a.accounts[id] = fresh
	r := a.hand(id)
	return &r, nil
}

func (a *application) Update(_ context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.about("update", ref.ID); err != nil {
		return nil, err
	}
	if a.accounts[ref.ID] == nil {
		return nil, &target.Error{Code: target.NotFound, Op: "update user", Message: "there is none"}
	}
	before := a.accounts[ref.ID]["userName"]
	for _, attribute := range attributes {
		if attribute.Path.String() == "userName" && attribute.Value != before && a.unique && a.taken[attribute.Value] {
			return nil, &target.Error{Code: target.Conflict, Op: "update user", Message: "the name is taken"}
		}
	}
	for _, attribute := range attributes {
		attribute.Path.Set(a.accounts[ref.ID], attribute.Value)
	}
	delete(a.taken, before)
	a.taken[a.accounts[ref.ID]["userName"]] = true
	r := a.hand(ref.ID)
	return &r, nil
}

func (a *application) Delete(_ context.Context, ref target.Ref) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.about("delete", ref.ID); err != nil {
		return err
	}
	delete(a.taken, a.accounts[ref.ID]["userName"])
	delete(a.accounts, ref.ID)
	return nil
}

// seed makes an account that is not provisioned.
func (a *application) seed(userName string) string {
	a.last++
	id := strconv.Itoa(a.last)
	a.taken[userName] = true
	a.accounts[id] = map[string]any{"userName": userName, "displayName": "Seeded " + userName, "active": true}
	return id
}

// lose takes accounts away, the first ones, behind the program's back.
func (a *application) lose(n int) {
	for _, id := range a.ids()[:n] {
		delete(a.taken, a.accounts[id]["userName"])
		delete(a.accounts, id)
	}
}

// String lists the accounts, one a word: name=display name, with ! when inactive.
func (a *application) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var parts []string
	for _, id := range a.ids() {
		account := a.accounts[id]
		sign := ""
		if account["active"] == false {
			sign = "!"
		}
		name, _, _ := strings.Cut(fmt.Sprint(account["userName"]), "@")
		parts = append(parts, fmt.Sprintf("%s%s=%v", sign, name, account["displayName"]))
	}
	return strings.Join(parts, " ")
}
