package metrics_test

import (
	"flag"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"entrasync/cmd/internal/metrics"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const configs = "../../../configs/"

var started = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// everything observes something of all there is.
func everything(m *metrics.Metrics) {
	report := &reconcile.Report{
		Sync: "front", Result: reconcile.Partial, Started: started, DurationMS: 1500,
		Summary: reconcile.Summary{Create: 2, Adopt: 1, Update: 3, Deactivate: 4, Reactivate: 5, Delete: 6, Members: 7, Held: 8, Skipped: 9},
		Errors:  []plan.Failure{{Op: plan.Create}, {Op: plan.Create}, {Op: plan.Update}},
		Graph:   reconcile.GraphTraffic{Objects: 10, Bytes: 11, Requests: 12, Throttled: 13},
		Target:  reconcile.TargetTraffic{Requests: 14, Throttled: 15},
		Waits:   []reconcile.Wait{{For: 25 * time.Minute, Changes: 20}, {For: 6 * time.Hour, Changes: 1}}, LongestWaitMS: 6 * 3600 * 1000,
	}
	m.Observe(report, "contoso")
	report.DurationMS = 700
	m.Observe(report, "contoso")
	m.Observe(&reconcile.Report{Sync: "front", Result: reconcile.Failed}, "fabrikam")
	m.SetStatus("front", "contoso", metrics.SyncStatus{Linked: 16, Holds: 17, Retrying: 18, Skipped: 19, Quarantined: true, LastSuccess: started})
	m.SetStatus("front", "fabrikam", metrics.SyncStatus{})
	m.CredentialEnds("contoso", started.AddDate(0, 0, 30))
	m.TargetEnds(map[[2]string]time.Time{{"front", "bearer token"}: started.AddDate(0, 0, 60)})
	m.BackedUp(started, true)
	m.AuditExported(true)
	m.Notified(20, 21)
	m.Notifies("contoso", "users", true, true)
	m.Notifies("contoso", "groups", true, false)
	m.Notifies("fabrikam", "users", true, true)
	m.Notifies("fabrikam", "users", false, false)
}

var ours = regexp.MustCompile(`(?m)^(?:# TYPE )?entrasync_.*$`)

func TestSeries(t *testing.T) {
	t.Parallel()
	m := metrics.New("1.0")
	everything(m)
	text := regexp.MustCompile(`go_version="[^"]*"`).ReplaceAllString(scrape(t, m), `go_version="GO"`)
	golden(t, "testdata/series.txt", strings.Join(ours.FindAllString(text, -1), "\n")+"\n")
}

// What is no longer configured is no longer told.
func TestForget(t *testing.T) {
	t.Parallel()
	m := metrics.New("1.0")
	everything(m)
	m.Forget("front", "fabrikam")
	m.TargetEnds(nil)
	m.CredentialEnds("contoso", time.Time{})
	text := scrape(t, m)
	if strings.Contains(text, "fabrikam") || strings.Contains(text, "credential_expiry") {
		t.Errorf("something of fabrikam or of the credential is left:\n%s", text)
	}
	if !strings.Contains(text, `tenant="contoso"`) {
		t.Error("contoso is gone, too")
	}
}

// The page lists what is told, no more and no less.
func TestPage(t *testing.T) {
	t.Parallel()
	golden(t, configs+"metrics.md", metrics.Page())
	m := metrics.New("1.0")
	everything(m)
	var told, listed []string
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (entrasync_\w+) (\w+)$`).FindAllStringSubmatch(scrape(t, m), -1) {
		told = append(told, line[1]+" "+line[2])
	}
	for _, line := range regexp.MustCompile("(?m)^\\| `(entrasync_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(metrics.Page(), -1) {
		listed = append(listed, line[1]+" "+line[2])
	}
	slices.Sort(told)
	slices.Sort(listed)
	if diff := cmp.Diff(told, listed); diff != "" {
		t.Errorf("told and listed metrics differ (-told +listed):\n%s", diff)
	}
}

// The alert rules parse and ask for metrics that exist.
func TestAlerts(t *testing.T) {
	t.Parallel()
	file, err := os.Open(configs + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, line := range regexp.MustCompile("`(entrasync_\\w+)` \\| (\\w+)").FindAllStringSubmatch(metrics.Page(), -1) {
		known[line[1]] = true
		if line[2] == "histogram" {
			known[line[1]+"_bucket"], known[line[1]+"_sum"], known[line[1]+"_count"] = true, true, true
		}
	}
	alerts := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			alerts++
			names := regexp.MustCompile(`entrasync_\w+`).FindAllString(rule.Expr, -1)
			if len(names) == 0 || rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("alert %q lacks a metric, a severity, a summary or a description", rule.Alert)
			}
			if _, err := time.ParseDuration(rule.For); err != nil && !regexp.MustCompile(`^\d+d$`).MatchString(rule.For) {
				t.Errorf("alert %s: for is %q: %v", rule.Alert, rule.For, err)
			}
			for _, name := range names {
				if !known[name] {
					t.Errorf("alert %s asks for %s, which does not exist", rule.Alert, name)
				}
			}
			if strings.Count(rule.Expr, "(") != strings.Count(rule.Expr, ")") {
				t.Errorf("alert %s: the brackets of %q do not match", rule.Alert, rule.Expr)
			}
		}
	}
	if alerts < 5 {
		t.Errorf("%d alerts were read", alerts)
	}
}

// The cost of observing a cycle is small compared with the cycle.
func BenchmarkObserve(b *testing.B) {
	m := metrics.New("1.0")
	report := &reconcile.Report{Sync: "front", Result: reconcile.OK, Started: started, DurationMS: 1500, Summary: reconcile.Summary{Update: 3}}
	for b.Loop() {
		m.Observe(report, "contoso")
	}
}

func golden(t *testing.T, file, have string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Errorf("%s differs (-want +have); rewrite it with -update:\n%s", file, diff)
	}
}
