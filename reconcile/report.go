package reconcile

import (
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
)

// A Result is how a run ended.
type Result string

// The results of the contract.
const (
	OK      Result = "ok"
	Partial Result = "partial" // some records failed or wait for a retry, or see Attention
	Waiting Result = "held"    // something waits for approval
	Failed  Result = "failed"  // the cycle could not run
)

// A Report is what a run did. Lists are cut to ListLimit entries; the stored run has them all.
type Report struct {
	Format     string          `json:"format"`
	Sync       string          `json:"sync"`
	Tenant     graphsync.ID    `json:"tenant"`
	Run        string          `json:"run"`
	Cycle      Cycle           `json:"cycle"`
	Result     Result          `json:"result"`
	Summary    Summary         `json:"summary"`
	Held       []plan.Held     `json:"held"`
	Rejected   []plan.Rejected `json:"rejected"`
	Skipped    []plan.Skipped  `json:"skipped"`
	Errors     []plan.Failure  `json:"errors"`
	Graph      GraphTraffic    `json:"graph"`
	Target     TargetTraffic   `json:"target"`
	Steps      []OnDemandStep  `json:"steps,omitempty"` // of a provision on demand
	Notes      []string        `json:"notes,omitempty"`
	Drift      *DriftCounts    `json:"drift,omitempty"`    // of a run that compared everything
	Undo       *undo.Request   `json:"undo,omitempty"`     // of an undo: what it puts back
	Upcoming   []UpcomingDay   `json:"upcoming,omitempty"` // of a dry run: what dates change today and in the next seven days
	PlanOf     string          `json:"plan_of,omitempty"`  // when the plan was made that was applied as it stood; "" for one of this run
	Started    time.Time       `json:"started"`
	DurationMS int64           `json:"duration_ms"`
	// LongestWaitMS is the longest of Waits.
	LongestWaitMS int64  `json:"longest_wait_ms,omitempty"`
	Waits         []Wait `json:"-"`
	// Looked says that a removals cycle read what changed. One that has to wait for another cycle does not.
	Looked bool `json:"-"`
	// Changed counts what the delta streams returned.
	Changed Changed `json:"-"`
	// Attention says why a cycle in which nothing failed is no success.
	Attention []Attention `json:"attention,omitempty"`
	// Failure says in one sentence why the cycle could not run, when Result is Failed.
	Failure *CycleFailure `json:"failure,omitempty"`

	// Kept says that the run is in the history: one that was applied, and of removals cycles one that did something.
	Kept bool `json:"-"`

	held     string            // space of what the plan holds
	rejected string            // space of what was rejected
	holds    map[string]string // ids of the holds, by holdKey
}

// DriftCounts say in how much the application holds something else than what was applied.
type DriftCounts struct {
	Accounts int `json:"accounts"` // accounts and groups that differ or are gone
	Members  int `json:"members"`  // memberships
	New      int `json:"new"`      // differences that the compare before did not find
}

// A CycleFailure is why a cycle could not run.
type CycleFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Changed counts entries of delta streams. In an initial cycle they are what there is, in others what changed.
type Changed struct{ Users, Groups int64 }

// GraphTraffic is what a run read from Graph.
type GraphTraffic struct {
	Pages     int64 `json:"pages"`
	Objects   int64 `json:"objects"`
	Bytes     int64 `json:"bytes"`
	Requests  int64 `json:"requests"`
	Throttled int64 `json:"throttled"`
}

// TargetTraffic is what a run sent to the application.
type TargetTraffic struct {
	Requests  int64 `json:"requests"`
	Throttled int64 `json:"throttled"`
}

// ListLimit bounds the lists of a report: a cycle that fails on everybody must not make a
// report as large as the directory.
const ListLimit = 1000

const reportFormat = "entrasync/report/1"

// Progress is called now and then during a run, never concurrently.
type Progress func(Step)

// A Step is how far a run has come.
type Step struct {
	Stage string // "users", "groups", "assignments", "drafting", "matching", "applying"
	Done  int
	Total int // 0 when unknown
	Pages int
}

