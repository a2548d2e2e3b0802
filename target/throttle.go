package target

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The statuses without a name in net/http by which some services refuse for being asked too often.
const (
	statusEnhanceYourCalm   = 420
	statusBandwidthExceeded = 509
)

// throttleWords are in an error's text when a service refuses for being asked too often with a
// status of another meaning: Databricks with 500, GitHub and gateways with 403.
var throttleWords = []string{
	"request_limit_exceeded", "rate limit", "rate-limit", "rate_limit", "ratelimit", "too many requests", "toomanyrequests",
	"throttl", "slow down",
}

// remainingHeaders and resetHeaders are the spellings in use of how many requests are left, and
// when there are more (draft-ietf-httpapi-ratelimit-headers and what came before it).
var (
	remainingHeaders = []string{"X-RateLimit-Remaining", "X-Rate-Limit-Remaining", "RateLimit-Remaining"}
	resetHeaders     = []string{"X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset"}
)

// throttled reports whether an application refused for being asked too often. RFC 6585 has 429 for
// it; a response that says the same in other words is made a 429.
func throttled(response *http.Response) bool {
	other := false
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case statusEnhanceYourCalm, statusBandwidthExceeded:
		other = true
	case http.StatusForbidden:
		_, waits := retryAfter(response.Header, time.Now())
		other = waits || firstOf(response.Header, remainingHeaders) == "0" || saysThrottled(response)
	case http.StatusInternalServerError:
		other = saysThrottled(response)
	}
	if other {
		response.StatusCode, response.Status = http.StatusTooManyRequests, "429 Too Many Requests"
	}
	return other
}

func saysThrottled(response *http.Response) bool {
	body, _ := io.ReadAll(response.Body) // in memory
	response.Body = io.NopCloser(bytes.NewReader(body))
	text := strings.ToLower(string(body[:min(len(body), 4096)]))
	for _, sign := range throttleWords {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// askedWait returns how long a response that refuses asks to wait: by Retry-After, or else by when
// there are requests left again, in seconds from now or since 1970.
func askedWait(header http.Header, now time.Time) (time.Duration, bool) {
	if wait, ok := retryAfter(header, now); ok {
		return wait, true
	}
	if firstOf(header, remainingHeaders) != "0" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(firstOf(header, resetHeaders), 64)
	const since1970 = 1e9 // larger numbers are dates
	switch {
	case err != nil || !(seconds >= 0 && seconds < 1e10):
		return 0, false
	case seconds < since1970:
		return time.Duration(seconds * float64(time.Second)), true
	}
	if sent, err := http.ParseTime(header.Get("Date")); err == nil {
		now = sent
	}
	return max(0, time.Unix(int64(seconds), 0).Sub(now)), true
}

func firstOf(header http.Header, names []string) string {
	for _, name := range names {
		if value := strings.TrimSpace(header.Get(name)); value != "" {
			return value
		}
	}
	return ""
}
