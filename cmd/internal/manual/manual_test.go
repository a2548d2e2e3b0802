package manual_test

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/manual"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "Do things", Long: "Does things.\n\nExit codes:\n  0 done"}
	root.PersistentFlags().StringP("config", "c", "", "configuration `FILE`")
	run := &cobra.Command{Use: "run [NAME]", Short: "Run | it", Long: ".hidden starts a request\n'so does this", Example: "  tool run a\n  tool run b", Run: func(*cobra.Command, []string) {}}
	run.Flags().Int("times", 3, "how often | at most")
	secret := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(run, secret)
	return root
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := manual.Markdown(tree())
	for _, want := range []string{"## tool run\n", "```sh\ntool run a\ntool run b\n```", "| `--times int` | how often \\| at most (default 3) |", "| `-c, --config FILE` | configuration FILE |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in it:\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret") || strings.Count(text, "--config") != 1 {
		t.Errorf("hidden or common things are in it:\n%s", text)
	}
}

// No text is taken for a request of man.
func TestMan(t *testing.T) {
	t.Parallel()
	text := manual.Man(tree())
	for _, want := range []string{".TH TOOL 1\n", "\\&.hidden", "\\&'so does", ".nf\nExit codes:\n  0 done\n.fi", `\-\-times int`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in it:\n%s", want, text)
		}
	}
}
