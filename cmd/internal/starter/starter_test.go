package starter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/starter"
)

const id = "11111111-1111-1111-1111-111111111111"

func load(t *testing.T, text string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrasync.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := compile.Load(file)
	return err
}

// The configuration of every type of target loads as it is, with answers and without.
func TestEveryTypeLoads(t *testing.T) {
	t.Parallel()
	for _, kind := range starter.Types() {
		known := starter.Answers{Tenant: id, ClientID: "6a1e0000-0000-0000-0000-000000000001", Target: kind}
		text := starter.Configuration(known)
		if err := load(t, text); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, text)
		}
		if !strings.Contains(text, "type: "+kind) || !strings.Contains(text, "    id: "+id) || strings.Contains(text, "00000000-") {
			t.Errorf("%s: not all answers are in it:\n%s", kind, text)
		}
	}
	if err := load(t, starter.Rehearsal(starter.DefaultEmulator, id, id, "secret")); err != nil {
		t.Error(err)
	}
}

// An address of whatever characters is one value.
func TestAddressIsQuoted(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"scim", "webhook"} {
		known := starter.Answers{Tenant: id, ClientID: id, Target: kind, URL: "https://example.com/v2?a=${HOME}&'x: y"}
		text := starter.Configuration(known)
		if err := known.Validate(); err != nil {
			t.Error(err)
		}
		if err := load(t, text); err != nil || !strings.Contains(text, `'https://example.com/v2?a=$${HOME}&''x: y'`) {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for want, known := range map[string]starter.Answers{
		"--tenant is \"contoso\", want an id":           {Tenant: "contoso"},
		"--client-id is the placeholder":                {ClientID: "00000000-0000-0000-0000-000000000000"},
		"want one of exec, file":                        {Target: "scmi"},
		"type file has no address":                      {Target: "file", URL: "https://x.example"},
		`--url is "scim.example.com", want an address`:  {URL: "scim.example.com"},
		`--url is "ftp://example.com", want an address`: {URL: "ftp://example.com"},
	} {
		if err := known.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", known, err, want)
		}
	}
}

// A wrong answer is asked for again; an empty one and the end of the input leave the rest for later.
func TestAsk(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	a := starter.Answers{ClientID: id}
	if err := a.Ask(strings.NewReader("contoso\n "+id+" \nmagic\nwebhook\nnowhere\nhttps://hook.example.com\n"), &out); err != nil {
		t.Fatal(err)
	}
	if want := (starter.Answers{Tenant: id, ClientID: id, Target: "webhook", URL: "https://hook.example.com"}); a != want {
		t.Errorf("got %+v", a)
	}
	for _, want := range []string{`that is "contoso", want an id`, `that is "magic", want one of`, `that is "nowhere", want an address`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it did not say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "client") {
		t.Errorf("what is known was asked for:\n%s", out.String())
	}
	b := starter.Answers{}
	if err := b.Ask(strings.NewReader("\n"), &out); err != nil || b != (starter.Answers{}) {
		t.Errorf("%+v, %v", b, err)
	}
}
