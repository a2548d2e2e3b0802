package safety

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"entrasync/reconcile"
)

// An application that hangs costs one cycle some of its time, and the next ones a few requests.
func TestApplicationHangs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		w, d := company(t)
		var names []string
		for i := range 45 {
			names = append(names, fmt.Sprintf("joiner%02d", i))
		}
		d.hire(names...)
		d.group("Joiners", names...)
		d.Assign(frontApp, d.ids["Joiners"], "Viewer")
		// It has answered for some when it begins to hang.
		w.wire.fault(callFault{name: "hang", match: method(http.MethodGet, http.MethodPost), skip: 12, times: -1,
			answer: func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
				<-r.Context().Done()
				return nil, errors.Join(r.Context().Err(), io.ErrUnexpectedEOF)
			}})
		for round := range 6 {
			began := time.Now()
			report, err := w.run(reconcile.Options{Apply: true, Scheduled: true})
			took := time.Since(began)
			t.Logf("%v, %d requests: %v", took.Round(time.Second), report.Target.Requests, err)
			switch {
			case err == nil:
				t.Error("the cycle went through")
			case round == 0 && took > 25*time.Minute:
				t.Errorf("the first cycle took %v", took)
			case round > 0 && (took > 10*time.Minute || report.Target.Requests > 8):
				t.Errorf("a cycle of a paused sync took %v and %d requests", took, report.Target.Requests)
			}
			time.Sleep(30 * time.Minute)
		}
		w.wire.heal()
		time.Sleep(25 * time.Hour)
		w.mustRun(reconcile.Options{Apply: true, Scheduled: true})
		if differences := w.problems(); len(differences) > 0 {
			t.Error(differences)
		}
	})
}
