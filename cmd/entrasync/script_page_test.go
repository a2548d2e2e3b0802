package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// The page command looks at what the service serves, as a browser does.
//
//	page PATH                    print it; a status other than 200 is an error
//	page approve CAUSE           press the button of that hold on the page Holds; and reject
func (w *world) pageCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || w.service == nil {
		ts.Fatalf("usage: page PATH or page approve CAUSE, after service start")
	}
	text, err := w.service.page(args)
	switch {
	case err != nil && !neg:
		ts.Fatalf("page %s: %v\n%s", strings.Join(args, " "), err, text)
	case err == nil && neg:
		ts.Fatalf("page %s succeeded", strings.Join(args, " "))
	}
	fmt.Fprint(ts.Stdout(), text)
}

var (
	pageLogged = regexp.MustCompile(`page=(http://\S+)`)
	pageForm   = regexp.MustCompile(`(?s)<h2><a href="[^"]*">([^<]*)</a></h2>.*?<form action="([^"]*)".*?name="token" value="(\w*)".*?name="digest" value="(\w*)"`)
)

// pageAddress is where the service said last that its pages are.
func (d *daemonProcess) pageAddress() (address string, err error) {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	for _, line := range d.log.all {
		if match := pageLogged.FindStringSubmatch(line); match != nil {
			address = match[1]
		}
	}
	if address == "" {
		return "", fmt.Errorf("the service has not told its address yet; wait for it: service logged 'page=http'")
	}
	return address, nil
}

func (d *daemonProcess) page(args []string) (string, error) {
	address, err := d.pageAddress()
	if err != nil {
		return "", err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar}
	if len(args) == 1 {
		return read(browser.Get(address + args[0]))
	}
	holds, err := read(browser.Get(address + "/holds"))
	if err != nil {
		return holds, err
	}
	forms := pageForm.FindAllStringSubmatch(holds, -1)
	at := slices.IndexFunc(forms, func(f []string) bool { return f[1] == args[1] })
	if at < 0 {
		return holds, fmt.Errorf("no form for the hold %q", args[1])
	}
	form := forms[at]
	return read(browser.PostForm(address+form[2], url.Values{"token": {form[3]}, "digest": {form[4]}, "answer": {args[0]}}))
}

func read(response *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", response.Status)
	}
	return string(text), err
}

// freePort lets the pages listen wherever there is room, so that several scripts can have a
// service at once.
func freePort(config string) error {
	text, err := os.ReadFile(config)
	if err != nil || regexp.MustCompile(`(?m)^http:`).Match(text) {
		return err
	}
	return os.WriteFile(config, append(text, "\nhttp: {listen: \"127.0.0.1:0\"}\n"...), 0o600)
}
