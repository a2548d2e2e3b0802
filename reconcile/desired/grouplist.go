package desired

import (
	"slices"
	"strings"

	"entrasync/graphsync"
)

// A GroupList names groups: by object id, by display name, or by a pattern of display names in which * stands for any
// text, none included. Case does not matter.
type GroupList []string

// Has reports whether a group is on the list.
func (l GroupList) Has(id graphsync.ID, displayName string) bool {
	return slices.ContainsFunc(l, func(entry string) bool {
		return strings.EqualFold(entry, id.String()) || strings.EqualFold(entry, displayName) ||
			strings.Contains(entry, "*") && matches(strings.ToLower(entry), strings.ToLower(displayName))
	})
}

// matches reports whether text is what a pattern says, in which * stands for any text. Each part between two stars is
// taken at its first place: a later one never lets more of the rest match.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		if _, text, ok = strings.Cut(text, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, parts[last])
}
