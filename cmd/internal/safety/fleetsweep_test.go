package safety

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/state/postgres/pgtest"
	"entrasync/target/scim/scimtest"
)

var fleetCases = flag.Int("fleet.cases", 6, "how many of the places of the story of several workers something happens at; 0: at all of them")

// fates are what happens to a worker.
var fates = []string{"killed", "stopped for longer than its lease", "cut off from the database"}

// Two workers share the tenants of one state in PostgreSQL. Wherever one of them is killed, stopped for longer than its lease or
// cut off from the database, no change is lost, no account is made twice, and no user loses an account they should have.
func TestWorkerSweep(t *testing.T) {
	t.Parallel()
	server := pgtest.Run(t)
	quiet := newFleetStory(t, server, fleetCase{})
	quiet.tell()
	places := quiet.places()
	t.Logf("without a fault: %d commits, %d requests to the application, both workers worked: %v", places[beforeCommit], places[beforeCall], quiet.bothWorked())
	cases := fleetPlan(places, *fleetCases)
	var total fleetTally
	t.Run("cases", func(t *testing.T) {
		turns := make(chan struct{}, 2)
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				s := newFleetStory(t, server, c)
				s.tell()
				total.add(s)
			})
		}
	})
	t.Logf("%d cases, %d reached their place: %d lost, %d doubled, %d wrong removals; cycles interrupted and reported: %d; writes of losers refused: %d; the cycle of a dead worker was run to its end by the other one after %v at most (lease %v)",
		len(cases), total.reached, total.lost, total.doubled, total.removed, total.interrupted, total.refused, total.takeover.Round(100*time.Millisecond), fleetTerm.Lease)
	if total.reached < len(cases)/2 {
		t.Errorf("only %d of %d cases reached their place", total.reached, len(cases))
	}
	if limit := fleetTerm.Lease + 5*time.Second; total.takeover > limit {
		t.Errorf("the cycle of a dead worker was run to its end after %v, want at most %v", total.takeover, limit)
	}
}

// A fleetCase is what happens to a worker, and where. The zero value is nothing.
type fleetCase struct {
	fate string
	when fleetPlace
	no   int // of the moments of that kind, from 1, of both workers together
}

func (c fleetCase) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%s %s %d", c.fate, c.when, c.no), " ", "_")
}

// fleetPlan spreads cases over the places; 0 is all of them.
func fleetPlan(places map[fleetPlace]int, cases int) (plan []fleetCase) {
	for _, when := range []fleetPlace{beforeCall, afterCommit, afterCall, beforeCommit} {
		for no := 1; no <= places[when]; no++ {
			for _, fate := range fates {
				plan = append(plan, fleetCase{fate, when, no})
			}
		}
	}
	if cases == 0 || cases >= len(plan) {
		return plan
	}
	var sample []fleetCase
	for i := range cases {
		at := i * len(plan) / cases
		sample = append(sample, plan[at-at%len(fates)+i%len(fates)])
	}
	return sample
}

// A fleetTally counts what went wrong over all cases.
type fleetTally struct {
	mu                                                    sync.Mutex // guards all fields
	reached, lost, doubled, removed, refused, interrupted int
	takeover                                              time.Duration
}

func (n *fleetTally) add(s *fleetStory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.struck {
		n.reached++
	}
	n.lost, n.doubled, n.removed = n.lost+s.lost, n.doubled+s.doubled, n.removed+s.removed
	for _, w := range s.workers {
		n.refused += strings.Count(w.log.String(), "is no longer owned by this worker")
		n.interrupted += strings.Count(w.log.String(), "cycle taken over")
	}
	n.takeover = max(n.takeover, s.takeover())
}

var takenOver = regexp.MustCompile(`(?m)^time=(\S+) .*msg="cycle taken over"`)

// takeover is how long after a worker was killed the other one had run the cycle that it did not end; 0 when it had begun none.
func (s *fleetStory) takeover() (after time.Duration) {
	if !s.struck || s.of.fate != fates[0] {
		return 0
	}
	for name, w := range s.workers {
		found := takenOver.FindStringSubmatch(w.log.String())
		if name == s.victim || found == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, found[1])
		if err != nil {
			s.t.Error(err)
		}
		after = max(after, at.Sub(s.struckAt))
	}
	return after
}

// A fleetStory is a few tenants whose people join, move and leave, an application, and two workers.
type fleetStory struct {
	t       *testing.T
	of      fleetCase
	graph   *graphtest.Server
	front   *scimtest.Server
	people  map[string]map[string]graphsync.ID // by tenant
	workers map[string]*fleetWorker

	mu       sync.Mutex // guards what follows
	seen     map[fleetPlace]int
	by       map[string]int // requests of each worker
	made     map[string]int // accounts made, by user name
	left     map[string]bool
	struck   bool
	victim   string
	struckAt time.Time

	lost, doubled, removed int
}

