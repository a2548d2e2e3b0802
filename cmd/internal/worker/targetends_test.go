package worker

import (
	"strings"
	"testing"
	"time"

	"entrasync/target"
)

func TestWarningsOfTargetEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what         string
		in           time.Duration
		want, answer string
	}{
		{"bearer token", 31 * 24 * time.Hour, "", ""},
		{"bearer token", 30 * 24 * time.Hour, "the bearer token of target front ends on 2026-12-31", "picked up without a restart"},
		{"client certificate", -time.Hour, "the client certificate of target front ended on 2026-11-30", "put it in place"},
		{handSaid, time.Hour, "the credential of target front ends on 2026-12-01", "correct targets.front.expires"},
		{serverCertificate, time.Hour, "the server certificate of target front ends", "tell those who run the application"},
	} {
		warning, answer := TargetEnd{"front", target.End{What: c.what, At: now.Add(c.in)}}.Warning(now)
		if !strings.Contains(warning, c.want) || (warning == "") != (c.want == "") || !strings.Contains(answer, c.answer) {
			t.Errorf("%s in %v: %q, %q", c.what, c.in, warning, answer)
		}
	}
}
