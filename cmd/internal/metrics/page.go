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
	bounds []float64 // of a histogram's buckets
}

// The types of Prometheus.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

const (
	actions          = "entrasync_actions_total"
	auditExportOK    = "entrasync_audit_export_ok"
	backupOK         = "entrasync_backup_ok"
	backupTime       = "entrasync_last_backup_timestamp_seconds"
	buildInfo        = "entrasync_build_info"
	configLoaded     = "entrasync_configuration_loaded"
	changeToEffect   = "entrasync_change_to_effect_seconds"
	credentialExpiry = "entrasync_credential_expiry_timestamp_seconds"
	targetExpiry     = "entrasync_target_credential_expiry_timestamp_seconds"
	pinnedObjects    = "entrasync_pins"
	cycles           = "entrasync_cycles_total"
	cycleDuration    = "entrasync_cycle_duration_seconds"
	drifted          = "entrasync_drift"
	freshness        = "entrasync_freshness_seconds"
	freshObjective   = "entrasync_freshness_objective_seconds"
	graphBytes       = "entrasync_graph_bytes_total"
	graphRequests    = "entrasync_graph_requests_total"
	graphThrottled   = "entrasync_graph_throttled_total"
	heldActions      = "entrasync_held_actions"
	holds            = "entrasync_holds"
	lastCycle        = "entrasync_last_cycle_timestamp_seconds"
	lastDuration     = "entrasync_last_cycle_duration_seconds"
	lastSuccess      = "entrasync_last_success_timestamp_seconds"
	lastEffect       = "entrasync_last_change_to_effect_seconds"
	linked           = "entrasync_linked"
	mostlySkipped    = "entrasync_mostly_skipped"
	notified         = "entrasync_notifications_total"
	notifying        = "entrasync_subscription_active"
	objectsRead      = "entrasync_objects_read_total"
	quarantined      = "entrasync_quarantined"
	rejectedActions  = "entrasync_rejected_actions"
	retrying         = "entrasync_retrying"
	skipped          = "entrasync_skipped"
	targetRequests   = "entrasync_target_requests_total"
	targetThrottled  = "entrasync_target_throttled_total"
)

var bySync = []string{"sync", "tenant"}

// durations are the buckets of a cycle: an incremental one takes about a second, an initial one
// of a large directory hours.
var durations = []float64{0.5, 1, 2, 5, 15, 60, 300, 900, 3600, 14400}

// waits are the buckets of how long a change took to take effect: a cycle comes every half hour.
var waits = []float64{60, 300, 900, 1800, 2700, 3600, 7200, 21600, 86400, 604800}

