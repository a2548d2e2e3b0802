// Package words puts figures into English: one wording for the command line and the log.
//
// It formats and decides nothing.
package words

import (
	"cmp"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// Count writes a number with its noun, in the plural where English wants it.
func Count(n int, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, plural)
}

// Done says what a cycle did, leaving out what is zero.
func Done(report *reconcile.Report) string {
	s := report.Summary
	u, g := &s.Users, &s.Groups
	failedGroups := 0
	for i := range report.Errors {
		if report.Errors[i].Kind == graphsync.Group {
			failedGroups++
		}
	}
	counts := []kindCount{
		{"created", s.Create, u.Create, g.Create}, {"adopted", s.Adopt, u.Adopt, g.Adopt}, {"updated", s.Update, u.Update, g.Update},
		{"deactivated", s.Deactivate, u.Deactivate, g.Deactivate}, {"reactivated", s.Reactivate, u.Reactivate, g.Reactivate},
		{"deleted", s.Delete, u.Delete, g.Delete}, {"group memberships written", s.Members, 0, 0}, {"unlinked", s.Unlink, u.Unlink, g.Unlink},
		{"failed", len(report.Errors), len(report.Errors) - failedGroups, failedGroups},
		{"held", s.Held, u.Held, g.Held}, {"skipped", s.Skipped, u.Skipped, g.Skipped},
	}
	parts := countsByKind(counts)
	if len(parts) == 0 {
		parts = append(parts, "nothing to do", fmt.Sprintf("%d unchanged", s.Unchanged))
		counts = []kindCount{{"unchanged", s.Unchanged, u.Unchanged, g.Unchanged}}
	}
	if s.Rejected > 0 {
		parts = append(parts, fmt.Sprintf("%d rejected", s.Rejected))
	}
	return strings.Join(parts, ", ") + apart(counts)
}

// Planned says what a plan would do, leaving out what is zero.
func Planned(s reconcile.Summary) string {
	u, g := &s.Users, &s.Groups
	counts := []kindCount{
		{"to create", s.Create, u.Create, g.Create}, {"to adopt", s.Adopt, u.Adopt, g.Adopt}, {"to update", s.Update, u.Update, g.Update},
		{"to deactivate", s.Deactivate, u.Deactivate, g.Deactivate}, {"to reactivate", s.Reactivate, u.Reactivate, g.Reactivate},
		{"to delete", s.Delete, u.Delete, g.Delete}, {"groups with member changes", s.Members, 0, 0}, {"to unlink", s.Unlink, u.Unlink, g.Unlink},
		{"held", s.Held, u.Held, g.Held}, {"rejected", s.Rejected, u.Rejected, g.Rejected}, {"skipped", s.Skipped, u.Skipped, g.Skipped},
	}
	unchanged := kindCount{"unchanged", s.Unchanged, u.Unchanged, g.Unchanged}
	parts := countsByKind(counts)
	if len(parts) == 0 {
		return fmt.Sprintf("nothing to do (%d unchanged%s)", s.Unchanged, apart([]kindCount{unchanged}))
	}
	counts = append(counts, unchanged)
	parts = countsByKind(counts)
	if s.Seats.After != s.Seats.Before {
		parts = append(parts, fmt.Sprintf("active accounts: %d → %d", s.Seats.Before, s.Seats.After))
	}
	return strings.Join(parts, ", ") + apart(counts)
}

// A kindCount is a figure of a summary, with how much of it each kind has.
type kindCount struct {
	what          string
	n             int
	users, groups int
}

// singular are figures in words whose singular differs.
var singular = map[string]string{"group memberships written": "group membership written", "groups with member changes": "group with member changes"}

// countsByKind writes figures in words, leaving out what is zero.
func countsByKind(counts []kindCount) (parts []string) {
	for _, c := range counts {
		if c.n > 0 {
			parts = append(parts, Count(c.n, cmp.Or(singular[c.what], c.what), c.what))
		}
	}
	return parts
}

// apart counts users and groups apart, where groups are among what is counted: "" otherwise. What
// only groups have is in the sum already.
func apart(counts []kindCount) string {
	var users, groups []string
	for _, c := range counts {
		if c.users > 0 {
			users = append(users, fmt.Sprintf("%d %s", c.users, c.what))
		}
		if c.groups > 0 {
			groups = append(groups, fmt.Sprintf("%d %s", c.groups, c.what))
		}
	}
	if len(groups) == 0 {
		return ""
	}
	text := "; groups: " + strings.Join(groups, ", ")
	if len(users) > 0 {
		text = "; users: " + strings.Join(users, ", ") + text
	}
	return text
}
