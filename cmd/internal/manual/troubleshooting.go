package manual

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const troubleshooting = `# Troubleshooting

The list of codes is made from the program: ` + "`go test ./cmd/entrasync -run Reference -update`" + `.

## Where to look

| question | command |
|---|---|
| Do the configuration, the sign-in, each permission and each application work? | ` + "`entrasync check`" + ` |
| What did the last cycle do, what failed, and what waits? | ` + "`entrasync status`" + `, ` + "`entrasync runs`" + ` |
| Why has a user this account, or none? | ` + "`entrasync explain USER`" + ` |
| What would a cycle do now? | ` + "`entrasync plan`" + ` |
| What waits for an approval, and whom does it concern? | ` + "`entrasync holds`" + ` |
| What does a code mean? | ` + "`entrasync explain CODE`" + `, or below |
| What did the service log? | ` + "`journalctl -u entrasync`" + `; ` + "`--log-level debug`" + ` adds every request, without bodies and secrets |

| exit code | meaning | next |
|---|---|---|
| 0 | done, or nothing to do | |
| 1 | it could not run: configuration, credential, directory, application or state | the message says which; ` + "`entrasync check`" + ` |
| 2 | changes are pending (` + "`plan --exit-code`" + `, ` + "`drift --exit-code`" + `) | |
| 3 | it ran, and some records failed or were skipped | ` + "`entrasync status`" + ` names them with a code |
| 4 | it ran, and something is held | ` + "`entrasync holds`" + `, then ` + "`approve`" + ` or ` + "`reject`" + ` |
| 5 | another process has the state, or the tenant | wait for it, or ask the service through the same command |
`

// Troubleshooting is the page of codes: where to look, the codes of reports, and the guards that hold actions. A text that
// begins with "a guard: " is that of a guard.
func Troubleshooting(codes map[string]string) string {
	var b strings.Builder
	b.WriteString(troubleshooting)
	write := func(title string, guards bool) {
		fmt.Fprintf(&b, "\n## %s\n", title)
		for _, code := range slices.Sorted(maps.Keys(codes)) {
			text, guard := strings.CutPrefix(codes[code], "a guard: ")
			if guard == guards {
				fmt.Fprintf(&b, "\n### %s\n\n%s\n", code, strings.ToUpper(text[:1])+text[1:])
			}
		}
	}
	write("Codes", false)
	write("Guards", true)
	return b.String()
}
