package graphsync_test

import (
	"errors"
	"strings"
	"testing"

	"entrasync/graphsync"
)

func TestParseCloud(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]graphsync.Cloud{
		"public": graphsync.Public, "usgov": graphsync.USGov, "usgov-dod": graphsync.USGovDoD, "china": graphsync.China,
	} {
		got, err := graphsync.ParseCloud(name)
		if err != nil || got != want || got.IsCustom() {
			t.Errorf("%s is %+v, %v", name, got, err)
		}
		if err := got.CheckLink(got.Graph + "/v1.0/users/delta?$deltatoken=x"); err != nil {
			t.Errorf("%s: its own link: %v", name, err)
		}
		if _, err := graphsync.CustomCloud(got.Authority, got.Graph); err != nil {
			t.Errorf("%s as a custom cloud: %v", name, err)
		}
	}
	for _, name := range []string{"", "Public", "germany"} {
		if _, err := graphsync.ParseCloud(name); err == nil {
			t.Errorf("%q is a cloud", name)
		}
	}
	if got := graphsync.USGov.Scope(); got != "https://graph.microsoft.us/.default" {
		t.Errorf("scope %s", got)
	}
}

func TestCustomCloud(t *testing.T) {
	t.Parallel()
	cloud, err := graphsync.CustomCloud("https://LOGIN.test:8443/", "https://graph.test")
	if err != nil || cloud.Authority != "https://login.test:8443" || cloud.Graph != "https://graph.test" || !cloud.IsCustom() {
		t.Errorf("%+v, %v", cloud, err)
	}
	for _, address := range []string{
		"", "login.test", "http://login.test", "https://", "https:///x", "https://user:secret@login.test", "https://login.test/v1.0",
		"https://login.test?x", "https://login.test/?", "https://login.test#x", "https://login .test", "ftp://login.test",
	} {
		for _, pair := range [][2]string{{address, "https://ok.test"}, {"https://ok.test", address}} {
			if got, err := graphsync.CustomCloud(pair[0], pair[1]); err == nil {
				t.Errorf("%q is accepted as %+v", address, got)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("a password shows: %v", err)
			}
		}
	}
}

func TestCheckLink(t *testing.T) {
	t.Parallel()
	custom, err := graphsync.CustomCloud("https://127.0.0.1:8443", "https://127.0.0.1:8443")
	if err != nil {
		t.Fatal(err)
	}
	for link, cloud := range map[string]graphsync.Cloud{
		"https://graph.microsoft.com/v1.0/users/delta?$skiptoken=x":     graphsync.Public,
		"https://GRAPH.microsoft.com:443/v1.0/users/delta":              graphsync.Public,
		"https://127.0.0.1:8443/v1.0/users/delta":                       custom,
		"https://dod-graph.microsoft.us/v1.0/groups/delta?$deltatoken=": graphsync.USGovDoD,
	} {
		if err := cloud.CheckLink(link); err != nil {
			t.Errorf("%s: %v", link, err)
		}
	}
	for _, link := range []string{
		"", "/v1.0/users", "//graph.microsoft.com/v1.0", "graph.microsoft.com/v1.0", "http://graph.microsoft.com/v1.0", "https:graph.microsoft.com/v1.0",
		"https://graph.microsoft.com:8443/", "https://graph.microsoft.com.evil.test/", "https://evil.test/graph.microsoft.com", "https://graph.microsoft.us/",
		"https://graph.microsoft.com@evil.test/", "https://x@graph.microsoft.com/", `https://graph.microsoft.com\@evil.test/`, "https://graph.microsoft.com./",
		"https://evil.test#graph.microsoft.com", "ftp://graph.microsoft.com/", "https://[::1]/", "::", "https://graph.microsoft.com:x/",
	} {
		if err := graphsync.Public.CheckLink(link); !errors.Is(err, graphsync.ErrForeignLink) {
			t.Errorf("%q: %v", link, err)
		}
	}
	for _, link := range []string{"https://127.0.0.1/", "https://127.0.0.1:443/", "https://localhost:8443/"} {
		if custom.CheckLink(link) == nil {
			t.Errorf("%q is accepted", link)
		}
	}
	if (graphsync.Cloud{}).CheckLink("https:///") == nil {
		t.Error("a cloud without a host accepts a link without one")
	}
	if err := graphsync.Public.CheckLink("https://evil.test/?$deltatoken=SECRET"); strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the token shows: %v", err)
	}
}

func FuzzCheckLink(f *testing.F) {
	f.Add("https://graph.microsoft.com/v1.0/users/delta?$skiptoken=x")
	f.Add("https://graph.microsoft.com@evil.test/")
	f.Fuzz(func(t *testing.T, link string) {
		if graphsync.Public.CheckLink(link) != nil {
			return
		}
		rest, ok := strings.CutPrefix(link, "https://")
		if !ok {
			rest, ok = strings.CutPrefix(strings.ToLower(link), "https://")
		}
		host := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			host = rest[:i]
		}
		host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), "443"), ":")
		if !ok || host != "graph.microsoft.com" {
			t.Errorf("%q is accepted", link)
		}
	})
}
