// Command entrasync keeps an application's accounts in step with Microsoft Entra ID.
//
// This package holds the commands, one file each, and the wiring (build.go: configuration →
// live parts). It decides nothing about accounts; reconcile does. Only main exits, with one of
// the codes in exit.go; data goes to standard output, everything else to standard error.
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
