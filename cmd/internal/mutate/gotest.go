package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A testRun is what one run of tests came to.
type testRun struct {
	failed string // the test that failed, or how the run ended; empty when all passed
	broken bool   // the package does not build
	output string // the end of it
}

// failedTest is how the output of a test binary names a test that failed.
var failedTest = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)

// runTests builds the test binary of a package, with the files of an overlay unless that is
// empty, and runs it up to the first test that fails: once for each group of tests, or for all. What is left of the binary is killed
// then, with the processes that it started, and its files are removed: a parallel test that has
// begun would otherwise run to its end. A test that hangs on a fault notices it.
func runTests(ctx context.Context, tests string, groups []string, overlay, scratch string) testRun {
	words := strings.Fields(tests)
	dir, err := os.MkdirTemp(scratch, "")
	if err != nil {
		return testRun{broken: true, failed: err.Error(), output: err.Error()}
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, filepath.Base(words[0])+".test")
	build := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}
	if overlay != "" {
		build = append(build, "-overlay="+overlay)
	}
	if out, err := exec.CommandContext(ctx, "go", append(build, words[0])...).CombinedOutput(); err != nil {
		return testRun{broken: true, failed: "the build", output: tail(string(out))}
	}
	if _, err := os.Stat(binary); err != nil {
		return testRun{} // a package without tests notices nothing
	}
	flags := append([]string{"-test.v", "-test.failfast", "-test.timeout=10m"}, words[1:]...)
	if groups == nil {
		return runBinary(ctx, binary, words[0], "", flags)
	}
	return runGroups(ctx, binary, words[0], "", groups, flags)
}

// runGroups runs groups of tests up to the first test that fails.
func runGroups(ctx context.Context, binary, dir, fault string, groups, flags []string) (run testRun) {
	for _, group := range groups {
		if run = runBinary(ctx, binary, dir, fault, append(flags, "-test.run="+group)); run.failed != "" {
			break
		}
	}
	return run
}

// runBinary runs the tests of a binary in the folder of their package, with one of the faults that
// are in it, if any.
func runBinary(ctx context.Context, binary, dir, fault string, flags []string) testRun {
	files, err := os.MkdirTemp(filepath.Dir(binary), "")
	if err != nil {
		return testRun{broken: true, failed: err.Error(), output: err.Error()}
	}
	defer os.RemoveAll(files)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, binary, flags...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+files, "GOGC=400", chosenFault+"="+fault)
	killWhole(cmd)
	cmd.WaitDelay = 5 * time.Second
	read, write, err := os.Pipe()
	if err != nil {
		return testRun{broken: true, failed: err.Error(), output: err.Error()}
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		write.Close()
		return testRun{broken: true, failed: err.Error(), output: err.Error()}
	}
	write.Close()
	var run testRun
	for lines := bufio.NewReader(read); ; {
		line, err := lines.ReadString('\n')
		run.output = tail(run.output + line)
		if found := failedTest.FindStringSubmatch(line); found != nil {
			run.failed = found[1]
			stop()
			break
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && run.failed == "" {
		run.failed = "(" + err.Error() + ")"
	}
	return run
}

// memory is where tests keep their files: waiting for a disk is most of what the tests of state
// and reconcile do.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

func tail(text string) string {
	const kept = 3000
	return text[max(0, len(text)-kept):]
}
