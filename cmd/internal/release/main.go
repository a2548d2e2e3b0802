// Command release packs built programs for distribution: an archive for each system, an image in the OCI layout, a list of the
// modules in each program (CycloneDX), and the checksums of all. The packages for dpkg and rpm come from make packages.
//
// It builds and publishes nothing: make release builds, and what lies in the folder dist is published by a person. The same
// programs give the same bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A program is one that was built: for a system, at a path.
type program struct{ system, arch, path string }

func (p program) name(version string) string {
	return fmt.Sprintf("entrasync_%s_%s_%s", strings.TrimPrefix(version, "v"), p.system, p.arch)
}

func main() {
	version := flag.String("version", "", "version, such as v1.2.0")
	out := flag.String("out", "dist", "folder with one folder SYSTEM_ARCH for each program; takes what is made")
	source := flag.String("source", ".", "the module's root: licence, documents and examples come from there")
	licences := flag.String("licences", "", "print the licences of the modules in this program, and pack nothing; fails on one that is not allowed")
	certificates := flag.String("certificates", "/etc/ssl/certs/ca-certificates.crt", "certificate authorities of the image (PEM)")
	flag.Parse()
	err := error(nil)
	if *licences != "" {
		err = report(*licences, *source)
	} else {
		err = run(*version, *out, *source, *certificates)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// report prints the licences of the modules in a program.
func report(path, source string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	found, err := licencesOf(info, source)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(notices(found))
	return err
}

func run(version, out, source, certificates string) error {
	if version == "" || strings.ContainsAny(version, "/ ") {
		return fmt.Errorf("-version is %q, want one such as v1.2.0", version)
	}
	programs, err := builtIn(out)
	if err != nil {
		return err
	}
	var made []string
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p.path)
		if err != nil {
			return err
		}
		list, err := billOfMaterials(version, info)
		if err != nil {
			return err
		}
		found, err := licencesOf(info, source)
		if err != nil {
			return err
		}
		archive, err := pack(p, version, source, list, notices(found))
		if err != nil {
			return err
		}
		files := map[string][]byte{p.name(version) + ".cdx.json": list, p.name(version) + archive.extension: archive.content}
		if p.system == "linux" {
			if files[p.name(version)+"_oci.tar"], err = image(p, version, certificates); err != nil {
				return err
			}
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
				return err
			}
			made = append(made, name)
		}
	}
	packages, err := packagesIn(out)
	if err != nil {
		return err
	}
	return checksums(out, append(made, packages...))
}

// packagesIn finds the packages for dpkg and rpm, which another program has made.
func packagesIn(out string) (names []string, err error) {
	for _, pattern := range []string{"*.deb", "*.rpm"} {
		found, err := filepath.Glob(filepath.Join(out, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

// builtIn finds the programs in a folder.
func builtIn(out string) (programs []program, err error) {
	found, err := filepath.Glob(filepath.Join(out, "*_*", "entrasync*"))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		if system, arch, ok := strings.Cut(filepath.Base(filepath.Dir(path)), "_"); ok {
			programs = append(programs, program{system, arch, path})
		}
	}
	if len(programs) == 0 {
		return nil, errors.New("no program in " + out + "; make release builds them")
	}
	return programs, nil
}

// checksums writes the file that sha256sum --check reads.
func checksums(out string, names []string) error {
	slices.Sort(names)
	var lines strings.Builder
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), name)
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(lines.String()), 0o644)
}
