// Package all is the list of the kinds of applications that can be provisioned: a map from the
// configuration's `type` word to the options of that kind. To add one, write a package next to
// target/scim, give it options here, and let its tests run target/targettest.
//
// Options are plain structs. Their tags (yaml, doc, required, oneof, format, enum, min) are what
// the configuration is decoded by and what its JSON Schema is made from; this package reads no
// configuration itself.
package all

import (
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/time/rate"

	"entrasync/target"
)

// Types leads from a target's type to fresh options with their defaults.
var Types = map[string]func() Options{
	"scim":    func() Options { return &SCIM{} },
	"file":    func() Options { return &File{} },
	"exec":    func() Options { return &Exec{} },
	"ldap":    func() Options { return &LDAP{} },
	"sql":     func() Options { return &SQL{} },
	"webhook": func() Options { return &Webhook{} },
}

// Options are what the configuration says of one target: a pointer to a struct.
type Options interface {
	// Validate returns every fault that the struct's tags cannot tell, in the order of keys.
	// It touches no file and no network.
	Validate() []Fault

	// For returns a copy for one tenant, with {tenant} replaced by its name, or by its id when it joined by consent. Without
	// that word in the options all tenants share one application.
	For(tenant string) Options

	// Accounts identifies the accounts that the options lead to: two that give the same text lead
	// to the same ones. It holds the credential, which is read for it; a secret that cannot be read
	// counts by the name of its file.
	Accounts() string

	// Place is where the application is, without a credential: the accounts behind two options of one
	// type are those of one application when the texts are equal. It is kept as a digest, and linked
	// accounts are looked up again where it has changed, so it must not change with the program's version.
	Place() string

	// SharesAccounts reports whether tenants may share the application's accounts: {tenant} is not in
	// the part of the address that tells one application from another.
	SharesAccounts() bool

	// Trusts returns the contents of files that an adapter reads when it opens and never again, such
	// as certificates; nil when there are none. An adapter is opened again when they have changed.
	Trusts() []byte

	// Open returns a ready adapter. Nothing has been sent yet; secrets are read when they
	// are used, and again when their file has changed.
	Open(Env) (target.Adapter, error)
}

// A Fault is something wrong with an option.
type Fault struct {
	Key     []string // path of the key, such as auth, basic, username
	Message string   // what is wrong, beginning with the key, so that targets.NAME. fits before it
	Hint    string   // what to write instead
}

// An Env is what the program gives to adapters.
type Env struct {
	Version string            // of the program, for the User-Agent
	Base    http.RoundTripper // reaches applications in the same process; nil for the network
	Log     *slog.Logger      // takes what a target's program writes to its standard error; nil: it is dropped
	Limiter *rate.Limiter     // paces the applications of one section together; nil: each for itself
}

const tenantWord = "{tenant}"

func expandTenant(text, tenant string) string { return strings.ReplaceAll(text, tenantWord, tenant) }

// A check collects faults.
type check []Fault

func (c *check) fault(key, message, hint string) {
	path := strings.Split(key, ".")
	*c = append(*c, Fault{Key: path, Message: key + " " + message, Hint: hint})
}
