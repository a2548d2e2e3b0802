package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"entrasync/target"
)

// A scimType is the keyword of a SCIM error (RFC 7644, section 3.12), kept as its cause.
type scimType string

func (t scimType) Error() string { return string(t) }

// The keywords that lead to another attempt.
const (
	invalidFilter scimType = "invalidFilter"
	invalidPath   scimType = "invalidPath"
	noTarget      scimType = "noTarget"
	uniqueness    scimType = "uniqueness"
)

func typeOf(err error) scimType {
	var t scimType
	errors.As(err, &t)
	return t
}

// missing reports whether an error says that the resource is not there.
func missing(err error) bool { return err != nil && target.CodeOf(err) == target.NotFound }

func statusOf(err error) int {
	var e *target.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// refusal makes an error of a response that is not 2xx, whatever its body is.
func refusal(c call, status int, header http.Header, body []byte) error {
	words, keyword, page := wordsOf(body)
	e := &target.Error{Op: c.op, Status: status, Detail: words, RetryAfter: target.RetryAfter(header)}
	if keyword != "" {
		e.Err = keyword
	}
	lower := strings.ToLower(words)
	says := func(signs ...string) bool {
		for _, sign := range signs {
			if strings.Contains(lower, sign) {
				return true
			}
		}
		return false
	}
	duplicate := keyword == uniqueness || says("already exist", "duplicate", "already in use", "already taken", "must be unique", "not unique", "already been taken")
	switch {
	case status == http.StatusUnauthorized:
		e.Code, e.Message = target.Unauthorized, "the application refuses the credential (401)"
		e.Hint = "was the token regenerated or did it expire? put the new one where the configuration says"
	case status == http.StatusPaymentRequired,
		status == http.StatusForbidden && says("not enabled", "plan", "upgrade", "subscription", "licen", "feature"):
		e.Code, e.Message = target.Forbidden, fmt.Sprintf("the application's plan does not include provisioning (%d)", status)
		e.Hint = "have SCIM provisioning enabled for the application, or change its plan"
	case status == http.StatusForbidden:
		e.Code, e.Message = target.Forbidden, "the credential may not do this (403)"
		e.Hint = "see what the token is allowed to do, and whether it is the right one"
	case status == http.StatusNotFound && len(c.path) > 1:
		e.Code, e.Message = target.NotFound, "it does not exist (any more) in the application (404)"
	case status == http.StatusNotFound && page:
		e.Code, e.Message = target.NotSCIM, "there is no SCIM service at this address: it answers 404 with a web page"
		e.Hint = "check the path of the target's url; it often ends in /scim/v2"
	case status == http.StatusNotFound:
		e.Code, e.Message = target.Unsupported, fmt.Sprintf("the address has no /%s (404)", strings.Join(c.path, "/"))
		e.Hint = "check the path of the target's url; it often ends in /scim/v2"
	case status == http.StatusConflict, duplicate && status >= 400:
		e.Code, e.Message = target.Conflict, fmt.Sprintf("another one with the same value exists (%d)", status)
	case status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented, keyword == invalidFilter:
		e.Code, e.Message = target.Unsupported, fmt.Sprintf("the application cannot do this (%d)", status)
	case status == http.StatusGone && c.method == http.MethodDelete:
		e.Code, e.Message = target.NotFound, "it is gone (410)"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		e.Code, e.Message = target.Unavailable, fmt.Sprintf("the application asks to slow down (%d)", status)
		e.Hint = "lower the target's rate or concurrency if this continues"
		e.Indeterminate = status != http.StatusTooManyRequests && c.method == http.MethodPost
	case status == http.StatusRequestTimeout || status >= 500:
		e.Code, e.Message = target.Unavailable, fmt.Sprintf("the application has an error of its own (%d)", status)
		e.Indeterminate = c.method != http.MethodGet
	case status < 400:
		e.Code, e.Message = target.NotSCIM, fmt.Sprintf("it answers %d, which SCIM does not know here", status)
	default:
		e.Code, e.Message = target.Rejected, fmt.Sprintf("the application refuses it (%d)", status)
		if keyword != "" {
			e.Message = fmt.Sprintf("the application refuses it (%d %s)", status, target.Clean(string(keyword)))
		}
	}
	return e
}

// notSCIM makes an error of a 2xx answer that is no SCIM.
func notSCIM(c call, status int, body []byte, object map[string]any) error {
	if inner, ok := number(member(object, "status")); ok && inner >= 400 && inner <= 599 {
		return refusal(c, inner, http.Header{}, body)
	}
	words, _, page := wordsOf(body)
	e := &target.Error{
		Op: c.op, Status: status, Code: target.NotSCIM, Detail: words,
		Hint: "check the target's url: it has to be the base address of the SCIM API, which often ends in /scim/v2",
	}
	lower := strings.ToLower(words)
	switch {
	case hasError(object) && (strings.Contains(lower, "unauthorized") || strings.Contains(lower, "token") || strings.Contains(lower, "sign in")):
		e.Code, e.Message = target.Unauthorized, fmt.Sprintf("the application refuses the credential, with status %d", status)
		e.Hint = "was the token regenerated? put the new one where the configuration says"
	case hasError(object):
		e.Code, e.Hint = target.Rejected, ""
		e.Message = fmt.Sprintf("the application refuses it, with status %d", status)
	case page:
		e.Message = fmt.Sprintf("a web page answers there (%d), not SCIM", status)
	case object != nil:
		e.Message = fmt.Sprintf("JSON answers there (%d), but not SCIM's", status)
	default:
		e.Message = fmt.Sprintf("what answers there (%d) is not SCIM", status)
	}
	e.Indeterminate = c.method != http.MethodGet && e.Code == target.NotSCIM
	return e
}

// asRefusal makes what is not SCIM a refusal of one call.
func asRefusal(err error) error {
	var e *target.Error
	if !errors.As(err, &e) {
		return err
	}
	refused := *e
	refused.Code = target.Rejected
	refused.Message += "; to other requests the application answers as it should"
	refused.Hint = "see what stands between here and the application, such as a firewall that dislikes a value"
	return &refused
}

var (
	title = regexp.MustCompile(`(?is)<title[^>]*>(.{0,200}?)</title>`)
	tags  = regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|<[^>]*>`)
)

// wordsOf finds the application's own words in an error's body: a SCIM error, other JSON, a
// web page or plain text.
func wordsOf(body []byte) (words string, keyword scimType, page bool) {
	body = body[:min(len(body), 64<<10)]
	var object map[string]any
	if !tooManyValues(body, maxValues) && json.Unmarshal(body, &object) == nil {
		keyword = scimType(target.Clean(text(member(object, "scimType"))))
		return target.Clean(wordsIn(object, 0)), keyword, false
	}
	s := string(body)
	lower := strings.ToLower(s[:min(len(s), 1024)])
	if strings.Contains(lower, "<html") || strings.Contains(lower, "<!doctype") {
		if m := title.FindStringSubmatch(s); m != nil && strings.TrimSpace(m[1]) != "" {
			return target.Clean(m[1]), "", true
		}
		return target.Clean(tags.ReplaceAllString(s, " ")), "", true
	}
	return target.Clean(s), "", false
}

// wordsIn looks through the members in which services put their message.
func wordsIn(object map[string]any, depth int) string {
	for _, name := range []string{"detail", "error_description", "message", "msg", "description", "error", "errors", "Errors", "title"} {
		switch v := member(object, name).(type) {
		case string:
			if strings.TrimSpace(v) != "" {
				return v
			}
		case map[string]any:
			if depth < 3 {
				if s := wordsIn(v, depth+1); s != "" {
					return s
				}
			}
		case []any:
			var all []string
			for _, entry := range v[:min(len(v), 5)] {
				switch entry := entry.(type) {
				case string:
					all = append(all, entry)
				case map[string]any:
					if depth < 3 {
						all = append(all, wordsIn(entry, depth+1))
					}
				}
			}
			if s := strings.Join(all, "; "); strings.Trim(s, "; ") != "" {
				return s
			}
		}
	}
	return ""
}

// blame finds which of the attributes an application's words are about: the one named, the
// longest when names contain each other. "" when that is none or several.
func blame(words string, attributes []target.Attribute) string {
	lower := strings.ToLower(words)
	found, length := "", 0
	for _, a := range attributes {
		for _, name := range []string{a.Path.Name(), a.Path.Sub()} {
			if name == "value" || len(name) < length || name == "" || !wordIn(lower, strings.ToLower(name)) {
				continue
			}
			if len(name) == length && found != a.Path.String() {
				return ""
			}
			found, length = a.Path.String(), len(name)
		}
	}
	return found
}

// wordIn reports whether text holds a name with no letter on either side.
func wordIn(text, name string) bool {
	letter := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(name)
		if (i == 0 || !letter(text[i-1])) && (end == len(text) || !letter(text[end])) {
			return true
		}
		at = i + 1
	}
}
