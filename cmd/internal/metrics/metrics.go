// Package metrics turns what cycles report into Prometheus series on a registry of its own.
//
// It measures nothing itself: every figure is one of a report's, or of how a sync stands after
// it. It promises that labels are names from the configuration and a few fixed words, never
// something a directory or an application sent, so that the number of series is bounded by the
// number of syncs and tenants. configs/metrics.md lists them all; it is made from [Page].
package metrics

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"entrasync/reconcile"
	"entrasync/reconcile/plan"
)

// Metrics are the series of one process. Methods may be called concurrently.
type Metrics struct {
	registry   *prometheus.Registry
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec

	accepted, refused atomic.Int64 // change notifications that were counted
}

// A SyncStatus is how a sync of a tenant stands after a cycle.
type SyncStatus struct {
	Linked      int // active accounts and groups
	Holds       int // causes that wait for an approval
	Rejected    int // actions that are due and were rejected
	Retrying    int // records that failed and are tried again
	Skipped     int // records that cannot be provisioned as they are
	Drift       int // accounts, groups and memberships that were changed in the application
	Pins        int // users and groups that are pinned
	Quarantined bool
	Mostly      bool // more of the scope is skipped than guard.skipped lets pass
	LastSuccess time.Time
	Behind      time.Duration // how old a change that takes access away may be at most
	Freshness   time.Duration // its objective, 0 for none
}

// New returns the series, with those of the Go runtime and the process.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{}, histograms: map[string]*prometheus.HistogramVec{},
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, s := range all {
		switch s.kind {
		case counter:
			m.counters[s.name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: s.name, Help: s.help}, s.labels)
			m.registry.MustRegister(m.counters[s.name])
		case gauge:
			m.gauges[s.name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: s.name, Help: s.help}, s.labels)
			m.registry.MustRegister(m.gauges[s.name])
		case histogram:
			m.histograms[s.name] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: s.name, Help: s.help, Buckets: s.bounds}, s.labels)
			m.registry.MustRegister(m.histograms[s.name])
		}
	}
	m.gauges[buildInfo].WithLabelValues(version, runtime.Version()).Set(1)
	m.ConfigurationLoaded(true)
	return m
}

// ConfigurationLoaded says whether the last attempt to load the configuration succeeded.
func (m *Metrics) ConfigurationLoaded(ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	m.gauges[configLoaded].WithLabelValues().Set(value)
}

// BackedUp says when the newest backup of the state was made, and whether the last attempt succeeded.
func (m *Metrics) BackedUp(at time.Time, ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	m.gauges[backupOK].WithLabelValues().Set(value)
	m.gauges[backupTime].WithLabelValues().Set(seconds(at))
}

// AuditExported says whether the audit log was last written to its file.
func (m *Metrics) AuditExported(ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	m.gauges[auditExportOK].WithLabelValues().Set(value)
}

// Handler answers with all series.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Observe counts an applied cycle of a tenant. One that could not begin has a report with
// nothing but its sync and result.
func (m *Metrics) Observe(r *reconcile.Report, tenant string) {
	count := func(name string, n int64, labels ...string) {
		if n > 0 {
			m.counters[name].WithLabelValues(append([]string{r.Sync, tenant}, labels...)...).Add(float64(n))
		}
	}
	for _, result := range []reconcile.Result{reconcile.OK, reconcile.Partial, reconcile.Waiting, reconcile.Failed} {
		m.counters[cycles].WithLabelValues(r.Sync, tenant, string(result)) // zero from the start: an increase can be seen
	}
	count(cycles, 1, string(r.Result))
	if r.Started.IsZero() {
		return // it could not begin: there is nothing else to tell
	}
	took := time.Duration(r.DurationMS) * time.Millisecond
	m.histograms[cycleDuration].WithLabelValues(r.Sync).Observe(took.Seconds())
	m.gauges[lastDuration].WithLabelValues(r.Sync, tenant).Set(took.Seconds())
	m.gauges[lastCycle].WithLabelValues(r.Sync, tenant).Set(seconds(r.Started.Add(took)))
	for _, wait := range r.Waits {
		seen := m.histograms[changeToEffect].WithLabelValues(r.Sync)
		for range wait.Changes {
			seen.Observe(wait.For.Seconds())
		}
	}
	if len(r.Waits) > 0 {
		m.gauges[lastEffect].WithLabelValues(r.Sync, tenant).Set(float64(r.LongestWaitMS) / 1000)
	}
	count(objectsRead, r.Graph.Objects)
	count(graphRequests, r.Graph.Requests)
	count(graphThrottled, r.Graph.Throttled)
	count(graphBytes, r.Graph.Bytes)
	count(targetRequests, r.Target.Requests)
	count(targetThrottled, r.Target.Throttled)
	for _, done := range []struct {
		op plan.Op
		n  int
	}{
		{plan.Create, r.Summary.Create}, {plan.Adopt, r.Summary.Adopt}, {plan.Update, r.Summary.Update},
		{plan.Deactivate, r.Summary.Deactivate}, {plan.Reactivate, r.Summary.Reactivate},
		{plan.Delete, r.Summary.Delete}, {plan.Members, r.Summary.Members},
		{plan.Unlink, r.Summary.Unlink},
	} {
		count(actions, int64(done.n), string(done.op), "done")
	}
	for _, failure := range r.Errors {
		count(actions, 1, string(failure.Op), "failed")
	}
	if r.Result != reconcile.Failed {
		m.gauges[heldActions].WithLabelValues(r.Sync, tenant).Set(float64(r.Summary.Held))
	}
}

