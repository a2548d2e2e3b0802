package configs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
)

// Where a configuration is looked for when none is named.
var places = [...]string{"entrasync.yaml", "/etc/entrasync/entrasync.yaml"}

// A Check looks at a configuration for what this package cannot know, such as expressions and
// the options of targets. It is also called when there are faults already, so that all come out
// together: what it is given may then be incomplete.
type Check func(*Config) Faults

// Find returns the configuration file to load: the explicit one, else entrasync.yaml here, else
// /etc/entrasync/entrasync.yaml.
func Find(explicit string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	for _, file := range places {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return file, nil
		}
	}
	return "", fmt.Errorf("find configuration: there is no %s and no %s; write one with `entrasync init`, or name yours with --config", places[0], places[1])
}

// Load reads a configuration file with the environment of the process. What is wrong inside the
// file is an error of type [Faults]; other errors are about reading it.
func Load(file string, checks ...Check) (*Config, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read configuration: %s does not exist; write one with `entrasync init`", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(file, dir, data, os.LookupEnv, checks)
}

// Parse reads a configuration from memory. name is its file name, used in messages and, by its
// folder, for relative paths. The error is of type [Faults]; the configuration is then nil.
func Parse(name string, data []byte, lookupEnv func(string) (string, bool), checks ...Check) (*Config, error) {
	return parse(name, filepath.Dir(name), data, lookupEnv, checks)
}

func parse(name, dir string, data []byte, lookupEnv func(string) (string, bool), checks []Check) (*Config, error) {
	r := &reader{file: name, lookupEnv: lookupEnv}
	root := r.read(data)
	if root == nil || r.full {
		return nil, r.faults.Err()
	}
	root.key = Position{name, 1, 1}
	c := &Config{root: root}
	faults := r.faults
	d := &decoder{dir: dir, faults: &faults}
	d.section(root, reflect.ValueOf(c).Elem(), "")
	c.complete(root, lookupEnv)
	v := &validator{Config: c, faults: &faults}
	v.config()
	for _, check := range checks {
		faults = append(faults, check(c)...)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Position returns where the key at a path, such as "syncs", "front", "to", has its value, or
// the nearest section around it that is written.
func (c *Config) Position(path ...string) Position {
	if c.root == nil {
		return Position{}
	}
	return c.root.find(path).place()
}

// AppOf returns the app registration a tenant is read with: its own or the common one.
func (c *Config) AppOf(t Tenant) *App {
	if t.App != nil {
		return t.App
	}
	return c.App
}

// NotificationsOf returns which change notifications a tenant has: its own section or the common one.
func (c *Config) NotificationsOf(t Tenant) Notifications {
	if of := cmp.Or(t.Notifications, c.Notifications); of != nil && c.Consent != nil {
		return *of
	}
	return Notifications{}
}

// CloudOf returns the cloud a tenant is in: its own or the common one.
func (c *Config) CloudOf(t Tenant) Cloud {
	if t.Cloud != nil {
		return *t.Cloud
	}
	return c.Cloud
}
