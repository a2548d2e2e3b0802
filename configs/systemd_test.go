package configs_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unit reads a systemd unit: section.key → values, in the order written.
func unit(t *testing.T, file string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	section := ""
	for n, line := range strings.Split(string(read(t, file)), "\n") {
		line = strings.TrimSpace(line)
		key, value, isKey := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
		case isKey && section != "":
			out[section+"."+key] = append(out[section+"."+key], value)
		default:
			t.Fatalf("%s:%d: %s", file, n+1, line)
		}
	}
	return out
}

func TestUnits(t *testing.T) {
	t.Parallel()
	hardened := map[string]string{
		"Service.DynamicUser": "yes", "Service.StateDirectory": "entrasync", "Service.StateDirectoryMode": "0700",
		"Service.MemoryHigh": "1G", "Service.MemoryMax": "2G", "Service.TasksMax": "512", "Service.Environment": "GOMEMLIMIT=900MiB",
		"Service.UMask": "0077", "Service.ProtectSystem": "strict", "Service.NoNewPrivileges": "yes",
		"Service.CapabilityBoundingSet": "", "Service.RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
	}
	for file, want := range map[string]map[string]string{
		"entrasync.service": {
			"Service.Type": "notify", "Service.WatchdogSec": "2min", "Service.ExecReload": "/bin/kill -HUP $MAINPID",
			"Service.Restart": "on-failure", "Install.WantedBy": "multi-user.target",
			"Service.ExecStart": "/usr/local/bin/entrasync run --config /etc/entrasync/entrasync.yaml --log-format json",
		},
		"entrasync-sync.service": {
			"Service.Type": "oneshot", "Service.SuccessExitStatus": "3 4",
			"Service.ExecStart": "/usr/local/bin/entrasync sync --config /etc/entrasync/entrasync.yaml --log-format json",
		},
		"entrasync-sync.timer": {
			"Timer.OnCalendar": "*:0/30", "Timer.Persistent": "yes", "Timer.RandomizedDelaySec": "2min", "Install.WantedBy": "timers.target",
		},
	} {
		u := unit(t, "systemd/"+file)
		all := []map[string]string{want}
		if strings.HasSuffix(file, ".service") {
			all = append(all, hardened)
			if got, want := u["Service.LoadCredential"], "client-secret:/etc/entrasync/client-secret"; !slices.Contains(got, want) {
				t.Errorf("%s: LoadCredential=%v, want %s", file, got, want)
			}
		}
		for _, keys := range all {
			for key, value := range keys {
				if got := u[key]; len(got) != 1 || got[0] != value {
					t.Errorf("%s: %s=%v, want %q", file, key, got, value)
				}
			}
		}
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// systemd's own measure, where systemd is installed; the keys it counts are those of TestUnits.
func TestUnitsAreHardened(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: the exposure is not measured")
		return
	}
	for _, file := range []string{"systemd/entrasync.service", "systemd/entrasync-sync.service"} {
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
		m := exposure.FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("%s: %v\n%s", file, err, out)
		}
		level, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil || level > 2.0 {
			t.Errorf("%s: exposure %s, want 2.0 or less", file, m[1])
		}
		t.Logf("%s: exposure %s", file, m[1])
	}
}
