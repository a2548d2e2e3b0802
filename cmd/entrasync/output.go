package main

import (
	"encoding/json"
	"fmt"

	"entrasync/cmd/internal/console"
	"entrasync/reconcile"
)

// printJSON prints one document on one line.
func (a *app) printJSON(document any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// console is where text for people goes.
func (a *app) console() console.Output { return console.To(a.out, a.mayColour()) }

func (a *app) mayColour() bool {
	no, set := a.env("NO_COLOR")
	return !set || no == ""
}

// progress draws how far a cycle is on a terminal's standard error, and nothing elsewhere.
func (a *app) progress(name string) (report reconcile.Progress, done func()) {
	if !console.IsTerminal(a.err) || a.json && console.IsTerminal(a.out) {
		return nil, func() {}
	}
	return console.Progress(a.err, name)
}
