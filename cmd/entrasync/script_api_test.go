package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// The api command calls the administration API of the service, as a console does.
//
//	api STATUS METHOD PATH [BODY]   call it; the response must have that status; print its body
func apiCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: api STATUS METHOD PATH [BODY]")
	}
	socket := filepath.Join(ts.MkAbs("state"), "entrasync.sock")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	request, err := http.NewRequest(args[1], "http://entrasync"+args[2], strings.NewReader(strings.Join(args[3:], "")))
	ts.Check(err)
	if len(args) == 4 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s", text)
	if want, err := strconv.Atoi(args[0]); err != nil || response.StatusCode != want {
		ts.Fatalf("%s %s answers %s, want %s:\n%s", args[1], args[2], response.Status, args[0], text)
	}
}
