package scim_test

import (
	"testing"
	"time"

	"entrasync/target"
	"entrasync/target/scim"
	"entrasync/target/scim/scimtest"
	"entrasync/target/targettest"
)

// adapter returns an adapter for a server, with an own transport.
func adapter(tb testing.TB, cfg scim.Config, transport target.TransportConfig) *scim.Adapter {
	tb.Helper()
	if transport.Backoff == 0 {
		transport.Backoff = time.Millisecond
	}
	t, err := target.NewTransport(transport)
	if err != nil {
		tb.Fatal(err)
	}
	a, err := scim.New(cfg, t)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func bearer(token string) target.Auth {
	return target.Auth{Bearer: func() (string, error) { return token, nil }}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, server := range []struct {
		name  string
		start func(testing.TB, scimtest.Options) *scimtest.Server
		// Neither takes EntraLegacy's texts for booleans.
		dialects []scim.Dialect
	}{
		{"Elimity", scimtest.Elimity, []scim.Dialect{scim.RFC, scim.Okta, scim.Entra2020}},
		{"SCIMMY", scimtest.SCIMMY, []scim.Dialect{scim.RFC}},
	} {
		for _, dialect := range server.dialects {
			t.Run(server.name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				targettest.Run(t, targettest.Harness{New: func(tb testing.TB) targettest.App {
					s := server.start(tb, scimtest.Options{TLS: true})
					open := func(tb testing.TB) target.Adapter {
						return adapter(tb, scim.Config{URL: s.URL, Dialect: dialect}, target.TransportConfig{Auth: bearer(s.Token), CAFile: s.CAFile})
					}
					return targettest.App{Adapter: open(tb), Reopen: open, ReadBack: func(tb testing.TB) (users, groups []target.Resource) {
						return held(target.User, s.Users(tb)), held(target.Group, s.Groups(tb))
					}}
				}, Quirky: quirky(server.name, dialect)})
			})
		}
	}
}

// quirks are what scimtest calls the suite's quirks.
var quirks = map[targettest.Quirk]scimtest.Quirk{
	targettest.HidesTitle: "hides:title", targettest.DropsTypes: "drops:type", targettest.Respells: "respells:trim",
	targettest.OddForEve: "page:eve", targettest.Busy: "busy:PATCH", targettest.SmallPages: "most:20",
	targettest.StrictMembers: "strict-members:409", targettest.WholeGroups: "whole-groups", targettest.LateGroups: "late-groups",
}

// quirky makes Elimity's server behave as some do, for the default dialect.
func quirky(server string, dialect scim.Dialect) func(testing.TB, targettest.Quirk) targettest.App {
	if server != "Elimity" || dialect != scim.RFC {
		return nil
	}
	return func(tb testing.TB, quirk targettest.Quirk) targettest.App {
		s := scimtest.Elimity(tb, scimtest.Options{Quirks: []scimtest.Quirk{quirks[quirk]}})
		return targettest.App{
			Adapter: adapter(tb, scim.Config{URL: s.URL}, target.TransportConfig{Auth: bearer(s.Token)}),
			ReadBack: func(tb testing.TB) (users, groups []target.Resource) {
				return held(target.User, s.Users(tb)), held(target.Group, s.Groups(tb))
			},
		}
	}
}

func held(kind target.Kind, objects []map[string]any) []target.Resource {
	var all []target.Resource
	for _, object := range objects {
		all = append(all, target.Resource{Ref: target.Ref{Kind: kind, ID: object["id"].(string)}, Attributes: object})
	}
	return all
}
