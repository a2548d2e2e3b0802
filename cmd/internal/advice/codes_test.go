package advice_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entrasync/cmd/internal/advice"
	"entrasync/reconcile/guard"
)

// Every code that a report, a plan or a hold can carry is explained.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	for _, source := range []struct {
		files string
		codes *regexp.Regexp
		least int // found today, about: fewer means that this test no longer sees them
	}{
		{"../../../graphsync/errors.go", regexp.MustCompile(`\bClass\s+= "(\w+)"`), 13},
		{"../../../target/target.go", regexp.MustCompile(`\bCode\s+= "(\w+)"`), 10},
		{"../../../reconcile/*.go", regexp.MustCompile(`(?:\b[cC]ode:|\bCode(?:, f\.Hint)? =|\bcode :?=) "(\w+)"`), 10},
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

// Every guard is explained as one, and nothing else is. A guard that is named by a text, and not by its
// constant, would be in neither list.
func TestEveryGuardIsExplained(t *testing.T) {
	t.Parallel()
	const sign = "a guard: "
	for _, name := range guard.Names() {
		if !strings.HasPrefix(advice.Codes[name], sign) {
			t.Errorf("guard %s: the advice is %q; add %q to cmd/internal/advice/codes.go", name, advice.Codes[name], name+`: "`+sign+`…"`)
		}
	}
	for code, text := range advice.Codes {
		if strings.HasPrefix(text, sign) && !slices.Contains(guard.Names(), code) {
			t.Errorf("%s is explained as a guard and is none of reconcile/guard/names.go", code)
		}
	}
	literal := regexp.MustCompile(`\bGuard: +"|\bHold\("|\breturn "\w+", `)
	files, err := filepath.Glob("../../../reconcile/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, file := range append(files, "../../../reconcile/guard/domains.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range literal.FindAll(text, -1) {
			if strings.HasSuffix(file, "_test.go") || string(found[:6]) == "return" && filepath.Base(file) != "guards.go" {
				continue
			}
			t.Errorf("%s: %s names a guard by a text; use the constants of reconcile/guard/names.go", file, found)
		}
	}
}
