package graphtest

import (
	"fmt"
	"net/http"
	"strconv"
)

// A tokenError is a refusal of the token endpoint ("Microsoft Entra authentication and
// authorization error codes").
type tokenError struct {
	number  int
	name    string // OAuth 2.0 error
	message string
}

func aadsts(number int, name, format string, args ...any) *tokenError {
	return &tokenError{number, name, fmt.Sprintf(format, args...)}
}

func tenantNotFound(tenant string) *tokenError {
	return aadsts(90002, "invalid_request", "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", tenant)
}

func missing(parameter string) *tokenError {
	return aadsts(900144, "invalid_request", "The request body must contain the following parameter: '%s'.", parameter)
}

func appDisabled(app *application) *tokenError {
	return aadsts(7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", app.ClientID, app.Name)
}

func (te tokenEndpoint) wrongMethod(accepted string) *tokenError {
	return aadsts(900561, "invalid_request", "The endpoint only accepts %s requests. Received a %s request.", accepted, te.call.r.Method)
}

// timestamp is the form of times in error descriptions.
const timestamp = "2006-01-02 15:04:05Z"

// describe is an error's error_description.
func (te tokenEndpoint) describe(e *tokenError) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
		e.number, e.message, te.call.id, te.call.clientRequestID(), te.call.now().UTC().Format(timestamp))
}

// deny renders a tokenError.
func (te tokenEndpoint) deny(e *tokenError) *Response {
	status := http.StatusBadRequest
	if e.name == "invalid_client" {
		status = http.StatusUnauthorized
	}
	a := jsonResponse(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Timestamp   string `json:"timestamp"`
		Trace       string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
		URI         string `json:"error_uri"`
	}{
		e.name,
		te.describe(e),
		[]int{e.number}, te.call.now().UTC().Format(timestamp), te.call.id, te.call.clientRequestID(),
		te.call.base + "/error?code=" + strconv.Itoa(e.number),
	})
	a.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}
