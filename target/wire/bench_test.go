package wire_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/wire/wiretest"
)

// BenchmarkCreate makes accounts as a first cycle does, eight at a time. The floor is the same lines through a
// pipe to a program that sends them back, one after the other.
func BenchmarkCreate(b *testing.B) {
	b.Run("floor", floor)
	b.Run("exec", func(b *testing.B) {
		fill(b, program(b, wiretest.Go(b), filepath.Join(b.TempDir(), "people")))
	})
	b.Run("python", func(b *testing.B) {
		fill(b, program(b, wiretest.Python(b), filepath.Join(b.TempDir(), "people")))
	})
	b.Run("webhook", func(b *testing.B) {
		r := wiretest.NewReceiver(b, wiretest.Go(b), filepath.Join(b.TempDir(), "people"))
		fill(b, webhook(b, r, wiretest.Secret("first")))
	})
}

func person(tb testing.TB, n int) []target.Attribute {
	name := fmt.Sprintf("user%d@example.com", n)
	return []target.Attribute{
		{Path: path(tb, "userName"), Value: name}, {Path: path(tb, "externalId"), Value: fmt.Sprintf("ext-%d", n)}, {Path: path(tb, "active"), Value: true},
		{Path: path(tb, "displayName"), Value: "Person " + name}, {Path: path(tb, `emails[type eq "work"].value`), Value: name},
	}
}

func fill(b *testing.B, a target.Adapter) {
	b.Helper()
	if _, err := a.Find(b.Context(), target.User, path(b, "userName"), "unknown@example.com"); err != nil { // it has begun
		b.Fatal(err)
	}
	numbers := make(chan int)
	var workers sync.WaitGroup
	b.ResetTimer()
	for range 8 {
		workers.Go(func() {
			for n := range numbers {
				if _, err := a.Create(b.Context(), target.User, person(b, n)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		numbers <- n
	}
	close(numbers)
	workers.Wait()
}

func floor(b *testing.B) {
	echo := exec.Command("cat")
	in, err := echo.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := echo.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := echo.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = echo.Wait()
	})
	lines := bufio.NewReader(out)
	b.ResetTimer()
	for n := range b.N {
		values := map[string]any{}
		for _, a := range person(b, n) {
			values[a.Path.Canonical()] = a.Value
		}
		text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": n, "method": "create", "params": map[string]any{"kind": "user", "attributes": values}})
		if err == nil {
			_, err = in.Write(append(text, '\n'))
		}
		if err != nil {
			b.Fatal(err)
		}
		line, err := lines.ReadBytes('\n')
		var answer map[string]any
		if err != nil || json.Unmarshal(line, &answer) != nil {
			b.Fatalf("%s: %v", line, err)
		}
	}
}
