package configs

import (
	"cmp"
	"reflect"
	"strings"
)

// A State says where the state is: in a folder of this machine, or in a PostgreSQL database.
type State struct {
	Dir     string // folder with a file per tenant; "" with a database
	DSN     Secret // connection string of the database; zero with a folder
	Scratch string // with a database: folder of this machine for what lives no longer than the process; "" for the default
	KeyFile string // file with the key that encrypts it; "": it is not encrypted
}

// A stateSection is a State as a section.
type stateSection struct {
	Path    string `yaml:"path" format:"path" oneof:"place" doc:"Folder of the state, one file per tenant. Default: $STATE_DIRECTORY, else /var/lib/entrasync."`
	DSN     Secret `yaml:"dsn" oneof:"place" doc:"Connection string of the PostgreSQL database, such as postgres://user:password@host/database. It holds the password: better give dsn_file."`
	Scratch string `yaml:"scratch" format:"path" doc:"With a database: folder of this machine for the admin socket of the process. Default: $STATE_DIRECTORY, else a temporary folder."`
	KeyFile string `yaml:"key_file" doc:"File with the key that encrypts the state: 32 random bytes in base64, readable by its owner only. Without it the state is not encrypted. See entrasync state rekey."`
}

// InDatabase reports whether the state is in a PostgreSQL database.
func (s State) InDatabase() bool { return !s.DSN.IsZero() }

func (s *State) decode(d *decoder, n *node, key string, f field) {
	if n.kind == section {
		var in stateSection
		d.section(n, reflect.ValueOf(&in).Elem(), key)
		*s = State{Dir: cmp.Or(in.Path, s.Dir), DSN: in.DSN, Scratch: in.Scratch, KeyFile: in.KeyFile}
		switch {
		case s.InDatabase():
			s.Dir = ""
		case in.Scratch != "":
			d.fault(n.get("scratch"), join(key, "scratch"), "name the database in "+join(key, "dsn_file")+", or remove scratch", "%s is for a state in a database, and there is no %s", join(key, "scratch"), join(key, "dsn_file"))
		}
		return
	}
	if n.kind == scalar && isDatabase(n.text) {
		*s = State{DSN: newSecret(n.text)}
		return
	}
	if n.kind == scalar && strings.Contains(n.text, "://") {
		d.fault(n, key, "name a folder, or a PostgreSQL database as postgres://user@host/database", "%s is neither a folder nor a PostgreSQL database", key)
		return
	}
	var dir string
	d.value(n, reflect.ValueOf(&dir).Elem(), key, field{format: "path"})
	if dir != "" {
		*s = State{Dir: dir}
	}
}

// isDatabase reports whether a text is the connection string of a database.
func isDatabase(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql"))
}

// placed reports whether a configuration says where the state is.
func placed(given *node) bool {
	state := given.get("state")
	return state != nil && (state.kind != section || state.get("path") != nil || state.get("dsn") != nil || state.get("dsn_file") != nil)
}
