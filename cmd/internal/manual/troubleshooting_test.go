package manual

import (
	"strings"
	"testing"
)

func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	got := Troubleshooting(map[string]string{"removals": "a guard: too many. Approve.", "throttled": "asked to wait.", "ambiguous": "several fit."})
	_, got, _ = strings.Cut(got, "\n## Codes\n")
	want := "\n### ambiguous\n\nSeveral fit.\n\n### throttled\n\nAsked to wait.\n\n## Guards\n\n### removals\n\nToo many. Approve.\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
