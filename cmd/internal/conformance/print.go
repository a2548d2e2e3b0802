package conformance

import (
	"context"
	"errors"
	"io"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/exit"
	"entrasync/target/targettest"
)

// Confirm has a user at a terminal confirm that accounts are made and deleted. Elsewhere --yes is needed.
func Confirm(in io.Reader, p console.Printer) error {
	reply, ok := p.Ask(in, "Go ahead? [yes/no] ")
	switch {
	case !ok:
		return advice.With(errors.New("nothing was tested: there is no terminal to ask on"), "give --yes")
	case reply != "yes" && reply != "y":
		return errors.New("nothing was tested")
	}
	return nil
}

// Print tries the rules and prints what came of each.
func (r *Run) Print(ctx context.Context, p console.Printer) error {
	text := Printer{Out: p.Out.W, Paint: p.Out.Paint}
	var each func(*targettest.Outcome)
	if !p.JSON {
		each = text.Outcome
	}
	document, err := r.Do(ctx, each)
	if err != nil {
		return err
	}
	if p.JSON {
		err = p.Document(document)
	} else {
		text.Summary(document)
	}
	if err == nil && document.Summary.Broken > 0 {
		err = exit.With(exit.Partial)
	}
	return err
}
