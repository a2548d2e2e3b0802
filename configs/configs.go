// Package configs loads entrasync's configuration: one YAML file, read strictly.
//
// An unknown key, a wrong type, a duplicate key, a bad value or a name that leads nowhere is a
// [Fault] with file, line and column and, where there is one, the nearest right spelling. All
// faults of a file are reported at once. Defaults are in defaults.go, the rules that concern
// several keys in validate.go; everything else is said by the tags on the types in types.go,
// from which the decoder and the JSON Schema for editors are both made.
//
// The package knows nothing of directories and applications. Expressions, filters, attribute
// paths and the options of targets are kept as text with their positions; the packages that compile
// them report back through a [Check]. Loading opens no file but the configuration itself and
// makes no connection: secrets given as files are read when they are used.
//
// # Tags
//
// Structs are decoded by these tags, also those that adapters hand to [Node.Decode]:
//
//	yaml:"name"       the key; ",inline" takes an embedded struct's keys
//	doc:"sentence"    what editors show
//	required:"true"   the key must be there
//	enum:"a,b"        the words allowed, for a text or the elements of a list
//	suggest:"a,b"     words that editors offer; others are allowed too
//	format:"guid"     one of guid, url, https, link, support, logo, cron, date, listen, network, path
//	min:"0" max:"9"   bounds of a number
//	oneof:"group"     at most one key of the group may be given
//
// Of two keys x and x_file only one may be given. A field of type [Secret], or of any type
// func() (string, error), takes both: the function reads the secret again on each call. Paths (formats path and logo, and keys that end in
// _file) are relative to the folder of the configuration file and come out joined to it. Fields
// may be strings, booleans, integers, floats, [time.Duration], structs, pointers, slices and
// maps with string keys, or implement [encoding.TextUnmarshaler]. A struct with a method
// SetDefaults has it called before its section is decoded.
package configs