// A OnDemandStep is one step of a provision on demand: connect, import, scope, match, act.
type OnDemandStep struct {
	Name   string `json:"step"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Mark returns a sign for people.
func (s OnDemandStep) Mark() string {
	if s.OK {
		return "✓"
	}
	return "✗"
}

// A Wait is how long some changes may have waited between the directory and the application.
//
// Graph does not tell when something was changed. What a cycle finds was not there yet when
// the last complete one began to read, so that the wait is at most the time since then; what had
// failed before has waited since it first failed. How long a person took to approve a hold is not
// in it, and an initial cycle, before which nothing was kept in step, has no waits.
type Wait struct {
	For     time.Duration // in whole seconds
	Changes int
}

// An Attention is why a cycle in which nothing failed is no success all the same.
type Attention struct {
	Code    string `json:"code"` // mostly_skipped, retrying or quarantine
	Message string `json:"message"`
}

// The codes of an Attention.
const (
	MostlySkipped    = "mostly_skipped"
	Retrying         = "retrying"
	TargetQuarantine = "quarantine"
)

// A Summary counts a plan's actions by what they do.
type Summary struct {
	Create     int `json:"create"`
	Adopt      int `json:"adopt"`
	Update     int `json:"update"`
	Deactivate int `json:"deactivate"`
	Reactivate int `json:"reactivate"`
	Delete     int `json:"delete"`
	Members    int `json:"members"`
	Unlink     int `json:"unlink,omitzero"` // links to accounts that are others now
	Held       int `json:"held"`
	Rejected   int `json:"rejected"` // due, but a person rejected them
	Skipped    int `json:"skipped"`
	Unchanged  int `json:"unchanged"`

	Seats Seats `json:"seats"`

	// Users and Groups are the same figures by kind.
	Users  Counts `json:"users"`
	Groups Counts `json:"groups"`
}

// Counts are a summary's figures for the objects of one kind.
type Counts struct {
	Create     int `json:"create"`
	Adopt      int `json:"adopt"`
	Update     int `json:"update"`
	Deactivate int `json:"deactivate"`
	Reactivate int `json:"reactivate"`
	Delete     int `json:"delete"`
	Members    int `json:"members"`
	Unlink     int `json:"unlink,omitzero"`
	Held       int `json:"held"`
	Rejected   int `json:"rejected"`
	Skipped    int `json:"skipped"`
	Unchanged  int `json:"unchanged"`

	heldLinked int // held or rejected actions on linked objects
}

// Seats counts the accounts this sync keeps active: before the plan, and when it is applied.
// What is held is not counted as applied.
type Seats struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// A Cycle is how much a run looked at.
type Cycle string

// The cycles of the contract.
const (
	Initial     Cycle = "initial"
	Incremental Cycle = "incremental"
	OnDemand    Cycle = "on-demand"

	RemovalsOnly Cycle = "removals" // see [Options.Removals]
	Undone       Cycle = "undo"     // see [Syncer.Undo]
)

// A Document is a plan as it was written and reviewed.
type Document struct {
	planHead
	Actions []plan.Action `json:"actions"`
	Held    []plan.Held   `json:"held"`
	// Rejected is what is due but was rejected.
	Rejected []plan.Rejected `json:"rejected"`
	Skipped  []plan.Skipped  `json:"skipped"`
}

// planHead is a plan's document without its lists.
type planHead struct {
	Format   string        `json:"format"`
	Sync     string        `json:"sync"`
	Tenant   graphsync.ID  `json:"tenant"`
	Cycle    Cycle         `json:"cycle"`
	Complete bool          `json:"complete"`
	Binding  string        `json:"binding"` // what the plan is bound to: these actions under this configuration
	Summary  Summary       `json:"summary"`
	Upcoming []UpcomingDay `json:"upcoming,omitempty"` // what dates change today and in the next seven days
	// Undo is what the plan puts back, of the plan of an undo.
	Undo *undo.Request `json:"undo,omitempty"`
}

// An UpcomingDay is a day on which dates change who is in scope, while Microsoft Entra reports nothing.
type UpcomingDay struct {
	Day      string     `json:"day"`      // of the calendar in the sync's time zone: 2026-12-01
	Objects  int        `json:"objects"`  // users and groups that enter or leave scope
	Examples []Upcoming `json:"examples"` // at most ten of them, by time
}

// An Upcoming is what a date changes of one object.
type Upcoming struct {
	At       time.Time      `json:"at"` // in the sync's time zone, when the cycles from then on evaluate it again
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
	InScope  bool           `json:"in_scope"` // from then on, as things are now
}
