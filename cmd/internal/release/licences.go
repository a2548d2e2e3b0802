package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences under which a module may be in a program, by their SPDX identifiers: those that ask for no more
// than their text to be passed on, and MPL-2.0, which is about changed files of the module itself.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "Unlicense", "0BSD", "CC0-1.0"}

// smallestMatch is how much of a licence file must be the text of a known licence, in percent.
const smallestMatch = 75

// A licence is that of one module in a program.
type licence struct {
	module, version string
	names           []string // SPDX identifiers, sorted
	text            []byte   // of its files
}

// licencesOf reads the licences of the modules in a program from the module cache. source is the module's root. The error
// names every module without a known licence, or with one that is not allowed.
func licencesOf(info *debug.BuildInfo, source string) (found []licence, err error) {
	dirs, err := moduleFolders(info, source)
	if err != nil {
		return nil, err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	own, err := readLicence(strings.TrimSpace(string(root)))
	if err != nil {
		return nil, err
	}
	own.module, own.version = "std", info.GoVersion
	found = append(found, own)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		l, err := readLicence(dirs[m.Path])
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", m.Path, err)
		}
		l.module, l.version = m.Path, m.Version
		found = append(found, l)
	}
	var refused []error
	for _, l := range found {
		if len(l.names) == 0 {
			refused = append(refused, fmt.Errorf("module %s %s has no licence that is known", l.module, l.version))
		}
		for _, name := range l.names {
			if !slices.Contains(allowed, name) {
				refused = append(refused, fmt.Errorf("module %s %s is under %s, which is not among those allowed: %s", l.module, l.version, name, strings.Join(allowed, ", ")))
			}
		}
	}
	return found, errors.Join(refused...)
}

// moduleFolders returns where the modules of a program are in the module cache.
func moduleFolders(info *debug.BuildInfo, source string) (map[string]string, error) {
	args := []string{"list", "-m", "-f", "{{.Path}}\t{{.Dir}}"}
	for _, m := range info.Deps {
		args = append(args, m.Path)
	}
	dirs := map[string]string{}
	if len(info.Deps) == 0 {
		return dirs, nil
	}
	command := exec.Command("go", args...)
	command.Dir = source
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m: %w: %s", err, said.String())
	}
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		dirs[path] = dir
	}
	return dirs, nil
}

// readLicence reads the licence files of a folder. Two files with one licence each are both in names.
func readLicence(dir string) (l licence, err error) {
	if dir == "" {
		return l, errors.New("it is not in the module cache; go mod download fetches it")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return l, err
	}
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return l, err
		}
		l.text = append(append(l.text, bytes.TrimSpace(text)...), "\n\n"...)
		if cover := licensecheck.Scan(text); cover.Percent >= smallestMatch {
			for _, match := range cover.Match {
				l.names = append(l.names, match.ID)
			}
		}
	}
	slices.Sort(l.names)
	l.names = slices.Compact(l.names)
	return l, nil
}

// notices are what goes with each program: a line for each module, and the texts of their licences.
func notices(found []licence) []byte {
	var b bytes.Buffer
	b.WriteString("Third-party software in entrasync, and the licences that it is under.\n\n")
	for _, l := range found {
		fmt.Fprintf(&b, "%-24s %s %s\n", strings.Join(l.names, ", "), l.module, l.version)
	}
	for _, l := range found {
		fmt.Fprintf(&b, "\n%s\n%s %s\n\n%s\n", strings.Repeat("-", 80), l.module, l.version, bytes.TrimSpace(l.text))
	}
	return b.Bytes()
}
