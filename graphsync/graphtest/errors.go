package graphtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// A graphError is a refusal in Graph's words ("Microsoft Graph error responses and resource
// types").
type graphError struct {
	status  int
	code    string
	message string
	header  http.Header
}

func refuse(status int, code, format string, args ...any) *graphError {
	return &graphError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) *graphError {
	return refuse(http.StatusBadRequest, "BadRequest", format, args...)
}

func unsupportedQuery(format string, args ...any) *graphError {
	return refuse(http.StatusBadRequest, "Request_UnsupportedQuery", format, args...)
}

func notFound(id string) *graphError {
	return refuse(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

type errorBody struct {
	Error struct {
		Code       string     `json:"code"`
		Message    string     `json:"message"`
		InnerError innerError `json:"innerError"`
	} `json:"error"`
}

type innerError struct {
	Date            string `json:"date"`
	RequestID       string `json:"request-id"`
	ClientRequestID string `json:"client-request-id"`
}

// fail renders a graphError.
func (c *call) fail(e *graphError) *Response {
	var body errorBody
	body.Error.Code = e.code
	body.Error.Message = e.message
	body.Error.InnerError = innerError{c.now().UTC().Format("2006-01-02T15:04:05"), c.id, c.clientRequestID()}
	a := jsonResponse(e.status, body)
	for name, values := range e.header {
		a.Header[name] = values
	}
	return a
}

// graphContent is the content type of Graph's JSON.
const graphContent = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// jsonResponse renders v, which must be marshallable.
func jsonResponse(status int, v any) *Response {
	return &Response{Status: status, Header: http.Header{"Content-Type": {graphContent}}, Body: encodeJSON(v)}
}

// encodeJSON leaves & in links as it is.
func encodeJSON(v any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("graphtest: render answer: %v", err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// clientRequestID is what the client sent to find its request again, or else our id.
func (c *call) clientRequestID() string {
	if id := c.r.Header.Get("client-request-id"); id != "" {
		return id
	}
	return c.id
}

func (c *call) now() time.Time { return c.s.opts.Now() }

// annotate adds the headers that every answer carries.
func (c *call) annotate(a *Response) {
	if a.Header == nil {
		a.Header = http.Header{}
	}
	if a.Header.Get("Date") == "" {
		a.Header.Set("Date", c.now().UTC().Format(http.TimeFormat))
	}
	if c.graph {
		a.Header.Set("request-id", c.id)
		a.Header.Set("client-request-id", c.clientRequestID())
		a.Header.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Emulator","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"EMULATOR"}}`)
		if a.Status < 300 {
			a.Header.Set("OData-Version", "4.0")
			a.Header.Set("x-ms-resource-unit", fmt.Sprint(max(c.cost, 1)))
		}
		a.Header.Set("Cache-Control", "no-cache")
		return
	}
	a.Header.Set("x-ms-request-id", c.id)
	a.Header.Set("Cache-Control", "no-store, no-cache")
}
