package target

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
)

// maxTokenBody bounds a token endpoint's response.
const maxTokenBody = 1 << 20

// tokenBodies makes expires_in of a token endpoint's response a whole number. RFC 6749, section 5.1,
// has a number; endpoints send 3599.0 too, which the oauth2 package refuses with the whole token.
type tokenBodies struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t tokenBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenBody))
	if err != nil {
		return nil, err
	}
	body = wholeSeconds(body)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

func wholeSeconds(body []byte) []byte {
	var token map[string]json.RawMessage
	if json.Unmarshal(body, &token) != nil {
		return body // not JSON: a form, or an error page
	}
	text := string(bytes.Trim(token["expires_in"], `"`))
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) {
		return body
	}
	token["expires_in"] = strconv.AppendInt(nil, int64(max(0, min(seconds, math.MaxInt32))), 10)
	whole, err := json.Marshal(token)
	if err != nil {
		return body
	}
	return whole
}
