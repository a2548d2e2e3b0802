package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestReadLicence(t *testing.T) {
	t.Parallel()
	apache := read(t, "../../../LICENSE")
	for _, test := range []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"one", map[string][]byte{"LICENSE": apache, "main.go": []byte("package main")}, []string{"Apache-2.0"}},
		{"under another name", map[string][]byte{"COPYING.txt": apache}, []string{"Apache-2.0"}},
		{"none", map[string][]byte{"README.md": []byte("Apache-2.0")}, nil},
		{"a text that is no licence", map[string][]byte{"LICENSE": []byte("All rights reserved.")}, nil},
		{"one that asks for more", map[string][]byte{"LICENSE": []byte("This program is free software: you can redistribute it and/or modify it under the terms of the GNU Affero General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.")}, []string{"AGPL-3.0-or-later"}},
	} {
		dir := t.TempDir()
		for name, text := range test.files {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, err := readLicence(dir)
		if err != nil || !slices.Equal(l.names, test.want) {
			t.Errorf("%s: %q, %v; want %q", test.name, l.names, err, test.want)
		}
	}
	if _, err := readLicence(""); err == nil || !strings.Contains(err.Error(), "go mod download") {
		t.Errorf("a module that is not there: %v", err)
	}
}

// The licences of this test's own modules are read, and one that is not allowed is an error that names it.
func TestLicencesOf(t *testing.T) {
	t.Parallel()
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("the test does not say what it was built of")
	}
	found, err := licencesOf(info, "../../..")
	if err != nil || len(found) != len(info.Deps)+1 {
		t.Fatalf("%d of %d: %v", len(found), len(info.Deps), err)
	}
	text := notices(found)
	for _, part := range []string{"BSD-3-Clause             github.com/google/licensecheck ", "Redistribution and use in source and binary forms", "std go1."} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("no %q in the notices", part)
		}
	}
	foreign := &debug.BuildInfo{GoVersion: info.GoVersion, Deps: []*debug.Module{{Path: "example.com/none", Version: "v1.0.0"}}}
	if _, err := licencesOf(foreign, "../../.."); err == nil || !strings.Contains(err.Error(), "example.com/none") {
		t.Errorf("an unknown module: %v", err)
	}
}
