package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"entrasync/target"
	"entrasync/target/all"
)

// A notebook is a kind of target that the product does not have: a folder with one JSON file for each
// account. It is one type here and one row in the table of a process, and has to be enough for
// everything else: see testdata/script/new-target.txtar.
type notebook struct {
	Folder string `yaml:"folder" format:"path" required:"true" doc:"The folder."`
}

func withNotebook() {
	all.Types["notebook"] = func() all.Options { return &notebook{} }
}

func (n *notebook) Validate() []all.Fault {
	if strings.HasSuffix(n.Folder, ".json") {
		return []all.Fault{{Key: []string{"folder"}, Message: "folder is a file", Hint: "write folder: accounts"}}
	}
	return nil
}

func (n *notebook) For(tenant string) all.Options {
	return &notebook{Folder: strings.ReplaceAll(n.Folder, "{tenant}", tenant)}
}
func (n *notebook) Accounts() string     { return n.Folder }
func (n *notebook) Place() string        { return n.Folder }
func (n *notebook) SharesAccounts() bool { return !strings.Contains(n.Folder, "{tenant}") }
func (n *notebook) Trusts() []byte       { return nil }

func (n *notebook) Open(all.Env) (target.Adapter, error) {
	return n, os.MkdirAll(n.Folder, 0o700)
}

func (n *notebook) file(id string) string { return filepath.Join(n.Folder, filepath.Base(id)+".json") }

func (n *notebook) read(op, id string) (*target.Resource, error) {
	text, err := os.ReadFile(n.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &target.Error{Code: target.NotFound, Op: op, Message: "there is no such account"}
	}
	r := &target.Resource{Ref: target.Ref{Kind: target.User, ID: id}}
	if err := errors.Join(err, json.Unmarshal(text, &r.Attributes)); err != nil {
		return nil, &target.Error{Code: target.Unavailable, Op: op, Message: err.Error()}
	}
	return r, nil
}

func (n *notebook) write(op, id string, into map[string]any, attributes []target.Attribute) (*target.Resource, error) {
	for _, a := range attributes {
		a.Path.Set(into, a.Value)
	}
	text, err := json.Marshal(into)
	if err := errors.Join(err, os.WriteFile(n.file(id), text, 0o600)); err != nil {
		return nil, &target.Error{Code: target.Unavailable, Op: op, Message: err.Error()}
	}
	return n.read(op, id)
}

func (n *notebook) Probe(context.Context, map[target.Kind][]target.Path) (*target.Profile, error) {
	return &target.Profile{Name: "a notebook", Kinds: map[target.Kind]bool{target.User: true}, Patch: true, Filter: true}, nil
}

func (n *notebook) List(_ context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	files, err := filepath.Glob(filepath.Join(n.Folder, "*.json"))
	if err != nil || kind != target.User {
		return err
	}
	var page []target.Resource
	for _, file := range files {
		r, err := n.read("list users", strings.TrimSuffix(filepath.Base(file), ".json"))
		if err != nil {
			return err
		}
		page = append(page, *r)
	}
	return yield(page)
}

func (n *notebook) Find(ctx context.Context, kind target.Kind, by target.Path, value string) (found []target.Resource, err error) {
	err = n.List(ctx, kind, func(page []target.Resource) error {
		for _, r := range page {
			if by.Holds(r.Attributes, value) {
				found = append(found, r)
			}
		}
		return nil
	})
	return found, err
}

func (n *notebook) Get(_ context.Context, ref target.Ref) (*target.Resource, error) {
	return n.read("get user", ref.ID)
}

func (n *notebook) Create(_ context.Context, _ target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	for id := 1; ; id++ {
		file, err := os.OpenFile(n.file(strconv.Itoa(id)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, &target.Error{Code: target.Unavailable, Op: "create user", Message: err.Error()}
		}
		return n.write("create user", strconv.Itoa(id), map[string]any{}, attributes)
	}
}

func (n *notebook) Update(_ context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	r, err := n.read("update user", ref.ID)
	if err != nil {
		return nil, err
	}
	return n.write("update user", ref.ID, r.Attributes, attributes)
}

func (n *notebook) Delete(_ context.Context, ref target.Ref) error {
	if err := os.Remove(n.file(ref.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &target.Error{Code: target.Unavailable, Op: "delete user", Message: err.Error()}
	}
	return nil
}
