package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/notify"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/reconcile"
)

// news reports what needs attention, as the section notify says.
type news struct {
	notify.Deliverer
	page string // address of the operator's page
}

// configure has what is reported from now on go where a configuration says.
func (n *news) configure(w *worker.Worker) error {
	channels, err := notify.Channels(w.Config.Notify)
	if err != nil {
		return err
	}
	n.deliverTo(w, channels)
	return nil
}

// deliverTo has what is reported from now on go to some channels.
func (n *news) deliverTo(w *worker.Worker, channels []notify.Channel) {
	n.Configure(&notify.Queue{News: w.Store.News(), Routes: notify.Routes(channels), Shared: w.Store.Workers().Shared()}, channels)
}

// link is how people reach the operator's page.
func (n *news) link(cfg *configs.Config) string {
	if cfg.Notify != nil && cfg.Notify.Link != "" {
		return cfg.Notify.Link
	}
	return n.page
}

// cycle reports how a cycle ended. report is nil when it could not begin.
func (n *news) cycle(cfg *configs.Config, planned *compile.Sync, report *reconcile.Report, err error) {
	n.Cycle(notify.Outcome{Sync: planned.Name, Tenant: planned.TenantName, At: time.Now(), Report: report, Err: err, Hint: advice.Of(err), Page: n.link(cfg)})
}

// service reports what concerns the service as a whole: why, "" when it is over.
func (n *news) service(cfg *configs.Config, kind, severity, what, why, answer string) {
	var conditions []notify.Condition
	if why != "" {
		conditions = []notify.Condition{{Key: "service/" + kind, Mark: why, Event: notify.Event{
			Type: kind, Severity: severity, At: time.Now(), Summary: what + ": " + why, Answer: answer, Link: n.link(cfg),
		}}}
	}
	n.Observe("service/"+kind, conditions)
}

// backedUp reports how a backup of the state ended.
func (n *news) backedUp(cfg *configs.Config, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	n.service(cfg, notify.BackupFailed, notify.Critical, "The state was not backed up", why, advice.Of(err))
}

// loaded reports that the configuration file was loaded, or why it was not.
func (n *news) loaded(cfg *configs.Config, why string) {
	n.service(cfg, notify.ReloadRefused, notify.Critical, "The configuration file was not loaded; the service runs with the one before", why,
		"correct the file, see: entrasync check; then reload the service")
}

// credentialNotice is how often the ends of credentials are looked at.
const credentialNotice = time.Hour

// credentials reports the credentials that end soon, until ctx ends.
func (n *news) credentials(ctx context.Context, current func() *worker.Worker) {
	for {
		w := current()
		if tenants, err := w.Tenants.List(); err == nil {
			for _, t := range tenants {
				var conditions []notify.Condition
				if t.CredentialEnds != nil {
					if warning := worker.EndWarning(*t.CredentialEnds, time.Now()); warning != "" {
						conditions = []notify.Condition{{Key: "credential/" + t.Name, Mark: t.CredentialEnds.Format(time.DateOnly), Event: notify.Event{
							Type: notify.Credential, Severity: notify.Warning, At: time.Now(), Tenant: t.Name, Link: n.link(w.Config),
							Summary: fmt.Sprintf("Tenant %s: %s", t.Name, warning), Answer: "put a new client secret or certificate in place; it is picked up without a restart",
						}}}
					}
				}
				n.Observe("credential/"+t.Name, conditions)
			}
		}
		n.targetEnds(w)
		select {
		case <-ctx.Done():
			return
		case <-time.After(credentialNotice):
		}
	}
}

// targetEnds reports the tokens and certificates of targets that end soon. What is not known, such as the certificate of an
// application that this process has not spoken to yet, stays reported as it was.
func (n *news) targetEnds(w *worker.Worker) {
	for _, end := range w.TargetEnds() {
		key := "target-credential/" + end.Target + "/" + end.What
		var conditions []notify.Condition
		if warning, answer := end.Warning(time.Now()); warning != "" {
			conditions = []notify.Condition{{Key: key, Mark: end.At.Format(time.DateOnly), Event: notify.Event{
				Type: notify.Credential, Severity: notify.Warning, At: time.Now(), Summary: capital(warning), Answer: answer, Link: n.link(w.Config),
			}}}
		}
		n.Observe(key, conditions)
	}
}

// capital begins a sentence.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
