package main

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"entrasync/target/scim/scimtest"
)

var zabbixDir = flag.String("zabbix", "", "folder into which zabbix/install has put Zabbix")

// Zabbix is a product with SCIM and a database of its own. It runs every script of testdata/stories and
// testdata/scim: as it stands, or a script of the same name in testdata/zabbix where Zabbix lacks
// what the script is about. The other scripts of that folder are about Zabbix alone.
func TestZabbix(t *testing.T) {
	if *zabbixDir == "" {
		t.Skip("make zabbix runs it")
	}
	zabbix = scimtest.StartZabbix(t, *zabbixDir)
	runScriptFiles(t, zabbixScripts(t), "zabbix")
}

// zabbix is where scripts of the kind zabbix get their server.
var zabbix *scimtest.ZabbixCluster

func zabbixScripts(t *testing.T) []string {
	t.Helper()
	byName := map[string]string{}
	for _, dir := range []string{"stories", "scim", "zabbix"} { // the last one counts
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no scripts in %s: %v", dir, err)
		}
		for _, file := range files {
			byName[filepath.Base(file)] = file
		}
	}
	var files []string
	for _, file := range byName {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// notInZabbix are the attributes that Zabbix does not keep, as the accounts command prints them.
var notInZabbix = regexp.MustCompile(` (externalId|department)=("[^"]*"|\S+)`)

// forZabbix takes what Zabbix does not keep out of the accounts that a script expects.
func forZabbix(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != "" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, notInZabbix.ReplaceAll(text, nil), 0o600)
	})
}
