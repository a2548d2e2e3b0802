package wire

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"entrasync/target"
)

// WebhookConfig says where messages are sent.
type WebhookConfig struct {
	URL     string
	Secret  target.Secret // one or two signing secrets, each on a line; see [sign]
	Version string        // of entrasync
}

// Webhook returns an adapter whose application is a receiver of webhooks. The transport follows no redirects.
func Webhook(cfg WebhookConfig, transport *target.Transport) (*Adapter, error) {
	to, err := url.Parse(strings.TrimSpace(cfg.URL))
	switch {
	case err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https":
		return nil, errors.New("url: not the address of a receiver, such as https://api.example.com/entrasync")
	case to.User != nil:
		return nil, errors.New("url: holds a user name or password; messages are signed with secret_file")
	}
	return &Adapter{channel: &receiver{cfg: cfg, url: to.String(), transport: transport}}, nil
}

// WebhookEvents is Webhook for a receiver that takes changes and answers no questions.
func WebhookEvents(cfg WebhookConfig, transport *target.Transport) (*Events, error) {
	told, err := Webhook(cfg, transport)
	if err != nil {
		return nil, err
	}
	told.channel.(*receiver).eventsOnly = true
	return &Events{told}, nil
}

// A receiver is the application of type webhook.
type receiver struct {
	cfg        WebhookConfig
	url        string
	transport  *target.Transport
	eventsOnly bool

	mu       sync.Mutex // protects greeting
	greeting *HelloResult
}

func (r *receiver) concurrency() int { return r.transport.Concurrency() }

func (r *receiver) traffic() target.Traffic { return r.transport.Traffic() }

// hello implements channel: it is asked once in a cycle.
func (r *receiver) hello(ctx context.Context) (*HelloResult, error) {
	if err := ended(ctx, "hello"); err != nil {
		return nil, err
	}
	r.mu.Lock()
	known := r.greeting
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var result HelloResult
	params := HelloParams{Protocol: Protocol, Product: "entrasync/" + r.cfg.Version}
	err := r.post(ctx, &call{op: "hello", method: "hello", params: params, result: &result})
	if e := (*target.Error)(nil); errors.As(err, &e) && e.Code == target.Rejected {
		stopping := *e
		stopping.Code = target.NotSCIM
		err = &stopping
	}
	if err == nil {
		err = checkHello(&result)
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.greeting = &result
	r.mu.Unlock()
	return &result, nil
}

// call implements channel.
func (r *receiver) call(ctx context.Context, c *call) error {
	if !r.eventsOnly {
		if _, err := r.hello(ctx); err != nil {
			return withOp(err, c.op)
		}
	}
	return r.post(ctx, c)
}

// end implements channel. A receiver that was not asked anything hears nothing.
func (r *receiver) end(ctx context.Context) error {
	r.mu.Lock()
	spoke := r.greeting != nil
	r.greeting = nil
	r.mu.Unlock()
	if !spoke {
		return nil
	}
	err := r.post(ctx, &call{op: "close", method: "close", params: Nothing{}})
	if err != nil && target.CodeOf(err) == target.Unsupported { // it has nothing to finish
		return nil
	}
	return err
}

// post sends a message and reads the answer.
func (r *receiver) post(ctx context.Context, c *call) error {
	if err := ended(ctx, c.op); err != nil {
		return err
	}
	id := c.key
	if id == "" {
		id = "msg_" + rand.Text()
	}
	body, err := encode(message{"2.0", id, c.method, c.params})
	if err != nil {
		return &target.Error{Op: c.op, Code: target.Rejected, Message: "a value has no form in JSON", Err: err}
	}
	request, err := r.request(ctx, c, id, body)
	if err != nil {
		return err
	}
	response, err := r.transport.RoundTrip(request)
	if err != nil {
		return r.failed(c, err)
	}
	answered, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return r.failed(c, &target.Error{Code: target.Unavailable, Indeterminate: true, Message: "its answer cannot be read", Err: err})
	}
	return r.settle(c, id, response, answered)
}

func (r *receiver) request(ctx context.Context, c *call, id string, body []byte) (*http.Request, error) {
	now := time.Now().Unix()
	signature, err := signatures(r.cfg.Secret, id, now, body)
	if err != nil {
		return nil, withOp(err, c.op)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return nil, &target.Error{Op: c.op, Code: target.Rejected, Message: "the request cannot be made", Err: err}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now, 10))
	request.Header.Set("webhook-signature", signature)
	if c.method != "create" { // whose answer, when it was lost, is found out by looking
		request.Header["Idempotency-Key"] = nil
	}
	return request, nil
}

// failed is the error of a message without an answer. One that only asks changes nothing.
func (r *receiver) failed(c *call, err error) error {
	var e *target.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Op, named.Indeterminate = c.op, e.Indeterminate && c.writes
	if named.Indeterminate && named.Code == target.Rejected { // too large an answer: the write was carried out
		named.Code = target.Unavailable
	}
	return &named
}

// settle reads the answer.
func (r *receiver) settle(c *call, id string, response *http.Response, body []byte) error {
	var a answer
	err := json.Unmarshal(body, &a)
	var answered string
	spoken := err == nil && a.Version == "2.0" && json.Unmarshal(a.ID, &answered) == nil && answered == id
	success := response.StatusCode >= 200 && response.StatusCode < 300
	switch {
	case spoken && (a.Error != nil || success):
		err := c.settle(&a)
		var e *target.Error
		if errors.As(err, &e) && e.Status == 0 {
			named := *e
			named.Status = response.StatusCode
			named.RetryAfter = max(named.RetryAfter, target.RetryAfter(response.Header))
			return &named
		}
		return err
	case !success:
		return r.refused(c, response, body)
	case r.eventsOnly && a.Version == "" && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		return nil // it may answer as it likes, but for a web page, which something in between has sent
	}
	what := "the answer is not JSON-RPC 2.0"
	if err == nil && a.Version == "2.0" {
		what = "the answer is to another message, " + target.Clean(string(a.ID))
	}
	return nonsense(c.op, c.writes, fmt.Sprintf("%s (status %d: %.100s)", what, response.StatusCode, target.Clean(string(body))))
}

// refused is the error of a status other than success without an error of JSON-RPC.
func (r *receiver) refused(c *call, response *http.Response, body []byte) error {
	status := response.StatusCode
	e := &target.Error{Op: c.op, Status: status, Code: target.Rejected, Detail: target.Clean(string(body)), RetryAfter: target.RetryAfter(response.Header),
		Message: fmt.Sprintf("it refused the message (%d)", status)}
	switch {
	case status == http.StatusUnauthorized:
		e.Code, e.Message, e.Hint = target.Unauthorized, "it does not accept the signature (401)", "see that secret_file holds the receiver's signing secret, and that both clocks are right"
	case status == http.StatusForbidden:
		e.Code = target.Forbidden
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone:
		e.Code, e.Message, e.Hint = target.NotSCIM, fmt.Sprintf("there is no receiver at this address (%d)", status), "check the target's url"
	case status == http.StatusConflict && c.method == "create":
		e.Code = target.Conflict
	case status == http.StatusTooManyRequests, status >= 500:
		e.Code, e.Message = target.Unavailable, fmt.Sprintf("it failed (%d)", status)
		e.Indeterminate = c.writes && status >= 500 && status != http.StatusServiceUnavailable && status != http.StatusNotImplemented
	}
	return e
}
