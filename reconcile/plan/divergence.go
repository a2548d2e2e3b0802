package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/target"
)

// Divergence says in words what an action removes, takes over or changes otherwise than the one
// a person decided about; "" when it does not. What a cycle itself brings along, such as new
// accounts of people who join a group that is taken over, is no divergence: a decision that it
// made void could never be carried out. Nor is the resource of a group whose members change: the
// plan that holds who leaves may be the one that makes it or takes it over.
func (a *StoredAction) Divergence(now *StoredAction) string {
	switch {
	case a.Op != now.Op:
		return fmt.Sprintf("it would %s and no longer %s", now.Op, a.Op)
	case a.Op != Members && textOr(a.TargetID, "none") != textOr(now.TargetID, "none"):
		return fmt.Sprintf("it concerns account %s and no longer %s", textOr(now.TargetID, "none"), textOr(a.TargetID, "none"))
	case a.Former != now.Former || a.FormerOwner != now.FormerOwner:
		return "the account was kept by another owner"
	}
	if more := leavingMore(a, now); more != "" {
		return more
	}
	if a.Op == Members && now.Held != nil && now.Held.Guard == heldForDrift && slices.ContainsFunc(now.Add, func(id graphsync.ID) bool { return !slices.Contains(a.Add, id) }) {
		return "other members would be added"
	}
	return changesDiverge(a, now)
}

// heldForDrift is the guard that holds also who joins: what a person approves are these members.
const heldForDrift = "drift"

func textOr(text *string, none string) string {
	if text == nil {
		return none
	}
	return *text
}

// leavingMore says that more people would lose a membership than before.
func leavingMore(was, now *StoredAction) string {
	if was.Leaving != "" && was.Leaving == now.Leaving {
		return ""
	}
	more := len(now.Remove)
	known := make(map[graphsync.ID]bool, len(was.Remove))
	for _, id := range was.Remove {
		known[id] = true
	}
	for _, id := range now.Remove {
		if known[id] {
			more--
		}
	}
	switch {
	case more == 1:
		return "one more member would be removed"
	case more > 1:
		return fmt.Sprintf("%d more members would be removed", more)
	case len(now.Remove) == MaxMembers: // not all of them are listed
		return "other members would be removed"
	}
	return ""
}

// changesDiverge compares values. Of an account that is switched off or deleted none counts; of
// one that is made or taken over, those that say whose it is and what it may do. A change of
// an account is compared as a whole, but for references to accounts of other people.
func changesDiverge(was, now *StoredAction) string {
	counts := func(path string) bool { return !refers(path) }
	switch now.Op {
	case Deactivate, Delete, Members:
		return ""
	case Create, Adopt:
		counts = func(path string) bool { return identifies(now.Kind, path) }
	}
	before := map[string]string{}
	for _, change := range was.Changes {
		if counts(change.Attribute) {
			before[change.Attribute] = string(Encode(change.New))
		}
	}
	for _, change := range now.Changes {
		if !counts(change.Attribute) {
			continue
		}
		if text, ok := before[change.Attribute]; !ok || text != string(Encode(change.New)) {
			return fmt.Sprintf("%s would get another value", change.Attribute)
		}
		delete(before, change.Attribute)
	}
	for path := range before {
		return fmt.Sprintf("%s would no longer change", path)
	}
	return ""
}

// identity are the attributes, by kind, that say whose an account is and what it may do (RFC 7643
// sections 3.1, 4.1 and 4.2), as far as values of other attributes are not asked about.
var identity = map[graphsync.Kind][]string{
	graphsync.User:  {"active", "emails", "entitlements", "externalid", "roles", "username", "usertype"},
	graphsync.Group: {"displayname", "externalid"},
}

func identifies(kind graphsync.Kind, path string) bool {
	return slices.Contains(identity[kind], AttributeName(path))
}

// refers reports whether an attribute holds accounts of other people.
func refers(path string) bool { return AttributeName(path) == "manager" }

// AttributeName returns the name of an attribute in lower case, without its schema and sub-attribute.
func AttributeName(path string) string {
	parsed, err := target.ParsePath(path)
	if err != nil {
		return strings.ToLower(path)
	}
	return strings.ToLower(parsed.Name())
}

// Effect identifies what an action removes, takes over and changes, without the words about it:
// actions with the same effect do not diverge.
func (a *StoredAction) Effect() string {
	of := StoredAction{Action: Action{Op: a.Op, Kind: a.Kind, SourceID: a.SourceID, Remove: a.Remove, Cause: a.Cause},
		Former: a.Former, FormerOwner: a.FormerOwner, Leaving: a.Leaving}
	if a.Op != Members {
		of.TargetID = a.TargetID
	}
	for _, change := range a.Changes {
		switch {
		case a.Op == Deactivate, refers(change.Attribute):
		case (a.Op == Create || a.Op == Adopt) && !identifies(a.Kind, change.Attribute):
		default:
			of.Changes = append(of.Changes, Change{Attribute: change.Attribute, New: change.New})
		}
	}
	return (&of).digest()
}

func (a *StoredAction) digest() string {
	sum := sha256.Sum256(Encode(a))
	return hex.EncodeToString(sum[:16])
}
