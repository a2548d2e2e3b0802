package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"entrasync/reconcile"
)

// listStages are the stages of reading the directory, which run at the same time.
var listStages = []string{"users", "groups", "assignments"}

// listCounts says how far each list has been read.
func listCounts(reading map[string]int) string {
	var parts []string
	for _, stage := range listStages {
		if n, ok := reading[stage]; ok {
			parts = append(parts, fmt.Sprintf("%d %s", n, stage))
		}
	}
	return strings.Join(parts, ", ")
}

// Progress draws one line on a terminal: the name of what runs, its stage, count, rate and time left. done clears it.
func Progress(w io.Writer, name string) (report reconcile.Progress, done func()) {
	var mu sync.Mutex
	var drawn, began time.Time
	stage, reading := "", map[string]int{}
	clear := func() { fmt.Fprint(w, "\r\x1b[K") }
	report = func(s reconcile.Step) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		together := slices.Contains(listStages, s.Stage) // these three take turns
		if together {
			reading[s.Stage] = s.Done
		}
		if s.Stage != stage && !(together && slices.Contains(listStages, stage)) {
			stage, began = s.Stage, now
		} else if now.Sub(drawn) < 100*time.Millisecond {
			return
		}
		drawn = now
		line := fmt.Sprintf("%s: %s %d", name, s.Stage, s.Done)
		if together {
			line = name + ": read " + listCounts(reading)
		}
		if s.Total > 0 {
			line += fmt.Sprintf("/%d", s.Total)
		}
		if s.Pages > 0 && s.Total == 0 {
			line += fmt.Sprintf(", %d pages", s.Pages)
		}
		if spent := now.Sub(began).Seconds(); spent > 0.5 && !together {
			rate := float64(s.Done) / spent
			line += fmt.Sprintf(", %.0f/s", rate)
			if left := s.Total - s.Done; left > 0 && rate > 0 {
				line += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
			}
		}
		clear()
		fmt.Fprint(w, line)
	}
	return report, func() {
		mu.Lock()
		defer mu.Unlock()
		if stage != "" {
			clear()
		}
	}
}
