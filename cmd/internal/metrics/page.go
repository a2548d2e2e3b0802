package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A series is one metric: all there is to know of it.
type series struct {
	name   string
	kind   string
	labels []string
	help   string
}

// The types of Prometheus.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

const (
	actions          = "entrasync_actions_total"
	buildInfo        = "entrasync_build_info"
	credentialExpiry = "entrasync_credential_expiry_timestamp_seconds"
	cycles           = "entrasync_cycles_total"
	cycleDuration    = "entrasync_cycle_duration_seconds"
	graphBytes       = "entrasync_graph_bytes_total"
	graphRequests    = "entrasync_graph_requests_total"
	graphThrottled   = "entrasync_graph_throttled_total"
	heldActions      = "entrasync_held_actions"
	holds            = "entrasync_holds"
	lastCycle        = "entrasync_last_cycle_timestamp_seconds"
	lastDuration     = "entrasync_last_cycle_duration_seconds"
	lastSuccess      = "entrasync_last_success_timestamp_seconds"
	linked           = "entrasync_linked"
	objectsRead      = "entrasync_objects_read_total"
	quarantined      = "entrasync_quarantined"
	retrying         = "entrasync_retrying"
	skipped          = "entrasync_skipped"
	targetRequests   = "entrasync_target_requests_total"
	targetThrottled  = "entrasync_target_throttled_total"
)

var bySync = []string{"sync", "tenant"}

// durations are the buckets of a cycle: an incremental one takes about a second, an initial one
// of a large directory hours.
var durations = []float64{0.5, 1, 2, 5, 15, 60, 300, 900, 3600, 14400}

var all = []series{
	{actions, counter, []string{"sync", "tenant", "op", "outcome"}, "Actions on accounts and groups. op is create, adopt, update, deactivate, reactivate, delete or members; outcome is done or failed. Of the failures of one cycle the first 1000 are counted."},
	{buildInfo, gauge, []string{"version", "go_version"}, "Always 1; the labels say which build this is."},
	{credentialExpiry, gauge, []string{"tenant"}, "When the credential that reads the tenant ends, as Unix time. Known for certificates, not for client secrets."},
	{cycles, counter, []string{"sync", "tenant", "result"}, "Cycles. result is ok, partial (some records failed), held (something waits for approval) or failed (the cycle could not run)."},
	{cycleDuration, histogram, []string{"sync"}, "How long cycles took, over all tenants of the sync."},
	{graphBytes, counter, bySync, "Bytes read from Microsoft Graph."},
	{graphRequests, counter, bySync, "Requests sent to Microsoft Graph."},
	{graphThrottled, counter, bySync, "Answers of Microsoft Graph that asked to wait (429 and 503)."},
	{heldActions, gauge, bySync, "Actions that the last cycle held back."},
	{holds, gauge, bySync, "Causes that wait for an approval."},
	{lastCycle, gauge, bySync, "When the last cycle ended, well or not, as Unix time."},
	{lastDuration, gauge, bySync, "How long the last cycle took."},
	{lastSuccess, gauge, bySync, "When a cycle last ran to its end, as Unix time; 0 for never. Single records may have failed in it."},
	{linked, gauge, bySync, "Active accounts and groups that the sync keeps."},
	{objectsRead, counter, bySync, "Users and groups that Microsoft Graph told of: in an initial cycle all, then the changed ones."},
	{quarantined, gauge, bySync, "1 while the sync is paused because too much failed, else 0."},
	{retrying, gauge, bySync, "Records that failed and are tried again."},
	{skipped, gauge, bySync, "Records that cannot be provisioned as they are in the directory."},
	{targetRequests, counter, bySync, "Requests sent to the target."},
	{targetThrottled, counter, bySync, "Answers of the target that asked to wait (429 and 503)."},
}

// Page is the list of all metrics, in Markdown.
func Page() string {
	var page strings.Builder
	page.WriteString(`# Metrics

` + "`/metrics`" + ` of the service tells these to Prometheus, beside those of the Go runtime and the process (` + "`go_*`, `process_*`" + `).
Labels are names from the configuration. ` + "[alerts.yaml](alerts.yaml)" + ` has alert rules to start from.

| metric | type | labels | meaning |
|---|---|---|---|
`)
	for _, s := range slices.SortedFunc(slices.Values(all), func(a, b series) int { return cmp.Compare(a.name, b.name) }) {
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", s.name, s.kind, strings.Join(s.labels, ", "), s.help)
	}
	return page.String()
}
