package msgraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/redact"

	abs "github.com/microsoft/kiota-abstractions-go"
	msgraphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// An operation is one kind of call: its name in errors and the least application permission
// it needs (Graph permissions reference).
type operation struct{ name, permission string }

// A requester sends requests to Graph and nowhere else, repeats them as Graph asks for, and counts them.
type requester struct {
	cloud      graphsync.Cloud
	tokens     *tokens
	adapter    *msgraphcore.GraphRequestAdapterBase
	agent      string
	maxBody    int64
	timeout    time.Duration
	maxElapsed time.Duration
	log        *slog.Logger

	pause                      pause
	requests, throttled, bytes atomic.Int64
	date                       atomic.Pointer[dateHeader]
	refreshed                  atomic.Int64 // when a 403 last made the token be renewed, in Unix nanoseconds
	reached                    atomic.Bool  // Graph has answered before: a lost connection is worth waiting for
}

// call sends a request until its answer has been decoded, and explains why not otherwise.
func (rq *requester) call(ctx context.Context, op operation, info *abs.RequestInformation, decode func(body []byte) error) error {
	return rq.callWithin(ctx, rq.maxElapsed, op, info, decode)
}

// callWithin is call with a time of its own for the waits between attempts. It is the only place that repeats anything.
func (rq *requester) callWithin(ctx context.Context, maxElapsed time.Duration, op operation, info *abs.RequestInformation, decode func(body []byte) error) error {
	var tries retries
	refreshed := false
	for {
		if err := rq.pause.wait(ctx); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		var used bearer
		err := rq.attempt(ctx, info, &used, decode)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", op.name, stopped(ctx))
		}
		e := (*graphsync.Error)(nil)
		if !errors.As(err, &e) {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		if e.Op == "" {
			e.Op = op.name
		}
		if e.Op != "token" && !refreshed && rq.stale(e, used) {
			rq.tokens.discard(ctx, used.token)
			refreshed = true
			continue
		}
		if e.Class == graphsync.PermissionMissing {
			rq.blamePermission(e, op, used.token, selected(info))
		}
		if e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable {
			rq.throttled.Add(1)
		}
		wait, again := tries.next(e, rq.reached.Load())
		if !again || tries.waited > maxElapsed {
			if again && e.RetryAfter > 0 {
				e.Message += fmt.Sprintf(", for %s", e.RetryAfter.Round(time.Second))
			}
			return e
		}
		if e.Status == http.StatusTooManyRequests {
			rq.pause.extend(wait)
		}
		rq.log.InfoContext(ctx, "graph request will be repeated", "op", e.Op, "because", e.Message, "status", e.Status, "wait", wait)
		if err := sleep(ctx, wait); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
	}
}

// attempt sends a request once. The token is attached last, after the address is known to be
// the configured Graph.
func (rq *requester) attempt(ctx context.Context, info *abs.RequestInformation, used *bearer, decode func([]byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, rq.timeout)
	defer cancel()

	info.PathParameters["baseurl"] = rq.adapter.GetBaseUrl()
	uri, err := info.GetUri()
	if err != nil {
		return fmt.Errorf("%w: %w", graphsync.ErrForeignLink, err)
	}
	if err := rq.cloud.CheckLink(uri.String()); err != nil {
		return err
	}
	if used.token, used.fresh, err = rq.tokens.get(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return explainNetwork(strings.TrimPrefix(rq.cloud.Authority, "https://"), err)
		}
		return err
	}
	for name, value := range map[string]string{
		"Authorization":          "Bearer " + used.token,
		"User-Agent":             rq.agent,
		"x-ms-throttle-priority": "Low",
		"Accept":                 "application/json",
	} {
		info.Headers.Remove(name)
		info.Headers.Add(name, value)
	}

	// The SDK hands its native response over; status, headers and body are read here, where
	// the SDK would need a JSON error body to report a status at all.
	var failed error
	handler := abs.NewRequestHandlerOption()
	handler.SetResponseHandler(func(response any, _ abs.ErrorMappings) (any, error) {
		failed = rq.read(response.(*http.Response), uri.Host, used.token, decode)
		return nil, failed
	})
	info.AddRequestOptions([]abs.RequestOption{handler})
	_, err = rq.adapter.SendPrimitive(ctx, info, "[]byte", nil)
	if err != nil && failed == nil {
		return explainNetwork(uri.Host, err)
	}
	return err
}

// stale reports whether a fresh token may help against a refusal: a token keeps the
// permissions of its birth, so it may predate a consent. Where a permission is simply missing
// every call is refused, and asking for a token each time would end in AADSTS50196.
func (rq *requester) stale(e *graphsync.Error, used bearer) bool {
	switch {
	case e.Status == http.StatusUnauthorized && e.Class == graphsync.Policy:
		return true // a claims challenge may concern when or where the token was obtained
	case used.fresh:
		return false
	case e.Status == http.StatusUnauthorized:
		return true
	case e.Status != http.StatusForbidden:
		return false
	}
	now, last := time.Now().UnixNano(), rq.refreshed.Load()
	return (last == 0 || now-last > int64(5*time.Minute)) && rq.refreshed.CompareAndSwap(last, now)
}

