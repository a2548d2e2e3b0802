package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// floorGroup is how many accounts share a sync of the floor.
const floorGroup = 16

// writeFloor writes what a first cycle must make durable and nothing else: a line for each account and a
// line for each link, both synced in groups. arg is a path and a number of accounts, with a colon between.
func writeFloor(arg string) (err error) {
	path, text, _ := strings.Cut(arg, ":")
	accounts, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("-floor: %w", err)
	}
	people, err := os.Create(path + ".jsonl")
	if err != nil {
		return err
	}
	links, err := os.Create(path + ".links")
	if err != nil {
		return errors.Join(err, people.Close())
	}
	defer func() { err = errors.Join(err, people.Close(), links.Close()) }()
	p, l := bufio.NewWriter(people), bufio.NewWriter(links)
	for i := range accounts {
		fmt.Fprintf(p, `{"id":"%032x","userName":"user%d@contoso.example","externalId":"%032x","displayName":"User %d","active":true,`+
			`"name":{"givenName":"Given","familyName":"Family %d"},"title":"Engineer","emails":[{"type":"work","value":"user%d@contoso.example"}]}`+"\n", i, i, i, i, i, i)
		fmt.Fprintf(l, "%032x %032x %064x\n", i, i, i)
		if i%floorGroup == floorGroup-1 || i == accounts-1 {
			if err := errors.Join(p.Flush(), people.Sync(), l.Flush(), links.Sync()); err != nil {
				return err
			}
		}
	}
	return nil
}
