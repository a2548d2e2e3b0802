package all

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := secret("", path)
	expect := func(want string) {
		t.Helper()
		if got, err := read(); err != nil || got != want {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v, want an error that names it", err)
	}
	put("first\n")
	expect("first")
	put("second, longer\r\n")
	expect("second, longer")
	put(" inner and outer \n\n") // one newline only is taken off
	expect(" inner and outer \n")

	// As Windows writes text.
	put("\xef\xbb\xbfmarked\r\n")
	expect("marked")
	put("\xff\xfew\x00i\x00d\x00e\x00\r\x00\n\x00")
	expect("wide")
	put("w\x00i\x00d\x00e\x002\x00")
	expect("wide2")

	// The same size, another time.
	put("aaaa")
	expect("aaaa")
	put("bbbb")
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect("bbbb")

	put(strings.Repeat("x", maxSecret+1))
	if _, err := read(); err == nil || strings.Contains(err.Error(), "xxx") {
		t.Errorf("a file that is no secret: %.80v", err)
	}
	if got, _ := secret("inline", "")(); got != "inline" {
		t.Errorf("got %q", got)
	}
}
