package report

import (
	"cmp"
	"fmt"

	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
)

// Invitations prints a table of the links that were made.
func Invitations(o console.Output, shown []inspect.Invitation) error {
	if len(shown) == 0 {
		fmt.Fprintln(o.W, "There is no invitation. Make a link with: entrasync consent --note NAME")
		return nil
	}
	return o.Table("invitation\tfor\tstate\tgood until\tmessage", func(row func(...any)) {
		for _, i := range shown {
			whom := i.Note
			if whom == "" && i.Tenant != nil {
				whom = "tenant " + *i.Tenant
			}
			message := i.Message
			if i.Declined != nil {
				message = fmt.Sprintf("%s, %s", i.Declined.Reason, console.LocalTime(i.Declined.At))
			}
			row(i.Invitation, console.Printable(cmp.Or(whom, "any tenant")), i.State, console.LocalTime(i.Expires), console.Printable(message))
		}
	})
}
