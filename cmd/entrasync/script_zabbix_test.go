package main

import (
	"flag"
	"testing"

	"entrasync/target/scim/scimtest"
)

var zabbixDir = flag.String("zabbix", "", "folder into which zabbix/install has put Zabbix")

// Zabbix is a product with SCIM and a database of its own. `make zabbix` installs it and runs the
// scripts of testdata/zabbix against it.
func TestZabbix(t *testing.T) {
	if *zabbixDir == "" {
		t.Skip("on demand: make zabbix")
	}
	zabbix = scimtest.StartZabbix(t, *zabbixDir)
	runScripts(t, "testdata/zabbix", "zabbix")
}

// zabbix is where scripts of the kind zabbix get their server.
var zabbix *scimtest.ZabbixCluster
