// Command bench measures entrasync as its users run it: the binary in a process of its own, against an
// emulated tenant and the file target, at several sizes of the directory.
//
// It prints for each command the CPU time of the process, the bytes that it wrote, the memory that it held
// and its requests, next to the floor: the bytes that must be durable, appended and synced in groups. It is
// not a profiler, and elapsed times of a busy machine say little: ratios within one run, CPU time, bytes
// and requests do. With -check it fails when a figure that does not depend on the machine is exceeded.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	users := flag.String("users", "10000,100000", "sizes of the directory, separated by commas")
	binary := flag.String("binary", "bin/entrasync", "the entrasync to measure")
	out := flag.String("json", "", "write the figures to this file")
	check := flag.Bool("check", false, "fail when a figure is beyond its bound")
	floor := flag.String("floor", "", "for the program's own child process")
	read := flag.String("read", "", "for the program's own child process")
	readFloorDir := flag.String("read-floor", "", "for the program's own child process")
	url := flag.String("url", "", "for the program's own child process")
	reading := flag.Bool("reading", false, "measure reading the directory only")
	flag.Parse()
	switch {
	case *floor != "":
		exit(writeFloor(*floor))
	case *read != "":
		exit(readDirectory(*read, *url))
	case *readFloorDir != "":
		exit(readFloor(*readFloorDir, *url))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, *users, *binary, *out, *check, *reading))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, sizes, binary, out string, check, reading bool) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	var all []figures
	for _, text := range strings.Split(sizes, ",") {
		users, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || users < 200 {
			return fmt.Errorf("-users: %q is no size of a directory, want a number from 200", text)
		}
		read, err := measureReading(ctx, users)
		if err != nil {
			return fmt.Errorf("%d users: %w", users, err)
		}
		all = append(all, read...)
		if err := printReading(os.Stdout, users, read); err != nil {
			return err
		}
		if reading {
			continue
		}
		measured, err := measure(ctx, binary, users)
		if err != nil {
			return fmt.Errorf("%d users: %w", users, err)
		}
		all = append(all, measured...)
		if err := print(os.Stdout, users, measured); err != nil {
			return err
		}
	}
	if out != "" {
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if check {
		return errors.Join(exceeded(all)...)
	}
	return nil
}

// printReading writes the figures of reading as a table.
func printReading(out io.Writer, users int, all []figures) error {
	fmt.Fprintf(out, "%d users, all assigned one by one\n", users)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tCPU s\tof floor\twritten MB\tmemory MB\tstate MB\tGraph\tseconds\t")
	for _, f := range all {
		fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%.1f\t%.0f\t%.1f\t%d\t%.1f\t\n", f.Step, f.CPUSeconds, f.CPUSeconds/all[0].CPUSeconds, float64(f.WrittenBytes)/1e6,
			float64(f.MemoryBytes)/1e6, float64(f.StateBytes)/1e6, f.GraphRequests, f.Seconds)
	}
	return w.Flush()
}

// print writes the figures of one size as a table.
func print(out io.Writer, users int, all []figures) error {
	fmt.Fprintf(out, "%d users\n", users)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tCPU s\tof floor\tµs/account\twritten MB\tKB/account\tmemory MB\tstate MB\tGraph\ttarget\t")
	floor := all[0]
	for _, f := range all {
		each := func(v float64) string {
			if f.Accounts == 0 {
				return "-"
			}
			return fmt.Sprintf("%.1f", v/float64(f.Accounts))
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%s\t%.1f\t%s\t%.0f\t%.1f\t%d\t%d\t\n", f.Step, f.CPUSeconds, f.CPUSeconds/floor.CPUSeconds,
			each(f.CPUSeconds*1e6), float64(f.WrittenBytes)/1e6, each(float64(f.WrittenBytes)/1e3), float64(f.MemoryBytes)/1e6,
			float64(f.StateBytes)/1e6, f.GraphRequests, f.TargetRequests)
	}
	return w.Flush()
}