const (
	fleetToken = "fleet-token"
	fleetApp   = "6a1e0000-0000-0000-0000-000000000001"
)

var fleetTenants = []string{"contoso", "fabrikam", "litware"}

func newFleetStory(t *testing.T, database *pgtest.Server, of fleetCase) *fleetStory {
	t.Helper()
	s := &fleetStory{t: t, of: of, people: map[string]map[string]graphsync.ID{}, workers: map[string]*fleetWorker{}, seen: map[fleetPlace]int{}, by: map[string]int{}, made: map[string]int{}, left: map[string]bool{}}
	s.graph = graphtest.New(graphtest.Options{})
	s.graph.Register(graphtest.AppSpec{ClientID: fleetApp, Name: "Front", Secret: "secret"})
	var tenants, from strings.Builder
	for i, name := range fleetTenants {
		tenant := s.graph.AddTenant(graphtest.TenantSpec{Name: name, Domain: name + ".example", ID: fmt.Sprintf("%d1111111-1111-1111-1111-111111111111", i+1)})
		tenant.Consent(fleetApp)
		s.people[name] = map[string]graphsync.ID{}
		for n := range 3 {
			s.join(tenant, fmt.Sprintf("user%d", n))
		}
		fmt.Fprintf(&tenants, "  %s: {id: %q}\n", name, tenant.ID())
		fmt.Fprintf(&from, "%s, ", name)
	}
	running, err := s.graph.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.graph.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	s.front = scimtest.Elimity(t, scimtest.Options{Token: fleetToken})
	s.front.Fail(s.request)
	s.front.Lose(func(r *http.Request) bool { s.answered(r); return false })
	dsn, err := database.Make()
	if err != nil {
		t.Fatal(err)
	}
	where, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(fleetYAML, running.URL, running.URL, fleetApp, tenants.String(), s.front.URL, fleetToken, strings.TrimSuffix(from.String(), ", "))
	for _, name := range []string{"a", "b"} {
		s.workers[name] = startFleetWorker(t, name, config, ca, filepath.Join(where.Query().Get("host"), ".s.PGSQL.5432"), where.Query().Get("search_path"), func(when fleetPlace) { s.reach(name, when) })
	}
	return s
}

const fleetYAML = `state: {dsn: "$DSN", scratch: "$SCRATCH"}
schedule: "@every 1s"
http: {listen: "127.0.0.1:0"}
cloud: {authority: %q, graph: %q}
app: {client_id: %q, client_secret: secret}
tenants:
%stargets:
  front: {type: scim, url: %q, auth: {bearer_token: %s}, concurrency: 2}
syncs:
  people:
    from: [%s]
    to: front
    users:
      match: [externalId, userName]
      attributes:
        externalId: "[objectId]"
        userName: {expr: "[userPrincipalName]", required: true}
        active: "Not([IsSoftDeleted])"
        displayName: "[displayName]"
    guard: {removals: off, removals_per_day: off, updates: off, members_removed: off, identity: off, lost: off, first_run_removals: allow}
`

func (s *fleetStory) join(tenant *graphtest.Tenant, name string) {
	id := tenant.AddUser(graphtest.Props{"displayName": name, "userPrincipalName": name + "@" + tenant.Domain()})
	tenant.Assign(fleetApp, id, "")
	s.people[tenant.Name()][name] = id
}

// tell tells the story: the first accounts, then a leaver, a mover and a joiner in each tenant.
func (s *fleetStory) tell() {
	s.await("the first accounts")
	for _, tenant := range s.graph.Tenants() {
		people := s.people[tenant.Name()]
		s.mu.Lock()
		s.left["user0@"+tenant.Domain()] = true
		s.mu.Unlock()
		tenant.SoftDelete(people["user0"])
		tenant.Set(people["user1"], "displayName", "Moved")
		s.join(tenant, "user9")
	}
	s.await("a leaver, a mover and a joiner")
	s.count()
}

// reach notes that a worker is at a place, and has it meet its fate there.
func (s *fleetStory) reach(name string, when fleetPlace) {
	s.mu.Lock()
	s.seen[when]++
	due := !s.struck && s.of.no > 0 && when == s.of.when && s.seen[when] >= s.of.no && s.workers[name] != nil
	if due {
		s.struck, s.victim, s.struckAt = true, name, time.Now()
	}
	s.mu.Unlock()
	if due {
		s.strike(s.workers[name])
	}
}

