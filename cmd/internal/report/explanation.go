package report

import (
	"fmt"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/reconcile"
)

// Explanation prints why a sync has, or has not, an account for a user or group.
func Explanation(o console.Output, s *compile.Sync, x *reconcile.Explanation) error {
	fmt.Fprintf(o.W, "%s, tenant %s: %s %s (%s)\n", s.Name, s.TenantName, x.Subject.Kind, console.Printable(x.Subject.Key), x.Subject.SourceID)
	for _, step := range x.Because {
		fmt.Fprintf(o.W, "  %-10s %-9s %s\n", step.Step, step.Result, console.Printable(step.Detail))
	}
	if len(x.Attributes) > 0 {
		err := o.Table("  attribute\texpression\tvalue\tapplied", func(row func(...any)) {
			for _, attribute := range x.Attributes {
				row("  "+attribute.Attribute, attribute.Expression, shown(attribute.Value), shown(attribute.Applied))
			}
		})
		if err != nil {
			return err
		}
	}
	for _, pending := range x.Pending {
		fmt.Fprintf(o.W, "  pending: %s\n", console.Printable(pending))
	}
	if last := x.LastOutcome; last != nil {
		switch {
		case last.Code != "":
			fmt.Fprintf(o.W, "  last outcome: %s: %s (%s)\n", last.Op, console.Printable(last.Message), last.Code)
		case last.At != nil:
			fmt.Fprintf(o.W, "  last outcome: %s at %s\n", last.Op, console.LocalTime(*last.At))
		}
	}
	return nil
}
