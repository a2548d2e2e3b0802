package configs

import _ "embed"

//go:embed starter.yaml
var starter string

// Starter returns the commented configuration that `entrasync init` writes: one tenant, one SCIM
// target. It loads as it is; three values in it are placeholders. Its first line points editors
// to the schema next to it, entrasync.schema.json.
func Starter() string { return starter }
