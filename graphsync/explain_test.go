package graphsync_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"entrasync/graphsync"
)

func tokenBody(oauth string, number int, description string) []byte {
	return fmt.Appendf(nil, `{"error":%q,"error_description":%q,"error_codes":[%d],"timestamp":"2026-01-01 00:00:00Z","trace_id":"trace-1","correlation_id":"corr-1"}`,
		oauth, fmt.Sprintf("AADSTS%d: %s Trace ID: trace-1 Correlation ID: corr-1", number, description), number)
}

func TestExplainToken(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]graphsync.Class{
		700016: graphsync.ConsentMissing, 7000229: graphsync.ConsentMissing, 65001: graphsync.ConsentMissing, 65004: graphsync.ConsentMissing, 90094: graphsync.ConsentMissing,
		7000215: graphsync.CredentialInvalid, 7000222: graphsync.CredentialExpired, 700027: graphsync.CredentialInvalid, 700024: graphsync.CredentialInvalid,
		90002: graphsync.TenantUnknown, 5000225: graphsync.TenantUnknown, 90038: graphsync.Configuration, 900382: graphsync.Configuration, 900432: graphsync.Configuration, 500011: graphsync.Configuration,
		650052: graphsync.Configuration, 650056: graphsync.Configuration, 650057: graphsync.Configuration, 50194: graphsync.Configuration, 9001023: graphsync.Configuration,
		50020: graphsync.TenantUnknown, 50034: graphsync.TenantUnknown, 50105: graphsync.Policy,
		70008: graphsync.Configuration, 54005: graphsync.Configuration, 501481: graphsync.Configuration,
		700211: graphsync.Configuration, 700213: graphsync.Configuration,
		70001: graphsync.AppDisabled, 7000112: graphsync.AppDisabled, 53003: graphsync.Policy, 530032: graphsync.Policy, 530035: graphsync.Policy,
		50196: graphsync.Throttled, 90006: graphsync.Transient, 90024: graphsync.Transient, 90033: graphsync.Transient, 90055: graphsync.Transient, 90090: graphsync.Transient,
	} {
		e := graphsync.ExplainToken(400, tokenBody("invalid_client", number, "Theirs."))
		if e.Class != want || e.Code != fmt.Sprintf("AADSTS%d", number) || e.RequestID != "trace-1" || e.Op != "token" || e.Hint == "" {
			t.Errorf("%d: %+v, want %s", number, e, want)
		}
		if strings.Contains(e.Message, "Theirs") {
			t.Errorf("%d: has words of ours and quotes theirs", number)
		}
	}
}

func TestExplainTokenUnknown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   []byte
		class  graphsync.Class
		says   string
	}{
		"unknown number, known error": {401, tokenBody("invalid_client", 7999999, "A new reason."), graphsync.CredentialInvalid, "A new reason."},
		"unknown number and error":    {400, tokenBody("odd", 7999999, "A new reason."), graphsync.Configuration, "A new reason."},
		"number only in the text":     {400, []byte(`{"error":"x","error_description":"AADSTS90002: Tenant not found."}`), graphsync.TenantUnknown, "no such tenant"},
		"no description":              {400, []byte(`{"error":"unauthorized_client"}`), graphsync.ConsentMissing, "token"},
		"server error with a body":    {500, []byte(`{"error":"server_error"}`), graphsync.Transient, "500"},
		"too many":                    {429, []byte(`{"error":"invalid_request"}`), graphsync.Throttled, "slow down"},
		"bad gateway":                 {502, []byte(`<html>`), graphsync.Transient, "502"},
		"a proxy's page":              {403, []byte(`<html>blocked</html>`), graphsync.BadResponse, "403"},
		"empty":                       {400, nil, graphsync.BadResponse, "400"},
		"JSON of another kind":        {404, []byte(`["x"]`), graphsync.BadResponse, "404"},
		"a token in the text":         {400, []byte(`{"error":"odd","error_description":"got eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln back"}`), graphsync.Configuration, "got (token) back"},
		"line breaks and much of it":  {400, []byte(`{"error":"odd","error_description":"a\r\n\u001b[31mb` + strings.Repeat("x", 5000) + `"}`), graphsync.Configuration, "a [31mb"},
	} {
		e := graphsync.ExplainToken(test.status, test.body)
		if e.Class != test.class || !strings.Contains(e.Message, test.says) || len(e.Message) > 400 || strings.ContainsAny(e.Message, "\r\n\x1b") {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestExplainGraph(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status        int
		code, message string
		class         graphsync.Class
		resync        bool
	}{
		"gone":                  {410, "", "", graphsync.Transient, true},
		"sync state":            {400, "syncStateNotFound", "", graphsync.Transient, true},
		"resync":                {404, "ResyncRequired", "", graphsync.Transient, true},
		"synchronization error": {500, "syncStateNotFound", "", graphsync.Transient, false},
		"refused":               {403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", graphsync.PermissionMissing, false},
		"no identity":           {401, "Authorization_IdentityNotFound", "", graphsync.ConsentMissing, false},
		"no identity, 403":      {403, "Authorization_IdentityNotFound", "", graphsync.ConsentMissing, false},
		"token":                 {401, "InvalidAuthenticationToken", "", graphsync.Configuration, false},
		"edition":               {403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "", graphsync.Configuration, false},
		"property":              {400, "BadRequest", "Invalid request for delta query: for this entity set, $expand/$select is not supported for the following properties: birthday", graphsync.Configuration, false},
		"spelling":              {400, "BadRequest", "Could not find a property named 'depratment' on type 'microsoft.graph.user'.", graphsync.Configuration, false},
		"b2c":                   {400, "Request_UnsupportedQuery", "change enumeration is not supported in requested client", graphsync.Configuration, false},
		"other 400":             {400, "Request_BadRequest", "x", graphsync.Configuration, false},
		"missing object":        {404, "Request_ResourceNotFound", "x", graphsync.BadResponse, false},
		"a page":                {404, "", "", graphsync.BadResponse, false},
		"slow down":             {429, "", "", graphsync.Throttled, false},
		"unavailable":           {503, "", "", graphsync.Transient, false},
		"redirect":              {302, "", "", graphsync.BadResponse, false},
	} {
		e := graphsync.ExplainGraph(test.status, test.code, test.message)
		if e.Class != test.class || errors.Is(e, graphsync.ErrResync) != test.resync || e.Message == "" || e.Status != test.status {
			t.Errorf("%s: %+v, want %s", name, e, test.class)
		}
	}
	if e := graphsync.ExplainGraph(400, "BadRequest", "not supported for the following properties: birthday"); !strings.Contains(e.Message, "birthday") {
		t.Errorf("the property is not named: %v", e)
	}
}

func FuzzExplainToken(f *testing.F) {
	f.Add(400, tokenBody("invalid_client", 7000215, "x"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if e := graphsync.ExplainToken(status, body); e.Class == "" || e.Message == "" {
			t.Errorf("%+v", e)
		}
	})
}
