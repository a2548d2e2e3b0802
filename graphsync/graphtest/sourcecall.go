package graphtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"entrasync/graphsync"
)

func (s *Source) get(ctx context.Context, op, address string, headers http.Header, decode func([]byte) error) error {
	return s.send(ctx, op, http.MethodGet, address, headers, nil, decode)
}

// send sends a request once. An address that begins with a slash is below the service root.
func (s *Source) send(ctx context.Context, op, method, address string, headers http.Header, body []byte, decode func([]byte) error) error {
	token, err := s.bearer(ctx)
	if err != nil {
		return err
	}
	if strings.HasPrefix(address, "/") {
		address = s.server.URL() + "/v1.0" + address
	}
	header := headers.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", "Bearer "+token)
	got, err := s.roundTrip(ctx, method, address, header, body)
	if err == nil && got.status == http.StatusUnauthorized {
		s.Refresh()
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case err != nil:
		return &graphsync.Error{Class: graphsync.Unreachable, Op: op, Message: err.Error(), Err: err}
	case got.status != http.StatusOK && got.status != http.StatusCreated && got.status != http.StatusNoContent:
		return got.explain(op)
	}
	return decode(got.body)
}

// bearer returns the token at hand, or obtains one.
func (s *Source) bearer(ctx context.Context) (string, error) {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	if token != "" {
		return token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.clientID}, "client_secret": {s.secret}, "scope": {s.server.URL() + "/.default"}}
	got, err := s.roundTrip(ctx, http.MethodPost, s.server.URL()+"/"+s.tenant.String()+"/oauth2/v2.0/token",
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return "", &graphsync.Error{Class: graphsync.Unreachable, Op: "token", Message: err.Error(), Err: err}
	}
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(got.body, &said); err != nil || said.Token == "" {
		e := graphsync.ExplainToken(got.status, got.body)
		e.Op = "token"
		return "", e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = said.Token
	return said.Token, nil
}

// A wholeResponse has been read to the end of its body.
type wholeResponse struct {
	status int
	body   []byte
}

func (r wholeResponse) explain(op string) error {
	var said struct {
		Error struct{ Code, Message string }
	}
	// Where it is not Graph's error body (a proxy's page, say) the status alone is explained.
	_ = json.Unmarshal(r.body, &said)
	e := graphsync.ExplainGraph(r.status, said.Error.Code, said.Error.Message)
	e.Op = op
	return e
}

func (s *Source) roundTrip(ctx context.Context, method, address string, header http.Header, body []byte) (wholeResponse, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return wholeResponse{}, err
	}
	request.Header = header
	response, err := s.server.Transport().RoundTrip(request)
	if err != nil {
		return wholeResponse{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traffic.Requests++
	s.traffic.Bytes += int64(len(text))
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable {
		s.traffic.Throttled++
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		s.date = date
	}
	return wholeResponse{response.StatusCode, text}, err
}

// refused makes of a refusal of a link that the server gave out [graphsync.ErrResync].
func refused(err error, link bool) error {
	e := (*graphsync.Error)(nil)
	if !link || !errors.As(err, &e) || e.Status < 400 || e.Status >= 500 || errors.Is(err, graphsync.ErrResync) {
		return err
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return err
	}
	e.Class, e.Err = graphsync.BadResponse, graphsync.ErrResync
	return err
}

// isNotFound reports whether Graph says that there is no such object.
func isNotFound(err error) bool {
	e := (*graphsync.Error)(nil)
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code == "Request_ResourceNotFound"
}

// eventual asks for a count (advanced queries on directory objects).
func eventual() http.Header {
	header := http.Header{}
	header.Set("ConsistencyLevel", "eventual")
	return header
}

func selected(properties []string) string { return url.QueryEscape(strings.Join(properties, ",")) }

func startsWith(prefix string) string {
	return url.QueryEscape("startsWith(userPrincipalName,'" + strings.ReplaceAll(prefix, "'", "''") + "')")
}
