// Command entrasync keeps an application's accounts in step with Microsoft Entra ID.
//
// This package holds the commands, one file each: their flags and help, and which package of cmd/internal does the work.
// There lookup finds what a line names, inspect reads the state, report prints for people, check tests connections,
// cycles plans and syncs, worker and service keep a configuration open. entra is the one link to the Graph SDK.
// Accounts are decided about in reconcile alone. Only main exits, with one of the codes of package exit; data goes to
// standard output, everything else to standard error.
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
