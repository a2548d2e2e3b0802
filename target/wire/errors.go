package wire

import (
	"encoding/json"
	"errors"
	"time"

	"entrasync/target"
)

// codes are those that an application may answer with. The others are for this package to find out.
var codes = map[string]target.Code{}

func init() {
	for _, code := range []target.Code{
		target.Rejected, target.Conflict, target.NotFound, target.Unsupported, target.Unavailable, target.Unauthorized, target.Forbidden,
	} {
		codes[string(code)] = code
	}
}

// methodNotFound is JSON-RPC's number for a method that is not known.
const methodNotFound = -32601

// longestRetryAfter bounds what an application may ask to wait.
const longestRetryAfter = 24 * 60 * 60

// refusal makes an error of an application's own.
func refusal(c *call, e *ErrorObject) error {
	refused := &target.Error{Op: c.op, Code: target.Rejected, Message: "it answered with an error", Detail: target.Clean(e.Message)}
	if e.Code == methodNotFound {
		refused.Code, refused.Message = target.Unsupported, "it does not know the message "+c.method
	}
	if e.Data == nil {
		return refused
	}
	if e.Data.Code != "" {
		code, known := codes[e.Data.Code]
		if !known {
			code = target.Rejected
			refused.Message = "it answered with an error of the unknown code " + target.Clean(e.Data.Code)
		}
		refused.Code = code
	}
	refused.Attribute = target.Clean(e.Data.Attribute)
	refused.Indeterminate = e.Data.Unsure && c.writes
	if seconds := e.Data.RetryAfter; seconds > 0 {
		refused.RetryAfter = time.Duration(min(seconds, longestRetryAfter) * float64(time.Second))
	}
	return refused
}

// nonsense is the error of an answer that says nothing that can be used. A write that was answered so may have
// happened.
func nonsense(op string, writes bool, what string) error {
	e := &target.Error{Op: op, Code: target.Rejected, Message: "its answer makes no sense: " + what,
		Hint: "the author of the application has to correct it; try it with: entrasync target test"}
	if writes {
		e.Code, e.Indeterminate = target.Unavailable, true
	}
	return e
}

// unsure says of an error about a write that the write may have happened.
func unsure(err error) error {
	var e *target.Error
	if !errors.As(err, &e) {
		return err
	}
	doubtful := *e
	doubtful.Code, doubtful.Indeterminate = target.Unavailable, true
	return &doubtful
}

// settle reads what an answer holds into the call's result.
func (c *call) settle(a *answer) error {
	switch {
	case a.Error != nil:
		return refusal(c, a.Error)
	case len(a.Result) == 0:
		return nonsense(c.op, c.writes, "it holds neither result nor error")
	case c.result == nil:
		return nil
	}
	if err := json.Unmarshal(a.Result, c.result); err != nil {
		return nonsense(c.op, c.writes, "the result is not that of "+c.method+" ("+target.Clean(err.Error())+")")
	}
	return nil
}

// checkHello refuses an application that speaks another version.
func checkHello(h *HelloResult) error {
	fault := &target.Error{Op: "hello", Code: target.NotSCIM, Hint: "see configs/docs/writing-a-target.md for what to answer"}
	switch {
	case h.Protocol != Protocol:
		fault.Message = "it does not speak version 1 of the protocol"
	case len(h.Kinds) == 0:
		fault.Message = "it does not say which kinds of resources it keeps"
	default:
		return nil
	}
	return fault
}
