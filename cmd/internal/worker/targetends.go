package worker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/target"
	"entrasync/target/all"
)

// A TargetEnd is when something ends that a target needs.
type TargetEnd struct {
	Target string // its name in the configuration
	target.End
}

// handSaid is what is said to end by the key expires.
const handSaid = "credential"

// serverCertificate is what the application showed when it was spoken to last.
const serverCertificate = "server certificate"

// TargetEnds returns what is known of the tokens and certificates of the targets, the first to end first: what credentials say
// themselves, the key expires, and certificates that applications have shown to this process. No request is made for it.
func (w *Worker) TargetEnds() (ends []TargetEnd) {
	for _, entry := range w.Config.Targets {
		for _, end := range endsOf(entry.Value) {
			ends = append(ends, TargetEnd{entry.Name, end})
		}
	}
	seen := map[target.Adapter]bool{}
	for _, s := range w.Syncs {
		adapter := w.openTarget(s)
		if adapter == nil || seen[adapter] {
			continue
		}
		seen[adapter] = true
		if reporter, ok := adapter.(target.TrafficReporter); ok {
			if at := reporter.Traffic().ServerEnds; !at.IsZero() {
				ends = append(ends, TargetEnd{s.TargetName, target.End{What: serverCertificate, At: at}})
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b TargetEnd) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Target, b.Target), cmp.Compare(a.What, b.What))
	})
	// Applications of several tenants are one target: what ends first counts.
	kept := map[[2]string]bool{}
	return slices.DeleteFunc(ends, func(e TargetEnd) bool {
		key := [2]string{e.Target, e.What}
		defer func() { kept[key] = true }()
		return kept[key]
	})
}

// endsOf returns what the section of a target says of ends.
func endsOf(section configs.Target) (ends []target.End) {
	if options, err := compile.Options(section); err == nil {
		if dated, ok := options.(all.Dated); ok {
			ends, _ = dated.Ends() // a file that cannot be read fails its cycles, which name it
		}
	}
	if at, err := time.Parse(time.DateOnly, section.Expires); err == nil {
		ends = append(ends, target.End{What: handSaid, At: at})
	}
	return ends
}

// openTarget returns the adapter of a sync's application if it is open, nil otherwise.
func (w *Worker) openTarget(s *compile.Sync) target.Adapter {
	application, err := w.Application(s)
	if err != nil {
		return nil
	}
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	open, _ := find(w.parts.targets[application.Key], application.Options)
	return open.adapter
}

// OfServer reports whether it is a certificate that the application showed.
func (e TargetEnd) OfServer() bool { return e.What == serverCertificate }

// Warning says that it ends soon, or has ended; "" when it does not. answer is what to do.
func (e TargetEnd) Warning(now time.Time) (warning, answer string) {
	left, day := e.At.Sub(now), e.At.UTC().Format(time.DateOnly)
	if left > expiryNotice {
		return "", ""
	}
	verb := "ends"
	if left <= 0 {
		verb = "ended"
	}
	warning = fmt.Sprintf("the %s of target %s %s on %s", e.What, e.Target, verb, day)
	switch e.What {
	case handSaid:
		return warning, "get a new one from the application, put it in place, and correct targets." + e.Target + ".expires"
	case serverCertificate:
		return warning, "tell those who run the application: without a new one no change reaches it"
	}
	return warning, "get a new one from the application and put it in place; it is picked up without a restart"
}
