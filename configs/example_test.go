package configs_test

import (
	"errors"
	"fmt"
	"os"

	"entrasync/configs"
)

// Every fault of a file is reported at once, each with its place and the nearest right spelling.
func ExampleParse() {
	_, err := configs.Parse("entrasync.yaml", []byte(`
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret_file: secret}
tenants:
  contoso: {id: 11111111-1111-1111-1111-111111111111}
targets:
  people: {type: file, path: people.jsonl}
syncs:
  people:
    form: contoso
    to: peple
    users: {attributes: {userName: "[mail]"}}
`), os.LookupEnv)
	var faults configs.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults {
			fmt.Println(fault)
		}
	}
	// Output:
	// entrasync.yaml:8:3: syncs.people.from is missing
	// entrasync.yaml:9:5: unknown key form in syncs.people; did you mean from?
	// entrasync.yaml:10:9: syncs.people.to names no target: there is no "peple"; did you mean people?
}
