package check

import (
	"slices"
	"time"

	"entrasync/cmd/internal/worker"
)

// targetEnds reports when tokens and certificates of targets end: what ends soon as a warning, and with all what does not, too.
func (c *Checker) targetEnds(out *Section, ends []worker.TargetEnd, all bool) {
	for _, end := range ends {
		warning, answer := end.Warning(time.Now())
		switch {
		case warning != "":
			out.warn("target "+end.Target, warning, answer)
		case all:
			out.Pass("target "+end.Target, "%s good until %s", end.What, end.At.Format(time.DateOnly))
		}
	}
}

// serverCertificates reports the certificates that applications showed while they were tested.
func (c *Checker) serverCertificates() {
	var s Section
	c.targetEnds(&s, slices.DeleteFunc(c.worker.TargetEnds(), func(e worker.TargetEnd) bool { return !e.OfServer() }), false)
	if len(s.Warnings) > 0 {
		c.Add(&s)
	}
}
