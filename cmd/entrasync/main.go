// Command entrasync keeps an application's accounts in step with Microsoft Entra ID.
//
// This package holds the commands, one file each: flags, which documents are printed, and exit codes. What they work
// with is in cmd/internal: lookup finds what a line names, inspect reads the state, report prints for people, check
// tests connections, worker and service do the rest. entra is the one link to the Graph SDK. It decides nothing
// about accounts; reconcile does. Only main exits, with one of the codes in exit.go; data goes to standard output,
// everything else to standard error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv}
	return a.main(ctx, os.Args[1:])
}
