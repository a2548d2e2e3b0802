package graphtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// instead is a fault that answers without asking the server.
func instead(status int, header http.Header, body []byte) Fault {
	return Fault{Respond: func(*http.Request, func() *Response) *Response {
		return &Response{Status: status, Header: header.Clone(), Body: body}
	}}
}

// GraphFailure answers with an error in Graph's form. Pairs of header names and values may
// follow.
func GraphFailure(status int, code, message string, header ...string) Fault {
	var body errorBody
	body.Error.Code, body.Error.Message = code, message
	body.Error.InnerError = innerError{"2026-01-01T00:00:00", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"}
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return instead(status, h, encodeJSON(body))
}

// ClaimsChallenge refuses the token with a demand for other claims, as a Conditional Access policy for
// workload identities does (Continuous access evaluation, "Claims challenges").
func ClaimsChallenge() Fault {
	return GraphFailure(http.StatusUnauthorized, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: LocationConditionEvaluationSatisfied",
		"WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="`+graphAppID+`", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ=="`)
}

// Throttle answers 429. retryAfter is sent as it is: seconds, a fraction, a date, or nothing
// for "".
func Throttle(retryAfter string) Fault {
	header := []string{"x-ms-throttle-information", "ResourceUnitLimitExceeded",
		"x-ms-throttle-scope", "Tenant_Application/ReadWrite/app/tenant"}
	if retryAfter != "" {
		header = append(header, "Retry-After", retryAfter)
	}
	return GraphFailure(http.StatusTooManyRequests, "TooManyRequests", "Too Many Requests", header...)
}

// Unavailable answers 503, with Retry-After unless it is "".
func Unavailable(retryAfter string) Fault {
	var header []string
	if retryAfter != "" {
		header = []string{"Retry-After", retryAfter}
	}
	return GraphFailure(http.StatusServiceUnavailable, "serviceNotAvailable", "The service is temporarily unavailable.", header...)
}

// ServerError answers with a 5xx status.
func ServerError(status int) Fault {
	return GraphFailure(status, "InternalServerError", http.StatusText(status))
}

// Expired410 answers a delta link as one whose sync state was reset: 410 Gone with a Location.
func Expired410() Fault {
	return Fault{Match: hasToken, Respond: func(r *http.Request, next func() *Response) *Response {
		a := GraphFailure(http.StatusGone, "syncStateNotFound", "The sync state generation is not found. The delta token is expired and data must be synchronized again.").Respond(r, next)
		a.Header.Set("Location", "https://"+r.Host+r.URL.Path+"?$deltatoken=")
		return a
	}}
}

// SyncStateNotFound answers a delta link with 400 or 404, the other spelling of expiry.
func SyncStateNotFound(status int) Fault {
	f := GraphFailure(status, "syncStateNotFound", "The sync state generation is not found. The delta token is expired and data must be synchronized again.")
	f.Match = hasToken
	return f
}

// ResyncRequired answers a delta link with 410 resyncRequired and no Location.
func ResyncRequired() Fault {
	f := GraphFailure(http.StatusGone, "resyncRequired", "The delta token is no longer valid, and the app must reset the sync state.")
	f.Match = hasToken
	return f
}

// RefusedLink answers a delta or page link, whatever it leads to, with a status and code of its own:
// Graph has more words for having lost a link's state than are documented.
func RefusedLink(status int, code string) Fault {
	f := GraphFailure(status, code, "The specified page token value has expired and can no longer be included in your request.")
	f.Match = hasToken
	return f
}

func hasToken(r *http.Request) bool {
	q := r.URL.Query()
	return q.Get("$deltatoken") != "" || q.Get("$skiptoken") != ""
}

// TokenFailure answers a token request with an AADSTS error.
func TokenFailure(status, number int, name, message string) Fault {
	f := instead(status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, encodeJSON(map[string]any{
		"error": name,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: 00000000-0000-0000-0000-000000000000 Correlation ID: 00000000-0000-0000-0000-000000000000 Timestamp: 2026-01-01 00:00:00Z",
			number, message),
		"error_codes":    []int{number},
		"timestamp":      "2026-01-01 00:00:00Z",
		"trace_id":       "00000000-0000-0000-0000-000000000000",
		"correlation_id": "00000000-0000-0000-0000-000000000000",
	}))
	return f.On("/*/oauth2/v2.0/token")
}

// HTMLPage answers 200 with a proxy's page instead of JSON.
func HTMLPage() Fault {
	return instead(http.StatusOK, http.Header{"Content-Type": {"text/html"}}, []byte("<!doctype html><title>Sign in to the network</title><p>Please sign in.</p>\n"))
}

// DropConnection ends the connection without a response.
func DropConnection() Fault {
	return Fault{Respond: func(*http.Request, func() *Response) *Response { return &Response{Drop: true} }}
}

// Slow sends the right answer after a wait.
func Slow(wait time.Duration) Fault {
	return change(func(_ *http.Request, a *Response) { a.Delay = wait })
}

// SlowBody sends the right answer with a wait between chunks of 1 KB.
func SlowBody(wait time.Duration) Fault {
	return change(func(_ *http.Request, a *Response) { a.Trickle = wait })
}

// TruncatedBody ends the connection half-way through the right answer.
func TruncatedBody() Fault {
	return change(func(_ *http.Request, a *Response) { a.Truncate = true })
}

// BrokenJSON sends half of the right answer as if it were all of it.
func BrokenJSON() Fault {
	return change(func(_ *http.Request, a *Response) { a.Body = a.Body[:len(a.Body)/2] })
}

// change is a fault that alters a response that went well.
func change(alter func(*http.Request, *Response)) Fault {
	return Fault{Respond: func(r *http.Request, next func() *Response) *Response {
		a := next()
		if a.Status == http.StatusOK {
			alter(r, a)
		}
		return a
	}}
}

// edit is a fault that alters the JSON of a response that went well. What it does not touch
// stays byte for byte.
func edit(alter func(r *http.Request, a *Response, page map[string]json.RawMessage)) Fault {
	return change(func(r *http.Request, a *Response) {
		var page map[string]json.RawMessage
		if err := json.Unmarshal(a.Body, &page); err != nil {
			return
		}
		alter(r, a, page)
		var out bytes.Buffer
		for _, key := range []string{"@odata.context", "@odata.count", "@odata.nextLink", "value", "@odata.deltaLink"} {
			if value, ok := page[key]; ok {
				if out.Len() == 0 {
					out.WriteByte('{')
				} else {
					out.WriteByte(',')
				}
				fmt.Fprintf(&out, "%q:%s", key, value)
			}
		}
		out.WriteByte('}')
		a.Body = out.Bytes()
	})
}

// ForeignNextLink points the page's next or delta link at another host.
func ForeignNextLink(host string) Fault {
	return relink(func(u *url.URL) { u.Host = host })
}

// HTTPNextLink points the page's next or delta link at plain http.
func HTTPNextLink() Fault {
	return relink(func(u *url.URL) { u.Scheme = "http" })
}

func relink(alter func(*url.URL)) Fault {
	return edit(func(_ *http.Request, _ *Response, page map[string]json.RawMessage) {
		for _, key := range []string{"@odata.nextLink", "@odata.deltaLink"} {
			var link string
			if json.Unmarshal(page[key], &link) != nil {
				continue
			}
			if u, err := url.Parse(link); err == nil {
				alter(u)
				page[key] = encodeJSON(u.String())
			}
		}
	})
}

// EmptyPage puts a page without objects before a delta page: Graph does so now and then.
// With Repeat there are several, with Always the round never ends.
func EmptyPage() Fault {
	return edit(func(_ *http.Request, a *Response, page map[string]json.RawMessage) {
		if a.again == "" {
			return
		}
		page["value"] = json.RawMessage("[]")
		page["@odata.nextLink"] = encodeJSON(a.again)
		delete(page, "@odata.deltaLink")
	})
}

// EndlessPaging makes every delta page empty and lead to another.
func EndlessPaging() Fault { return EmptyPage().Always() }

// ReplayPage sends a delta page whose next link leads to the same page once more.
func ReplayPage() Fault {
	return edit(func(_ *http.Request, a *Response, page map[string]json.RawMessage) {
		if a.again == "" {
			return
		}
		page["@odata.nextLink"] = encodeJSON(a.again)
		delete(page, "@odata.deltaLink")
	})
}

// OutOfOrder reverses the entries of a page.
func OutOfOrder() Fault {
	return rows(func(entries []json.RawMessage) []json.RawMessage {
		slices.Reverse(entries)
		return entries
	})
}

// MissingRow leaves out the last entry of a page, as Graph was seen to do in appRoleAssignedTo.
func MissingRow() Fault {
	return rows(func(entries []json.RawMessage) []json.RawMessage {
		return entries[:max(len(entries)-1, 0)]
	})
}

// LaggingReplica leaves out the last entry of a list and counts accordingly, as a replica that has not
// heard of it yet.
func LaggingReplica() Fault {
	return edit(func(_ *http.Request, _ *Response, page map[string]json.RawMessage) {
		var entries []json.RawMessage
		if json.Unmarshal(page["value"], &entries) != nil || len(entries) == 0 {
			return
		}
		page["value"] = encodeJSON(entries[:len(entries)-1])
		if n, err := strconv.Atoi(string(page["@odata.count"])); err == nil {
			page["@odata.count"] = encodeJSON(n - 1)
		}
	})
}

// Uncounted leaves @odata.count out of a list, as where something on the way drops the header
// ConsistencyLevel.
func Uncounted() Fault {
	return edit(func(_ *http.Request, _ *Response, page map[string]json.RawMessage) { delete(page, "@odata.count") })
}

// CountRefused answers requests with $count with 400.
func CountRefused() Fault {
	f := GraphFailure(http.StatusBadRequest, "Request_UnsupportedQuery", "Request with $count query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	f.Match = func(r *http.Request) bool { return r.URL.Query().Has("$count") }
	return f
}

// Rewritten replaces text in the entries of a list or delta page, in all of them that have it.
func Rewritten(old, new string) Fault {
	return edit(func(_ *http.Request, _ *Response, page map[string]json.RawMessage) {
		page["value"] = bytes.ReplaceAll(page["value"], []byte(old), []byte(new))
	})
}

// BadRecord puts an entry into a page that is no directory object.
func BadRecord(entry string) Fault {
	return rows(func(entries []json.RawMessage) []json.RawMessage {
		return slices.Insert(entries, len(entries)/2, json.RawMessage(entry))
	})
}

func rows(alter func([]json.RawMessage) []json.RawMessage) Fault {
	return edit(func(_ *http.Request, _ *Response, page map[string]json.RawMessage) {
		var entries []json.RawMessage
		if json.Unmarshal(page["value"], &entries) == nil {
			page["value"] = encodeJSON(alter(entries))
		}
	})
}

// WrongCount adds to the @odata.count of a list.
func WrongCount(by int) Fault {
	return edit(func(_ *http.Request, _ *Response, page map[string]json.RawMessage) {
		if n, err := strconv.Atoi(string(page["@odata.count"])); err == nil {
			page["@odata.count"] = encodeJSON(n + by)
		}
	})
}

// SubscriptionLimit refuses a subscription because there are as many as may be: with 403 as documented, or with 429
// as has been seen.
func SubscriptionLimit(status int) Fault {
	if status == http.StatusTooManyRequests {
		return GraphFailure(status, "ExtensionError", "Operation: Create; Exception: [Status Code: 429; Reason: Resource 'SubscriptionCountReached' has reached limit of '1000'. Please retry after '12/31/9999 11:59:59 PM'].")
	}
	return GraphFailure(status, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: App 'app' has reached its limit of '100' '/users' subscription on tenant 'tenant']")
}
