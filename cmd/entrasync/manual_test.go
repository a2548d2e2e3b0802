package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/manual"
)

func documented() *cobra.Command {
	root := (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, env: os.LookupEnv}).root()
	root.InitDefaultCompletionCmd()
	return root
}

// The references of commands and configuration are those of the code.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	schema, err := configSchema()
	if err != nil {
		t.Fatal(err)
	}
	configuration, err := manual.Configuration(schema)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"docs/commands.md": manual.Markdown(documented()), "docs/configuration.md": configuration, "man/entrasync.1": manual.Man(documented()),
		"docs/troubleshooting.md": manual.Troubleshooting(advice.Codes),
	} {
		path := filepath.Join("../../configs", filepath.FromSlash(name))
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not current (%v): run go test ./cmd/entrasync -run Reference -update", path, err)
		}
	}
}

var words = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

// commandFault says what is wrong with a command line of a document: a command or flag that does not exist.
func commandFault(root *cobra.Command, line string) string {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, "  ") // what stands behind it explains it
	var args []string
	for _, word := range words.FindAllString(line, -1) {
		if strings.ContainsAny(word[:1], "|>&;") {
			break
		}
		args = append(args, word)
	}
	found, rest, err := root.Find(args[1:])
	if err != nil {
		return err.Error()
	}
	if found.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return found.CommandPath() + " has no command " + rest[0]
	}
	for _, word := range rest {
		if word == "--" {
			break
		}
		name, isLong := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if isLong && name != "help" && found.Flag(name) == nil {
			return found.CommandPath() + " has no flag --" + name
		}
	}
	return ""
}

// Commands in fenced blocks of the documents exist, with their flags.
func TestDocumentsNameCommands(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../../configs/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	root, commands := documented(), 0
	for _, name := range append(documents, "../../README.md", "../../configs/examples/README.md") {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		fenced := false
		for lines, n := bufio.NewScanner(f), 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
				continue
			}
			line = strings.TrimPrefix(line, "$ ")
			if !fenced || !strings.HasPrefix(line, "entrasync ") || strings.Contains(line, "[flags]") || strings.Contains(line, "[") && filepath.Base(name) == "commands.md" {
				continue
			}
			commands++
			if fault := commandFault(root, line); fault != "" {
				t.Errorf("%s:%d: %s: %s", name, n, line, fault)
			}
		}
		f.Close()
	}
	if commands < 20 {
		t.Errorf("only %d commands were found", commands)
	}
}

func TestCommandFault(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"entrasync plan --no-refresh # what if":              "",
		"entrasync register --form az > register.sh":         "",
		"entrasync eval 'ToLower([mail])' --user ada --json": "",
		"entrasync plan --no-refersh":                        "entrasync plan has no flag --no-refersh",
		"entrasync links brake ada":                          "entrasync links has no command brake",
		"entrasync snyc":                                     "snyc",
	} {
		if got := commandFault(documented(), line); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
