package web

import (
	"fmt"
	"math"
	"strings"

	"entrasync/cmd/internal/webserver"
	"entrasync/reconcile"
)

// A trend is a small chart of the last runs: changes upwards, failures downwards. It is drawn
// once per cycle, as two paths however many runs there are.
type trend struct {
	Changes  string // path data
	Failures string
	Words    string // the same for those who do not see it; empty when there is no run
}

// The chart's measures. A bar and its gap are trendStep wide.
const (
	trendRuns  = 30
	trendStep  = 4
	trendBar   = 3
	trendUp    = 20
	trendDown  = 8
	trendWidth = trendRuns * trendStep
)

func trendOf(runs []runSummary) trend {
	runs = runs[:min(len(runs), trendRuns)]
	if len(runs) == 0 {
		return trend{}
	}
	most, all, failures, cycles := 0, 0, 0, 0
	for i := range runs {
		changes := runs[i].Summary.Changes()
		most, all, failures = max(most, changes), all+changes, failures+runs[i].Failures
		if runs[i].Result == reconcile.Failed {
			cycles++
		}
	}
	var up, down strings.Builder
	for i := range runs {
		x := trendWidth - (i+1)*trendStep
		if n := runs[i].Summary.Changes(); n > 0 {
			// By the root: one busy cycle must not flatten all others.
			height := max(1.5, trendUp*math.Sqrt(float64(n)/float64(most)))
			fmt.Fprintf(&up, "M%d %dv-%.3gh%dv%.3gz", x, trendUp, height, trendBar, height)
		}
		switch {
		case runs[i].Result == reconcile.Failed:
			fmt.Fprintf(&down, "M%d %dv%dh%dv-%dz", x, trendUp+1, trendDown-1, trendBar, trendDown-1)
		case runs[i].Failures > 0:
			fmt.Fprintf(&down, "M%d %dv3h%dv-3z", x, trendUp+1, trendBar)
		}
	}
	words := fmt.Sprintf("%s in the last %s", webserver.Plural(all, "change", "changes"), webserver.Plural(len(runs), "cycle", "cycles"))
	if failures > 0 {
		words += ", " + webserver.Plural(failures, "record failed", "records failed")
	}
	if cycles > 0 {
		words += ", " + webserver.Plural(cycles, "cycle could not run", "cycles could not run")
	}
	return trend{Changes: up.String(), Failures: down.String(), Words: words}
}