func (s *fleetStory) strike(w *fleetWorker) {
	switch s.of.fate {
	case fates[0]:
		if err := w.process.Process.Kill(); err != nil {
			s.t.Error(err)
		}
	case fates[1]:
		if err := w.process.Process.Signal(syscall.SIGSTOP); err != nil {
			s.t.Error(err)
		}
		time.AfterFunc(fleetTerm.Lease+2*time.Second, func() { _ = w.process.Process.Signal(syscall.SIGCONT) })
	case fates[2]:
		w.way.cut()
	}
}

// request sees a request to the application before it is carried out.
func (s *fleetStory) request(r *http.Request) *http.Response {
	name := strings.TrimPrefix(r.UserAgent(), "entrasync/")
	if s.workers[name] == nil {
		return nil // this test's own
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPatch || r.Method == http.MethodPut {
		s.mu.Lock()
		s.by[name]++
		s.mu.Unlock()
		s.reach(name, beforeCall)
	}
	return nil
}

// answered sees a request that was carried out, before the answer is sent.
func (s *fleetStory) answered(r *http.Request) {
	name := strings.TrimPrefix(r.UserAgent(), "entrasync/")
	if s.workers[name] != nil && (r.Method == http.MethodPost || r.Method == http.MethodPatch || r.Method == http.MethodPut) {
		s.reach(name, afterCall)
	}
}

// await waits until the accounts are what the directory says.
func (s *fleetStory) await(what string) {
	s.t.Helper()
	var wrong string
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if wrong = s.differs(); wrong == "" {
			return
		}
	}
	s.mu.Lock()
	s.lost++
	s.mu.Unlock()
	s.t.Errorf("%s: %s", what, wrong)
	for name, w := range s.workers {
		s.t.Logf("worker %s:\n%s", name, w.log.String())
	}
}

// differs says in which way the accounts are not what the directory says, "" when they are.
func (s *fleetStory) differs() string {
	accounts := map[string]map[string]any{}
	for _, u := range s.front.Users(s.t) {
		accounts[u["userName"].(string)] = u
	}
	for _, tenant := range s.graph.Tenants() {
		for name := range s.people[tenant.Name()] {
			key := name + "@" + tenant.Domain()
			s.mu.Lock()
			left := s.left[key]
			moved := len(s.left) > 0 && name == "user1"
			s.mu.Unlock()
			account := accounts[key]
			switch {
			case account == nil:
				return key + " has no account"
			case account["active"] == left:
				return fmt.Sprintf("%s is active: %v", key, account["active"])
			case moved && account["displayName"] != "Moved":
				return key + " has not moved"
			}
		}
	}
	return ""
}

// count counts what the application was asked that it should not have been.
func (s *fleetStory) count() {
	made := map[string]int{}
	for _, r := range s.front.Requests() {
		switch {
		case r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/Users"):
			for _, tenant := range fleetTenants {
				for _, name := range []string{"user0", "user1", "user2", "user9"} {
					if key := name + "@" + tenant + ".example"; strings.Contains(r.Body, key) {
						made[key]++
						if r.Status == http.StatusConflict {
							s.doubled++
							s.t.Errorf("the account of %s was to be made a second time", key)
						}
					}
				}
			}
		case (r.Method == http.MethodPatch || r.Method == http.MethodPut) && strings.Contains(strings.ReplaceAll(r.Body, " ", ""), `"active":false`), r.Method == http.MethodDelete,
			r.Method == http.MethodPatch && strings.Contains(r.Body, `"active"`) && strings.Contains(r.Body, "false"):
			if !s.ofLeaver(r.Path) {
				s.removed++
				s.t.Errorf("%s %s takes an account from a user who should have it: %s", r.Method, r.Path, r.Body)
			}
		}
	}
	ids := map[string]int{}
	for _, u := range s.front.Users(s.t) {
		external, _ := u["externalId"].(string)
		if ids[external]++; ids[external] > 1 {
			s.doubled++
			s.t.Errorf("%v has two accounts", u["userName"])
		}
	}
}

func (s *fleetStory) ofLeaver(path string) bool {
	for _, u := range s.front.Users(s.t) {
		if strings.HasSuffix(path, "/"+fmt.Sprint(u["id"])) {
			return s.left[u["userName"].(string)]
		}
	}
	return false
}

func (s *fleetStory) places() map[fleetPlace]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[fleetPlace]int{beforeCommit: s.seen[beforeCommit], afterCommit: s.seen[afterCommit], beforeCall: s.seen[beforeCall], afterCall: s.seen[afterCall]}
}

func (s *fleetStory) bothWorked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by["a"] > 0 && s.by["b"] > 0
}
