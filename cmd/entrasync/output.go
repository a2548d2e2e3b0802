package main

import (
	"entrasync/cmd/internal/console"
)

// console is where text for people goes.
func (a *app) console() console.Output { return console.To(a.out, a.mayColour()) }

// printer is where documents, text for people and notes go.
func (a *app) printer() console.Printer {
	return console.Printer{Out: a.console(), Err: a.err, JSON: a.json}
}

func (a *app) mayColour() bool {
	no, set := a.env("NO_COLOR")
	return !set || no == ""
}
