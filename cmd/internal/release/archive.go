package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// Files of an archive have this time, so that the same content gives the same bytes.
var epoch = time.Unix(0, 0).UTC()

// A file is one to pack.
type file struct {
	name    string
	mode    int64
	content []byte
}

type archive struct {
	extension string
	content   []byte
}

// documents are what goes with each program, by pattern.
var documents = []string{"LICENSE", "README.md", "CHANGELOG.md", "configs/entrasync.schema.json", "configs/man/*.1", "configs/docs/*.md", "configs/docs/compose.yaml", "configs/kubernetes/*.yaml", "configs/examples/*.yaml", "configs/systemd/*"}

// pack makes the archive of a program: a zip for Windows, tar.gz for the others.
func pack(p program, version, source string, list, licences []byte) (archive, error) {
	text, err := os.ReadFile(p.path)
	if err != nil {
		return archive{}, err
	}
	files := []file{{filepath.Base(p.path), 0o755, text}, {"sbom.cdx.json", 0o644, list}, {"THIRD_PARTY_LICENSES.txt", 0o644, licences}}
	for _, pattern := range documents {
		found, err := filepath.Glob(filepath.Join(source, filepath.FromSlash(pattern)))
		if err != nil {
			return archive{}, err
		}
		for _, name := range found {
			content, err := os.ReadFile(name)
			if err != nil {
				return archive{}, err
			}
			files = append(files, file{path.Join(path.Dir(pattern), filepath.Base(name)), 0o644, content})
		}
	}
	for i := range files {
		files[i].name = p.name(version) + "/" + files[i].name
	}
	if p.system == "windows" {
		content, err := zipped(files)
		return archive{".zip", content}, err
	}
	content, err := tarred(files)
	if err != nil {
		return archive{}, err
	}
	content, err = gzipped(content)
	return archive{".tar.gz", content}, err
}

func zipped(files []file) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		header.SetMode(os.FileMode(f.mode))
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

// tarred packs files that belong to root. A name that ends in / is a folder.
func tarred(files []file) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: epoch, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if f.name[len(f.name)-1] == '/' {
			header.Typeflag = tar.TypeDir
		}
		if header.Name == stateFolder {
			header.Uid, header.Gid = imageUser, imageUser
		}
		if err := t.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := t.Close()
	return b.Bytes(), err
}

func gzipped(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}
