package starter

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Ask asks for what is not known yet, again after an answer that cannot be. An empty answer leaves a question for
// later; the end of the input leaves the rest.
func (a *Answers) Ask(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	ask := func(question string, to *string, check func(string) error) bool {
		for *to == "" {
			fmt.Fprintf(out, "%s: ", question)
			if !lines.Scan() {
				fmt.Fprintln(out)
				return false
			}
			answer := strings.TrimSpace(lines.Text())
			if answer == "" {
				return true
			}
			if err := check(answer); err != nil {
				fmt.Fprintf(out, "  %s\n", strings.NewReplacer("--tenant", "that", "--client-id", "that", "--target", "that", "--url", "that").Replace(err.Error()))
				continue
			}
			*to = answer
		}
		return true
	}
	if ask("Directory (tenant) ID (Enter: later)", &a.Tenant, func(s string) error { return CheckID("--tenant", s, "it") }) &&
		ask("Application (client) ID of the app registration (Enter: later; entrasync register makes one)", &a.ClientID, func(s string) error { return CheckID("--client-id", s, "it") }) &&
		ask("Type of the application: "+strings.Join(Types(), ", ")+" (Enter: scim)", &a.Target, CheckType) && hasURL(a.kind()) {
		ask("Its address (Enter: later)", &a.URL, a.CheckURL)
	}
	return lines.Err()
}