// SetStatus sets how a sync of a tenant stands, after a cycle and when the service starts.
func (m *Metrics) SetStatus(sync, tenant string, s SyncStatus) {
	set := func(name string, value float64) { m.gauges[name].WithLabelValues(sync, tenant).Set(value) }
	set(linked, float64(s.Linked))
	set(holds, float64(s.Holds))
	set(rejectedActions, float64(s.Rejected))
	set(retrying, float64(s.Retrying))
	set(skipped, float64(s.Skipped))
	set(drifted, float64(s.Drift))
	set(pinnedObjects, float64(s.Pins))
	inQuarantine := 0.0
	if s.Quarantined {
		inQuarantine = 1
	}
	set(quarantined, inQuarantine)
	mostly := 0.0
	if s.Mostly {
		mostly = 1
	}
	set(mostlySkipped, mostly)
	set(lastSuccess, seconds(s.LastSuccess))
	set(freshness, s.Behind.Seconds())
	set(freshObjective, s.Freshness.Seconds())
}

// CredentialEnds sets when the credential for a tenant ends. One whose end is not known has no
// series.
func (m *Metrics) CredentialEnds(tenant string, at time.Time) {
	if at.IsZero() {
		m.gauges[credentialExpiry].DeleteLabelValues(tenant)
		return
	}
	m.gauges[credentialExpiry].WithLabelValues(tenant).Set(seconds(at))
}

// TargetEnds sets when tokens and certificates end, by target and what ends. Others have no series any longer.
func (m *Metrics) TargetEnds(ends map[[2]string]time.Time) {
	m.gauges[targetExpiry].Reset()
	for of, at := range ends {
		m.gauges[targetExpiry].WithLabelValues(of[0], of[1]).Set(seconds(at))
	}
}

// Notified says how many change notifications came since the start; both only grow.
func (m *Metrics) Notified(accepted, refused int64) {
	m.counters[notified].WithLabelValues("accepted").Add(float64(accepted - m.accepted.Swap(accepted)))
	m.counters[notified].WithLabelValues("refused").Add(float64(refused - m.refused.Swap(refused)))
}

// Notifies says whether the subscription to a stream of a tenant stands and delivers. One that is not wanted has no series.
func (m *Metrics) Notifies(tenant, stream string, wanted, active bool) {
	if !wanted {
		m.gauges[notifying].DeleteLabelValues(tenant, stream)
		return
	}
	value := 0.0
	if active {
		value = 1
	}
	m.gauges[notifying].WithLabelValues(tenant, stream).Set(value)
}

// Forget drops the series of a sync of a tenant that is no longer configured. The histogram of
// a sync goes with no tenant of its own.
func (m *Metrics) Forget(sync, tenant string) {
	labels := prometheus.Labels{"sync": sync, "tenant": tenant}
	for _, s := range all {
		switch s.kind {
		case counter:
			m.counters[s.name].DeletePartialMatch(labels)
		case gauge:
			m.gauges[s.name].DeletePartialMatch(labels)
		}
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