var all = []series{
	{name: actions, kind: counter, labels: []string{"sync", "tenant", "op", "outcome"}, help: "Actions on accounts and groups. op is create, adopt, update, deactivate, reactivate, delete or members; outcome is done or failed. Of the failures of one cycle the first 1000 are counted."},
	{name: auditExportOK, kind: gauge, help: "1 when the audit log was last written to its file, 0 when it could not be. Exposed where the configuration has a section audit."},
	{name: backupOK, kind: gauge, help: "1 when the last backup of the state succeeded, 0 when it did not. Exposed where the configuration has a section backup."},
	{name: backupTime, kind: gauge, help: "When the newest backup of the state was made, as Unix time; 0 for none."},
	{name: buildInfo, kind: gauge, labels: []string{"version", "go_version"}, help: "Always 1; the labels say which build this is."},
	{name: configLoaded, kind: gauge, help: "1 when the configuration was last loaded as it is in its file, 0 when a reload was refused and the former one is in use."},
	{name: changeToEffect, kind: histogram, labels: []string{"sync"}, bounds: waits, help: "How long changes may have waited from the directory to the application, over all tenants of the sync: at most since the last complete cycle began to read, and what had failed since it first did. What an initial cycle brings is not counted, and of a hold not the time until its approval."},
	{name: credentialExpiry, kind: gauge, labels: []string{"tenant"}, help: "When the credential that reads the tenant ends, as Unix time. Known for certificates, and for client secrets that the app registration or client_secret_expires gives."},
	{name: targetExpiry, kind: gauge, labels: []string{"target", "what"}, help: "When a token or certificate of a target ends, as Unix time: a bearer token that is a JWT, the client certificate, the server certificate that was shown last, and the credential where expires says it."},
	{name: pinnedObjects, kind: gauge, labels: []string{"sync", "tenant"}, help: "Users and groups that are pinned: nothing changes their accounts until they are unpinned."},
	{name: cycles, kind: counter, labels: []string{"sync", "tenant", "result"}, help: "Cycles. result is ok, partial (some records failed or wait for a retry, the target is paused, or most of the scope is skipped), held (something waits for approval) or failed (the cycle could not run)."},
	{name: cycleDuration, kind: histogram, labels: []string{"sync"}, help: "How long cycles took, over all tenants of the sync.", bounds: durations},
	{name: drifted, kind: gauge, labels: bySync, help: "Accounts, groups and memberships that the last compare found changed in the application, or gone from it, and that nothing has put right since."},
	{name: freshness, kind: gauge, labels: bySync, help: "How old a change that takes access away may be at most without having reached the application: the time since the directory was last read to its end, or since a removal first failed. 0 before the first cycle is complete. Holds are not in it, nor are direct assignments between two cycles on schedule."},
	{name: freshObjective, kind: gauge, labels: bySync, help: "What the configuration wants it to be at most (freshness), 0 for no objective."},
	{name: graphBytes, kind: counter, labels: bySync, help: "Bytes read from Microsoft Graph."},
	{name: graphRequests, kind: counter, labels: bySync, help: "Requests sent to Microsoft Graph."},
	{name: graphThrottled, kind: counter, labels: bySync, help: "Answers of Microsoft Graph that asked to wait (429 and 503)."},
	{name: heldActions, kind: gauge, labels: bySync, help: "Actions that the last cycle held back."},
	{name: holds, kind: gauge, labels: bySync, help: "Causes that wait for an approval."},
	{name: lastCycle, kind: gauge, labels: bySync, help: "When the last cycle ended, well or not, as Unix time."},
	{name: lastDuration, kind: gauge, labels: bySync, help: "How long the last cycle took."},
	{name: lastEffect, kind: gauge, labels: bySync, help: "The longest of these waits in the last cycle that changed something."},
	{name: lastSuccess, kind: gauge, labels: bySync, help: "When a cycle last ran to its end, as Unix time; 0 for never. Single records may have failed in it."},
	{name: linked, kind: gauge, labels: bySync, help: "Active accounts and groups that the sync keeps."},
	{name: mostlySkipped, kind: gauge, labels: bySync, help: "1 while more of the people in scope are skipped than guard.skipped lets pass, else 0."},
	{name: notified, kind: counter, labels: []string{"result"}, help: "Change notifications. result is accepted, or refused for requests that are none or have not the secret of a subscription."},
	{name: notifying, kind: gauge, labels: []string{"tenant", "stream"}, help: "1 while the subscription to the change notifications of the tenant's users or groups stands and delivers, 0 while it could not be made, has ended or delivers nothing. Exposed where notifications are switched on."},
	{name: objectsRead, kind: counter, labels: bySync, help: "Users and groups that Microsoft Graph reported: in an initial cycle all, then the changed ones."},
	{name: quarantined, kind: gauge, labels: bySync, help: "1 while the sync is paused because too much failed, else 0."},
	{name: rejectedActions, kind: gauge, labels: bySync, help: "Actions that are due and that a person rejected. A rejected removal leaves an account active whose person has no right to it."},
	{name: retrying, kind: gauge, labels: bySync, help: "Records that failed and are tried again."},
	{name: skipped, kind: gauge, labels: bySync, help: "Records that cannot be provisioned as they are in the directory."},
	{name: targetRequests, kind: counter, labels: bySync, help: "Requests sent to the target."},
	{name: targetThrottled, kind: counter, labels: bySync, help: "Answers of the target that asked to wait (429 and 503)."},
}

// Page is the list of all metrics, in Markdown.
func Page() string {
	var page strings.Builder
	page.WriteString(`# Metrics

` + "`/metrics`" + ` of the service exposes these to Prometheus, in addition to those of the Go runtime and the process (` + "`go_*`, `process_*`" + `).
Labels are names from the configuration. ` + "[alerts.yaml](alerts.yaml)" + ` has alert rules to start from.

| metric | type | labels | meaning |
|---|---|---|---|
`)
	for _, s := range slices.SortedFunc(slices.Values(all), func(a, b series) int { return cmp.Compare(a.name, b.name) }) {
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", s.name, s.kind, strings.Join(s.labels, ", "), s.help)
	}
	return page.String()
}
