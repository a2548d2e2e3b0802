// Package manual writes the reference of the commands, as Markdown and as a man page, from the commands themselves.
//
// It knows nothing of what they do. The same commands give the same bytes.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are a command and those below it that are documented, in their order.
func commands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, below := range c.Commands() {
		if below.Hidden || below.Name() == "help" || below.IsAdditionalHelpTopicCommand() {
			continue
		}
		all = append(all, commands(below)...)
	}
	return all
}

// own are a command's flags that it does not share with all.
func own(c *cobra.Command) (flags []*pflag.Flag) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" && (c.Parent() == nil || c.Root().PersistentFlags().Lookup(f.Name) == nil) {
			flags = append(flags, f)
		}
	})
	return flags
}

// written is a flag as it is typed.
func written(f *pflag.Flag) string {
	kind, _ := pflag.UnquoteUsage(f)
	text := "--" + f.Name
	if f.Shorthand != "" {
		text = "-" + f.Shorthand + ", " + text
	}
	if kind != "" {
		text += " " + kind
	}
	return text
}

// meaning is what a flag does, with its default.
func meaning(f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "false", "0", "[]", "0s":
		return usage
	}
	return usage + " (default " + f.DefValue + ")"
}

func long(c *cobra.Command) string {
	if c.Long != "" {
		return strings.TrimSpace(c.Long)
	}
	return c.Short + "."
}

// Markdown is the reference as one page.
func Markdown(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nThis page is made from the commands: `go test ./cmd/entrasync -run Reference -update`.\n")
	for _, c := range commands(root) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), strings.ReplaceAll(long(c), "<", "&lt;"), c.UseLine())
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n\n```sh\n%s\n```\n", unindented(c.Example))
		}
		if flags := own(c); len(flags) > 0 {
			b.WriteString("\n| flag | meaning |\n|---|---|\n")
			for _, f := range flags {
				fmt.Fprintf(&b, "| `%s` | %s |\n", written(f), strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(meaning(f)))
			}
		}
	}
	return b.String()
}

func unindented(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

// Man is the reference as a page of section 1 of man(7).
func Man(root *cobra.Command) string {
	var b strings.Builder
	name := root.Name()
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\nCOMMAND [FLAGS]\n.SH DESCRIPTION\n", strings.ToUpper(name), name, roff(root.Short), name)
	paragraphs(&b, long(root))
	b.WriteString(".SH OPTIONS OF EVERY COMMAND\n")
	manFlags(&b, own(root))
	b.WriteString(".SH COMMANDS\n")
	for _, c := range commands(root)[1:] {
		fmt.Fprintf(&b, ".SS %s\n", roff(strings.TrimPrefix(c.UseLine(), name+" ")))
		paragraphs(&b, long(c))
		if c.Example != "" {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff(unindented(c.Example)))
		}
		manFlags(&b, own(c))
	}
	b.WriteString(".SH FILES\n.TP\n.I entrasync.yaml, /etc/entrasync/entrasync.yaml\nthe configuration\n.TP\n.I /var/lib/entrasync\nthe state, where the configuration names no other place\n")
	return b.String()
}

func manFlags(b *strings.Builder, flags []*pflag.Flag) {
	for _, f := range flags {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(written(f)), roff(strings.ReplaceAll(meaning(f), "\n", " ")))
	}
}

// paragraphs writes text that may hold lists, which keep their lines.
func paragraphs(b *strings.Builder, text string) {
	for _, paragraph := range strings.Split(text, "\n\n") {
		if strings.Contains(paragraph, "\n  ") || strings.HasPrefix(paragraph, "  ") {
			fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", roff(paragraph))
			continue
		}
		fmt.Fprintf(b, ".PP\n%s\n", roff(paragraph))
	}
}

// roff is a text as man takes it: no line of it begins a request, and a hyphen is one.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
