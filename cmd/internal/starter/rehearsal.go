package starter

import (
	_ "embed"
	"fmt"
)

// DefaultEmulator is where entrasync emulate listens when nothing else is said.
const DefaultEmulator = "https://127.0.0.1:8443"

//go:embed rehearsal.yaml
var rehearsal string

// Rehearsal returns a configuration that reads the tenant of entrasync emulate and writes accounts to a file.
func Rehearsal(emulator, tenant, clientID, clientSecret string) string {
	return fmt.Sprintf(rehearsal, emulator, clientID, clientSecret, tenant)
}
