package odata_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"

	"github.com/go-json-experiment/json/jsontext"
)

var selected = []string{"id", "displayName", "givenName", "surname", "userPrincipalName", "mail", "accountEnabled", "department", "jobTitle",
	"companyName", "employeeId", "userType", "mobilePhone", "officeLocation", "preferredLanguage", "businessPhones", "otherMails", "city", "country"}

// userPage is a page of 200 users with all of selected, as users/delta gives them.
func userPage(link string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"@odata.context":"%s/v1.0/$metadata#users(%s)",%s,"value":[`, origin, strings.Join(selected, ","), link)
	for i := range 200 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"displayName":"Ada Lovelace %[1]d","givenName":"Ada","surname":"Lovelace","userPrincipalName":"ada.lovelace%[1]d@contoso.onmicrosoft.com",`+
			`"mail":"ada.lovelace%[1]d@contoso.example","accountEnabled":true,"department":"Analytical Engines","jobTitle":"Senior Analyst","companyName":"Contoso",`+
			`"employeeId":"E%06[1]d","userType":"Member","mobilePhone":null,"officeLocation":"18/2111","preferredLanguage":"en-GB","businessPhones":["+44 20 555 0109"],`+
			`"otherMails":[],"city":"London","country":"United Kingdom","id":"00000000-0000-4000-8000-%012[1]x"}`, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// BenchmarkDecode is the decoder alone; BenchmarkScan the floor below it: the same library
// walking the same bytes and keeping nothing.
func BenchmarkDecode(b *testing.B) {
	body := userPage(`"@odata.deltaLink":"` + origin + `/d"`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := odata.DecodePage(graphsync.User, selected, body); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, 200, "users/s")
}

func BenchmarkDecodeMembers(b *testing.B) {
	var m strings.Builder
	for i := range 500 {
		fmt.Fprintf(&m, `,{"@odata.type":"#microsoft.graph.user","id":"00000000-0000-4000-8000-%012x"}`, i)
	}
	body := []byte(entries(`{"id":"` + g1 + `","members@delta":[` + m.String()[1:] + `]}`))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := odata.DecodePage(graphsync.Group, nil, body); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, 500, "members/s")
}

func BenchmarkScan(b *testing.B) {
	body := userPage(`"@odata.deltaLink":"` + origin + `/d"`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		for {
			if _, err := dec.ReadToken(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
	perSecond(b, 200, "users/s")
}

// BenchmarkValid is the standard library saying no more than that it is JSON.
func BenchmarkValid(b *testing.B) {
	body := userPage(`"@odata.deltaLink":"` + origin + `/d"`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !json.Valid(body) {
			b.Fatal("not JSON")
		}
	}
	perSecond(b, 200, "users/s")
}

func perSecond(b *testing.B, each int, unit string) {
	b.ReportMetric(float64(each)*float64(b.N)/b.Elapsed().Seconds(), unit)
}
