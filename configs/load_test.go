package configs_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/configs"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Options as adapters have them.
type (
	scimOptions struct {
		URL     string            `yaml:"url" format:"url" required:"true" doc:"Base address."`
		Auth    scimAuth          `yaml:"auth" doc:"Credential."`
		Timeout time.Duration     `yaml:"timeout" doc:"Of one request."`
		Rate    float64           `yaml:"rate" min:"0" doc:"Requests a second."`
		Headers map[string]string `yaml:"headers" doc:"Sent with each request."`
	}
	scimAuth struct {
		Bearer secret     `yaml:"bearer_token" oneof:"kind"`
		Basic  *scimBasic `yaml:"basic" oneof:"kind"`
	}
	secret    func() (string, error)
	scimBasic struct {
		Username     string `yaml:"username" required:"true"`
		Password     string `yaml:"password"`
		PasswordFile string `yaml:"password_file"`
	}
	fileOptions struct {
		Path string `yaml:"path" format:"path" required:"true"`
	}
)

func (o *scimOptions) SetDefaults() { o.Timeout = 30 * time.Second }

func optionTypes() map[string]any {
	return map[string]any{"scim": new(scimOptions), "file": new(fileOptions)}
}

// targets decodes the options of targets, as the program's wiring does.
func targets(c *configs.Config) configs.Faults {
	var faults configs.Faults
	for name, t := range c.Targets.All() {
		types := optionTypes()
		into, ok := types[t.Type]
		if !ok {
			if t.Type != "" {
				faults = append(faults, configs.Fault{Position: t.Pos, Key: "targets." + name + ".type", Message: "no such type of target",
					Hint: "did you mean " + configs.Nearest(t.Type, slices.Sorted(maps.Keys(types))) + "?"})
			}
			continue
		}
		if err := t.Options.Decode(into); err != nil {
			faults = append(faults, err.(configs.Faults)...)
		}
	}
	return faults
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

var forms = env("STATE", "var/state", "SECRET", "planted-secret", "COUNT", "12", "TWO", "22222222-2222-2222-2222-222222222222",
	"CREDENTIALS_DIRECTORY", "/run/credentials/entrasync.service")

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t *testing.T, text string, lookup func(string) (string, bool)) *configs.Config {
	t.Helper()
	c, err := configs.Parse("dir/entrasync.yaml", []byte(text), lookup, targets)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return found
}

func TestGood(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if _, err := configs.Parse(file, read(t, file), forms, targets); err != nil {
				t.Error(err)
			}
		})
	}
}

// Each file breaks one rule. The .want file of the same name has what the loader says, after a line with what
// the JSON Schema makes of it.
func TestBad(t *testing.T) {
	t.Parallel()
	compiled := compileSchema(t)
	for _, file := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data := read(t, file)
			c, err := configs.Parse(filepath.Base(file), data, env(), targets)
			if err == nil || c != nil {
				t.Fatalf("loads: %v", err)
			}
			if _, ok := err.(configs.Faults); !ok {
				t.Fatalf("the error is a %T", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message shows a secret: %v", err)
			}
			got := "schema: " + verdict(compiled, data) + "\n" + err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"file too large": {strings.Repeat("# filler\n", 500_000), "larger than 4 MiB"},
		"not UTF-8":      {"state: a\nschedule: \xff\n", "big.yaml:2:11: the file is not UTF-8"},
		"variables":      {"state: [" + strings.Repeat("'${BIG}',", 300) + "]", "longer than 16 MiB"},
		"control":        {"state: \"a\x01\"", "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := configs.Parse("big.yaml", []byte(c.text), env("BIG", strings.Repeat("x", 100_000)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestLoadAndFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := configs.Load(filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(err.Error(), "entrasync init") {
		t.Errorf("missing file: %v", err)
	}
	file := filepath.Join(dir, "entrasync.yaml")
	if err := os.WriteFile(file, []byte(configs.Starter()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(file, targets)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "client-secret"); c.App.ClientSecret.File != want {
		t.Errorf("client secret in %s, want %s", c.App.ClientSecret.File, want)
	}
	if first, _, _ := strings.Cut(configs.Starter(), "\n"); first != "# yaml-language-server: $schema=entrasync.schema.json" {
		t.Errorf("editors do not find the schema: %s", first)
	}
	if got, err := configs.Find(file); got != file || err != nil {
		t.Errorf("explicit file: %s, %v", got, err)
	}
}

func TestFindNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	got, err := configs.Find("")
	if _, statErr := os.Stat("/etc/entrasync/entrasync.yaml"); statErr == nil {
		if got != "/etc/entrasync/entrasync.yaml" {
			t.Errorf("found %q, %v", got, err)
		}
	} else if err == nil || !strings.Contains(err.Error(), "entrasync init") {
		t.Errorf("nothing to find: %q, %v", got, err)
	}
	if err := os.WriteFile("entrasync.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := configs.Find(""); got != "entrasync.yaml" || err != nil {
		t.Errorf("file here: %q, %v", got, err)
	}
}

func TestChecksRunDespiteFaults(t *testing.T) {
	t.Parallel()
	check := func(c *configs.Config) configs.Faults {
		return configs.Faults{{Position: c.Position("syncs", "front", "users", "attributes", "userName", "expr"), Message: "no such function"}}
	}
	text := strings.Replace(string(read(t, "testdata/good/minimal.yaml")), "to: front", "to: frnt", 1)
	_, err := configs.Parse("c.yaml", []byte(text), env(), check)
	const want = "c.yaml:11:9: syncs.front.to names no target: there is no \"frnt\"; did you mean front?\nc.yaml:15:19: no such function"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// The largest files of the worst kinds are refused or read in seconds.
func TestHostileFilesAreBounded(t *testing.T) {
	t.Parallel()
	fill := func(part string) string { return strings.Repeat(part, (4<<20-100)/len(part)) }
	for name, text := range map[string]string{
		"brackets": fill("["), "braces": fill("{"), "dashes": fill("- "), "questions": fill("? "), "anchors": "a: &a x\nb: [" + fill("*a,") + "]",
		"keys": func() string {
			var b strings.Builder
			for i := 0; b.Len() < 4<<20-100; i++ {
				fmt.Fprintf(&b, "k%d: x\n", i)
			}
			return b.String()
		}(),
		"colons": fill("a: "), "quotes": fill("'"), "dollars": "state: '" + fill("${x") + "'", "lines": "a: |" + fill("\n"),
	} {
		t.Run(name, func(t *testing.T) { // one after another: what is measured is one file
			begin := time.Now()
			if _, err := configs.Parse("h.yaml", []byte(text), env()); err == nil {
				t.Error("loads")
			}
			if took := time.Since(begin); took > 20*time.Second*slowdown {
				t.Errorf("took %v", took)
			} else {
				t.Logf("%v", took)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		found, _ := filepath.Glob(pattern)
		for _, file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := configs.Parse("f.yaml", data, forms, targets)
		if (c == nil) != (err != nil) {
			t.Fatalf("configuration %v with error %v", c, err)
		}
		if err != nil {
			faults, ok := err.(configs.Faults)
			if !ok || len(faults) == 0 {
				t.Fatalf("error of type %T", err)
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
					t.Fatalf("fault without place or words: %+v", fault)
				}
			}
		}
	})
}
