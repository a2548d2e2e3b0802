package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
)

// VerifyLogs verifies the logs that a command line selects, and that they have the lines of heads, each as
// [Check] has it. Heads are of one log: with several logs they are an error.
func VerifyLogs(w *worker.Worker, selection lookup.Selection, syncs []*compile.Sync, heads []string) ([]Check, error) {
	known, err := parseHeads(heads)
	if err != nil {
		return nil, err
	}
	logs, err := Logs(w, selection, syncs)
	if err != nil {
		return nil, err
	}
	if len(selection.Tenants) > 0 { // the service's lines about tenants are of its own chain
		logs = slices.DeleteFunc(logs, func(l Log) bool { return l.Name == Service })
	}
	if len(known) > 0 && len(logs) > 1 {
		return nil, advice.With(errors.New("--head is about one log, and there are several"), "name its tenant with --tenant")
	}
	checks := []Check{}
	for _, log := range logs {
		check, err := verifyLog(log, known)
		if err != nil {
			return nil, err
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// VerifyExports verifies exported files by their names, which are read as one, the oldest first. It takes no heads: those of a command
// line are an error.
func VerifyExports(names, heads []string) ([]Check, error) {
	if known, err := parseHeads(heads); err != nil {
		return nil, err
	} else if len(known) > 0 {
		return nil, advice.With(errors.New("--head is about the logs of the state, not about files"), "compare the heads that verify prints of the files")
	}
	var files []io.Reader
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		files = append(files, file)
	}
	return verifyFiles(files, names)
}

func parseHeads(texts []string) (heads []knownHead, err error) {
	for _, text := range texts {
		head, err := parseHead(text)
		if err != nil {
			return nil, err
		}
		heads = append(heads, head)
	}
	return heads, nil
}

// A CheckDocument is what `audit verify --json` prints.
type CheckDocument struct {
	Format string  `json:"format"`
	Logs   []Check `json:"logs"`
	OK     bool    `json:"ok"` // every log is as it was written
}

// DocumentOf makes the document of some checks.
func DocumentOf(checks []Check) CheckDocument {
	altered := slices.ContainsFunc(checks, func(c Check) bool { return !c.OK })
	return CheckDocument{"entrasync/audit-check/1", checks, !altered}
}

// PrintChecks prints for people what was verified, with the head of each log.
func PrintChecks(out io.Writer, checks []Check) {
	for _, c := range checks {
		switch {
		case c.Last == 0 && c.OK:
			fmt.Fprintf(out, "%s: no line\n", c.Log)
			continue
		case c.OK:
			fmt.Fprintf(out, "%s: lines %d to %d are as they were written\n", c.Log, c.First, c.Last)
		default:
			fmt.Fprintf(out, "%s: %s in lines %d to %d\n", c.Log, words.Count(len(c.Faults), "fault", "faults"), c.First, c.Last)
		}
		for _, fault := range c.Faults {
			fmt.Fprintf(out, "  line %d: %s\n", fault.Seq, console.Printable(fault.What))
		}
		fmt.Fprintf(out, "  head %s\n", c.Head)
	}
}
