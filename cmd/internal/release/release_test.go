package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder is one with this test's own program in the place of those that were built, and certificate authorities.
func folder(t *testing.T, systems ...string) (out, certificates string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	out = t.TempDir()
	for _, system := range systems {
		name := "entrasync"
		if strings.HasPrefix(system, "windows") {
			name += ".exe"
		}
		if err := os.MkdirAll(filepath.Join(out, system), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, system, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	certificates = filepath.Join(out, "ca.pem")
	if err := os.WriteFile(certificates, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return out, certificates
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func untar(t *testing.T, content []byte) (headers map[string]*tar.Header, files map[string][]byte) {
	t.Helper()
	headers, files = map[string]*tar.Header{}, map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return headers, files
		}
		if err != nil {
			t.Fatal(err)
		}
		if headers[h.Name] = h; h.Typeflag == tar.TypeReg {
			if files[h.Name], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func gunzip(t *testing.T, content []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Two runs give the same checksums, which are those of the files.
func TestReproducible(t *testing.T) {
	t.Parallel()
	var sums []string
	for range 2 {
		out, certificates := folder(t, "linux_amd64", "windows_arm64")
		if err := run("v1.2.0", out, "../../..", certificates); err != nil {
			t.Fatal(err)
		}
		text := string(read(t, filepath.Join(out, "SHA256SUMS")))
		sums = append(sums, text)
		for _, name := range []string{"entrasync_1.2.0_linux_amd64.tar.gz", "entrasync_1.2.0_linux_amd64_oci.tar", "entrasync_1.2.0_linux_amd64.cdx.json", "entrasync_1.2.0_windows_arm64.zip"} {
			if want := strings.TrimPrefix(digest(read(t, filepath.Join(out, name))), "sha256:") + "  " + name + "\n"; !strings.Contains(text, want) {
				t.Errorf("SHA256SUMS lacks %s", want)
			}
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two runs differ:\n%s\n%s", sums[0], sums[1])
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	out, certificates := folder(t, "darwin_arm64", "windows_amd64")
	if err := run("v1.2.0", out, "../../..", certificates); err != nil {
		t.Fatal(err)
	}
	headers, _ := untar(t, gunzip(t, read(t, filepath.Join(out, "entrasync_1.2.0_darwin_arm64.tar.gz"))))
	for name, mode := range map[string]int64{"entrasync": 0o755, "LICENSE": 0o644, "configs/man/entrasync.1": 0o644, "configs/systemd/entrasync.service": 0o644, "sbom.cdx.json": 0o644} {
		if h := headers["entrasync_1.2.0_darwin_arm64/"+name]; h == nil || h.Mode != mode || h.Uid != 0 {
			t.Errorf("%s: %+v", name, h)
		}
	}
	packed := read(t, filepath.Join(out, "entrasync_1.2.0_windows_amd64.zip"))
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil || !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == "entrasync_1.2.0_windows_amd64/entrasync.exe" }) {
		t.Errorf("the program is not in the zip: %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, "entrasync_1.2.0_windows_amd64_oci.tar")); err == nil {
		t.Error("there is an image of Windows")
	}
}

// The image holds the program, certificates and a folder for the state of its user, and each digest is right.
func TestImage(t *testing.T) {
	t.Parallel()
	out, certificates := folder(t, "linux_arm64")
	if err := run("v1.2.0", out, "../../..", certificates); err != nil {
		t.Fatal(err)
	}
	_, files := untar(t, read(t, filepath.Join(out, "entrasync_1.2.0_linux_arm64_oci.tar")))
	type descriptor struct {
		Digest string
		Size   int
	}
	follow := func(d descriptor) []byte {
		t.Helper()
		content := files["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if digest(content) != d.Digest || len(content) != d.Size {
			t.Fatalf("%+v leads to %d bytes with %s", d, len(content), digest(content))
		}
		return content
	}
	var index struct{ Manifests []descriptor }
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	var config struct {
		Architecture, OS string
		Config           struct{ User string }
		RootFS           struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	for _, step := range []func() error{
		func() error { return json.Unmarshal(files["index.json"], &index) },
		func() error { return json.Unmarshal(follow(index.Manifests[0]), &manifest) },
		func() error { return json.Unmarshal(follow(manifest.Config), &config) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	layer := gunzip(t, follow(manifest.Layers[0]))
	if config.Architecture != "arm64" || config.OS != "linux" || config.Config.User != "65532:65532" || config.RootFS.DiffIDs[0] != digest(layer) {
		t.Errorf("config %+v", config)
	}
	headers, content := untar(t, layer)
	var names []string
	for name := range content {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/bin/entrasync"}; !slices.Equal(names, want) {
		t.Errorf("the image holds %v, want %v", names, want)
	}
	if h := headers[stateFolder]; h == nil || h.Uid != imageUser || h.Mode != 0o700 {
		t.Errorf("the folder of the state: %+v", h)
	}
}

// The list has every module of the program.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	list, err := billOfMaterials("v1", info)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if !bytes.Contains(list, fmt.Appendf(nil, `"pkg:golang/%s@%s"`, m.Path, m.Version)) {
			t.Errorf("%s is not listed", m.Path)
		}
	}
	if !bytes.Contains(list, []byte(`"pkg:golang/std@1.`)) {
		t.Errorf("the standard library is not listed:\n%s", list)
	}
}

func TestWrongInput(t *testing.T) {
	t.Parallel()
	out, certificates := folder(t, "linux_amd64")
	for want, err := range map[string]error{
		"-version is":             run("", out, "../../..", certificates),
		"no program in":           run("v1", t.TempDir(), "../../..", certificates),
		"holds no certificate":    run("v1", out, "../../..", "release_test.go"),
		"certificate authorities": run("v1", out, "../../..", "missing.pem"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
