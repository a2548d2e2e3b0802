package all

import (
	"path/filepath"
	"strings"

	"entrasync/target"
	"entrasync/target/file"
)

// File are the options of a JSON Lines file.
type File struct {
	Path string `yaml:"path" format:"path" required:"true" doc:"The file, one user or group a line. {tenant} stands for the tenant's name, or its id when it joined by consent."`
}

// Validate implements [Options].
func (o *File) Validate() []Fault {
	var c check
	switch {
	case strings.HasSuffix(o.Path, "/"):
		c.fault("path", "is a directory", "write path: people.jsonl")
	case strings.HasSuffix(o.Path, ".journal"):
		c.fault("path", "ends in .journal, which is the name of the file's own journal", "write path: people.jsonl")
	}
	return c
}

// For implements [Options].
func (o *File) For(tenant string) Options { return &File{Path: expandTenant(o.Path, tenant)} }

// Accounts implements [Options].
func (o *File) Accounts() string {
	path := o.Place()
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// Place implements [Options]: the absolute path.
func (o *File) Place() string {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return o.Path
	}
	return path
}

// SharesAccounts implements [Options].
func (o *File) SharesAccounts() bool { return !strings.Contains(o.Path, tenantWord) }

// Trusts implements [Options].
func (o *File) Trusts() []byte { return nil }

// Open implements [Options].
func (o *File) Open(Env) (target.Adapter, error) { return file.New(file.Config{Path: o.Path}) }