// A bearer is the token an attempt used.
type bearer struct {
	token string
	fresh bool // obtained by this attempt
}

// read takes a response apart: the decoded body of a success, an explained error otherwise.
func (rq *requester) read(resp *http.Response, host, token string, decode func([]byte) error) error {
	defer resp.Body.Close()
	rq.reached.Store(true)
	body, err := readBody(resp, rq.maxBody)
	rq.bytes.Add(int64(len(body)))
	switch {
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent:
		return explainResponse(resp, redact.New(4, token).Bytes(body))
	case errors.Is(err, errTooLarge):
		err = &graphsync.Error{Class: graphsync.BadResponse, Message: fmt.Sprintf("the answer is larger than %d MiB", rq.maxBody>>20)}
	case err != nil:
		err = explainNetwork(host, err)
	default:
		err = decode(body)
	}
	if e := (*graphsync.Error)(nil); errors.As(err, &e) {
		e.Status, e.RequestID = resp.StatusCode, resp.Header.Get("request-id")
	}
	return err
}

var errTooLarge = errors.New("the body is too large")

func readBody(resp *http.Response, limit int64) ([]byte, error) {
	buf := make([]byte, 0, min(max(resp.ContentLength, 64<<10), limit)+1)
	for {
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

func explainResponse(resp *http.Response, body []byte) *graphsync.Error {
	var response struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	// Where it is not Graph's error body (a proxy's page, say) the status alone is explained.
	_ = json.Unmarshal(body, &response)
	e := graphsync.ExplainGraph(resp.StatusCode, response.Error.Code, response.Error.Message)
	if resp.StatusCode == http.StatusUnauthorized && isChallenge(resp.Header[challengeHeader]) {
		e = graphsync.ExplainChallenge(response.Error.Code, response.Error.Message)
	}
	e.RequestID = resp.Header.Get("request-id")
	e.RetryAfter = retryAfter(resp.Header, time.Now())
	return e
}

// isChallenge reports whether WWW-Authenticate asks for claims.
func isChallenge(values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		return strings.Contains(value, "insufficient_claims") || strings.Contains(value, "claims=")
	})
}

// selected are the properties a request asks for.
func selected(info *abs.RequestInformation) []string {
	uri, err := info.GetUri()
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(uri.Query().Get("$select"), func(r rune) bool { return r == ',' })
}

// blamePermission names the permission a refused call needs. A token without any role is
// what Graph's tenants issue after consent has been withdrawn. Where the token has the permission of
// the call, one of the properties takes another.
func (rq *requester) blamePermission(e *graphsync.Error, op operation, token string, properties []string) {
	claims, err := claimsOf(token)
	if err == nil && len(claims.Roles) == 0 {
		e.Class, e.Message = graphsync.ConsentMissing, "the app has no permission at all in this tenant"
		e.Hint = fmt.Sprintf("grant admin consent again; the app needs %s and what else is listed for it", op.permission)
		return
	}
	if missing, _ := graphsync.ComparePermissions([]string{op.permission}, claims.Roles); err == nil && len(missing) == 0 {
		blameProperties(e, op, claims.Roles, properties)
		return
	}
	e.Message = fmt.Sprintf("the app lacks the application permission %s in this tenant", op.permission)
	e.Hint = fmt.Sprintf("add the application permission %s (Microsoft Graph) to the app registration and grant admin consent again", op.permission)
}

// blameProperties names the properties for which the permission of the call is not enough.
func blameProperties(e *graphsync.Error, op operation, held, properties []string) {
	e.Message = fmt.Sprintf("Microsoft Graph refuses this although the app has the application permission %s", op.permission)
	if e.Quote != "" {
		e.Message += ": " + e.Quote
	}
	var more []string
	for _, property := range properties {
		need := graphsync.PropertyPermission(property)
		if missing, _ := graphsync.ComparePermissions([]string{need}, held); need != "" && len(missing) > 0 {
			more = append(more, property+" takes "+need)
		}
	}
	switch {
	case len(more) > 0:
		e.Hint = "a property that is asked for needs more: " + strings.Join(more, ", ") + "; grant it, or take the property out of the mapping and the filters"
	case len(properties) > 0:
		e.Hint = "a property that is asked for may need more (" + strings.Join(properties, ", ") + "): see its page in the Graph reference, and take it out of the mapping and the filters or grant what it takes"
	default:
		e.Hint = "see whether a policy of the tenant restricts the app, and report it with the request id if this lasts"
	}
}
