package scim

import (
	"fmt"

	"entrasync/graphsync/paging"
	"entrasync/target"
)

// maxValues bounds the values of one response of up to 8 MiB: decoded, each costs some twenty times the two bytes that
// it may have in the body. A page of a thousand users has some ten thousand.
const maxValues = 500_000

// valuesIn is how many values a response may have where one of so many bytes is accepted.
func valuesIn(maxBody int64) int { return int(max(maxValues, maxValues*(maxBody>>20)/8)) }

// listLimits end a list that has no end, lookUpLimits the response to one question. An account is on one
// page of a list; servers whose accounts change meanwhile may send a page again.
var (
	listLimits   = paging.Limits{Pages: maxPages, Empty: 10, Same: 3}
	lookUpLimits = paging.Limits{Pages: 1000, Empty: 10, Same: 3}
)

// tooManyValues reports whether a body has more than most values, and would cost too much to decode.
func tooManyValues(body []byte, most int) bool {
	values, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[' || c == ',':
			if values++; values > most {
				return true
			}
		}
	}
	return false
}

// asLoop is the error of a list without an end.
func asLoop(op string, err error) error {
	return &target.Error{Op: op, Code: target.Unavailable, Message: err.Error(),
		Hint: "the application repeats pages or invents them; report it to its vendor"}
}

// oversized is the error of a response with too many values.
func oversized(c call, status, most int) error {
	return &target.Error{
		Op: c.op, Code: target.Rejected, Status: status, Indeterminate: c.method != "GET", Err: target.ErrTooLarge,
		Message: fmt.Sprintf("the response has more than %d values", most), Hint: "lower the target's page_size, or raise max_response_mib",
	}
}
