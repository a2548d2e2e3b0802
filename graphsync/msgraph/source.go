// Package msgraph reads a tenant's directory from Microsoft Graph: it is the
// [graphsync.Source] over Microsoft's Graph SDK and azidentity, and the only package that
// imports them.
//
// The SDK builds the requests and its adapter sends them; odata decodes the bodies,
// because the SDK's models lose explicit nulls, @removed and members@delta. The package
// remembers nothing between calls but the token, and decides nothing.
//
// It promises:
//   - one retry loop for everything (throttling, server faults, lost connections, broken
//     bodies, a token that has become stale), bounded in time and ended at once by the context;
//   - while one call waits because Graph throttles (429), the others wait too: the limits are those of the
//     app and the tenant together, and each request meanwhile prolongs the wait;
//   - a token travels only to the configured Graph host over TLS, and no redirect is followed;
//   - every failure is a *[graphsync.Error] that says what happened and what to do, and
//     never holds a secret or a token.
package msgraph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"entrasync/graphsync"

	absauth "github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	msgraphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// A Config says which tenant is read, where it lives and as whom.
type Config struct {
	Tenant     graphsync.ID
	Cloud      graphsync.Cloud
	Credential Credential

	// HTTP carries all requests, to the token endpoint and to Graph. Nil means one of its own, of
	// [NewTransport].
	HTTP http.RoundTripper

	UserAgent  string        // default "entrasync"
	MaxBody    int64         // largest body accepted, in bytes after decompression; default 64 MiB
	Timeout    time.Duration // of one attempt, answer included; default 2 minutes
	MaxElapsed time.Duration // waited in all for one answer, between attempts; default 10 minutes
	Log        *slog.Logger  // default: nothing is logged
}

// A Source reads one tenant. It is safe for concurrent use; see [graphsync.Source].
type Source struct {
	cloud     graphsync.Cloud
	tokens    *tokens
	adapter   *msgraphcore.GraphRequestAdapterBase // builds requests
	requester *requester
}

var (
	_ graphsync.Source = (*Source)(nil)
	_ graphsync.Clock  = (*Source)(nil)

	_ graphsync.Notifier = (*Source)(nil)
)

// Open checks the configuration and returns a source. It sends nothing; a certificate file
// is read, so that a fault in it shows at once.
func Open(cfg Config) (*Source, error) {
	if cfg.Tenant.IsZero() {
		return nil, errors.New("open graph source: the tenant id is missing")
	}
	if err := cfg.Cloud.CheckLink(cfg.Cloud.Graph); err != nil {
		return nil, fmt.Errorf("open graph source: cloud: %w", err)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = NewTransport()
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "entrasync"
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 64 << 20
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 2 * time.Minute
	}
	if cfg.MaxElapsed <= 0 {
		cfg.MaxElapsed = 10 * time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	tokens, err := newTokens(cfg)
	if err != nil {
		return nil, fmt.Errorf("open graph source: %w", err)
	}
	rq := &requester{
		cloud: cfg.Cloud, tokens: tokens, agent: cfg.UserAgent,
		maxBody: cfg.MaxBody, timeout: cfg.Timeout, maxElapsed: cfg.MaxElapsed, log: cfg.Log,
	}
	// A registry of our own: the SDK's default one is process-wide. It writes the bodies of
	// requests; nothing is parsed by the SDK.
	writers := serialization.NewSerializationWriterFactoryRegistry()
	writers.ContentTypeAssociatedFactories["application/json"] = kiotajson.NewJsonSerializationWriterFactory()
	client := &http.Client{
		Transport: graphTransport{base: cfg.HTTP, requests: &rq.requests, date: &rq.date},
		// A redirect would carry the token to a host that was not checked.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The token is attached by attempt, after the link has been checked: the SDK's own
	// provider silently sends a request without one when the host is not among its own.
	rq.adapter, err = msgraphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&absauth.AnonymousAuthenticationProvider{}, msgraphcore.GraphClientOptions{}, nil, writers, client)
	if err != nil {
		return nil, fmt.Errorf("open graph source: %w", err)
	}
	rq.adapter.SetBaseUrl(cfg.Cloud.Graph + "/v1.0")
	return &Source{cloud: cfg.Cloud, tokens: tokens, adapter: rq.adapter, requester: rq}, nil
}

// Traffic returns what this source has done so far.
func (s *Source) Traffic() graphsync.Traffic {
	return graphsync.Traffic{Requests: s.requester.requests.Load(), Throttled: s.requester.throttled.Load(), Bytes: s.requester.bytes.Load()}
}

// Time implements [graphsync.Clock]. What has passed since the last response is measured by the
// monotonic clock, which no change of the wall clock moves.
func (s *Source) Time() (time.Time, bool) {
	last := s.requester.date.Load()
	if last == nil {
		return time.Time{}, false
	}
	return last.there.Add(time.Since(last.here)), true
}

// Refresh forgets the token, so that the next request obtains one with the permissions as
// they are now: a token keeps those of its birth for about an hour. A token being obtained is
// waited for, as long as the context allows, and forgotten too.
func (s *Source) Refresh(ctx context.Context) { s.tokens.discard(ctx, "") }
