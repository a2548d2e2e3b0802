package all

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"entrasync/target"
	"entrasync/target/wire"
)

// Exec are the options of a program that entrasync starts.
type Exec struct {
	Command     []string              `yaml:"command" required:"true" doc:"Absolute path of the program, and its arguments. No shell sees them. {tenant} in an argument stands for the tenant's name, or its id when it joined by consent."`
	Env         []string              `yaml:"env" doc:"Names of environment variables that the program gets. It gets no others."`
	Config      map[string]string     `yaml:"config" doc:"Handed to the program when it starts. {tenant} is replaced."`
	Secrets     map[string]ExecSecret `yaml:"secrets" doc:"Secrets by name; the program is handed the contents of their files when it starts."`
	Timeout     time.Duration         `yaml:"timeout" min:"0" doc:"Of one message. Default: 1m."`
	Concurrency int                   `yaml:"concurrency" min:"0" doc:"Most messages that wait for an answer at once. Default: 4."`
}

// ExecSecret is a secret for a program.
type ExecSecret struct {
	File string `yaml:"file" format:"path" required:"true" doc:"File with the secret, read each time the program is started."`
}

// Validate implements [Options].
func (o *Exec) Validate() []Fault {
	var c check
	switch {
	case len(o.Command) == 0:
		c.fault("command", "names no program", "write command: [/opt/acme/provision]")
	case !filepath.IsAbs(o.Command[0]):
		c.fault("command", fmt.Sprintf("names the program %q by no absolute path", o.Command[0]), "write command: [/opt/acme/provision]")
	case strings.Contains(o.Command[0], tenantWord):
		c.fault("command", "has {tenant} in the program's path", "hand the tenant over as an argument: command: [/opt/acme/provision, \"{tenant}\"]")
	}
	for i, name := range o.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			c.fault("env", fmt.Sprintf("number %d is no name of a variable", i+1), "write env: [HOME, LANG]; a value goes under config or secrets")
		}
	}
	return c
}

// For implements [Options].
func (o *Exec) For(tenant string) Options {
	filled := *o
	filled.Command = slices.Clone(o.Command)
	for i := range filled.Command {
		filled.Command[i] = expandTenant(filled.Command[i], tenant)
	}
	filled.Config, filled.Secrets = maps.Clone(o.Config), maps.Clone(o.Secrets)
	for name, value := range filled.Config {
		filled.Config[name] = expandTenant(value, tenant)
	}
	for name, secret := range filled.Secrets {
		filled.Secrets[name] = ExecSecret{expandTenant(secret.File, tenant)}
	}
	return &filled
}

// Accounts implements [Options].
func (o *Exec) Accounts() string {
	words := []string{o.Place()}
	for _, name := range slices.Sorted(maps.Keys(o.Secrets)) {
		value, err := secret("", o.Secrets[name].File)()
		if err != nil {
			value = o.Secrets[name].File
		}
		words = append(words, name, value)
	}
	return strings.Join(words, "\x00")
}

// Place implements [Options]: the command line and what is handed to the program, without secrets.
func (o *Exec) Place() string {
	words := slices.Clone(o.Command)
	for _, name := range slices.Sorted(maps.Keys(o.Config)) {
		words = append(words, name+"="+o.Config[name])
	}
	return strings.Join(words, "\x00")
}

// SharesAccounts implements [Options].
func (o *Exec) SharesAccounts() bool { return reflect.DeepEqual(o.For("a"), o.For("b")) }

// Trusts implements [Options].
func (o *Exec) Trusts() []byte { return nil }

// Open implements [Options].
func (o *Exec) Open(env Env) (target.Adapter, error) {
	secrets := map[string]target.Secret{}
	for name, s := range o.Secrets {
		secrets[name] = secret("", s.File)
	}
	adapter, err := wire.Exec(wire.ExecConfig{
		Command: o.Command, Env: o.Env, Config: o.Config, Secrets: secrets, Timeout: o.Timeout, Concurrency: o.Concurrency,
		Version: env.Version, Log: env.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("open exec target: %w", err)
	}
	return adapter, nil
}
