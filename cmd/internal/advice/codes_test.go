package advice_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"entrasync/cmd/internal/advice"
)

// Every code that a report, a plan or a hold can carry is explained.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	for _, source := range []struct {
		files string
		codes *regexp.Regexp
		least int // found today, about: fewer means that this test no longer sees them
	}{
		{"../../../graphsync/errors.go", regexp.MustCompile(`\bClass\s+= "(\w+)"`), 12},
		{"../../../target/target.go", regexp.MustCompile(`\bCode\s+= "(\w+)"`), 10},
		{"../../../reconcile/*.go", regexp.MustCompile(`(?:\b[cC]ode:|\bCode(?:, f\.Hint)? =|\bGuard:|\bcode :?=) "(\w+)"`), 20},
		{"../../../reconcile/review.go", regexp.MustCompile(`return "(\w+)", `), 8},
		{"../../../reconcile/*.go", regexp.MustCompile(`\.skip\([^"\n]*"(\w+)",`), 10},
		{"../../../reconcile/mapping/*.go", regexp.MustCompile(`\bCode:\s+"(\w+)"`), 0},
	} {
		files, err := filepath.Glob(source.files)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files (%v)", source.files, len(files), err)
		}
		found := 0
		for _, file := range files {
			if match, _ := filepath.Match("*_test.go", filepath.Base(file)); match {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range source.codes.FindAllSubmatch(text, -1) {
				found++
				if code := string(m[1]); advice.Codes[code] == "" {
					t.Errorf("%s: code %s is not explained; add it to cmd/internal/advice/codes.go", file, code)
				}
			}
		}
		if found < source.least {
			t.Errorf("%s: only %d codes found", source.files, found)
		}
	}
}
