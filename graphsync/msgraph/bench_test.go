package msgraph_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
	"entrasync/state"

	absauth "github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	msgraphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

var selected = []string{"id", "displayName", "givenName", "surname", "userPrincipalName", "mail", "accountEnabled", "department", "jobTitle",
	"companyName", "employeeId", "userType", "mobilePhone", "officeLocation", "preferredLanguage", "businessPhones", "otherMails", "city", "country"}

// userPage is a page of 200 users with all of selected, as users/delta gives them. Their ids are
// as good as random, as Graph's are.
func userPage(number int, link string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"@odata.context":"%s/v1.0/$metadata#users(%s)",%s,"value":[`, origin, strings.Join(selected, ","), link)
	for i := range 200 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"displayName":"Ada Lovelace %[1]d","givenName":"Ada","surname":"Lovelace","userPrincipalName":"ada.lovelace%[1]d@contoso.onmicrosoft.com",`+
			`"mail":"ada.lovelace%[1]d@contoso.example","accountEnabled":true,"department":"Analytical Engines","jobTitle":"Senior Analyst","companyName":"Contoso",`+
			`"employeeId":"E%06[1]d","userType":"Member","mobilePhone":null,"officeLocation":"18/2111","preferredLanguage":"en-GB","businessPhones":["+44 20 555 0109"],`+
			`"otherMails":[],"city":"London","country":"United Kingdom","id":"%[2]s"}`, i, userID(number*200+i))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func userID(n int) graphsync.ID {
	sum := sha256.Sum256([]byte(strconv.Itoa(n)))
	return graphsync.ID(sum[:16])
}

// A paged transport serves pages of users/delta with as little work as can be.
type paged struct {
	double
	bodies map[string][]byte // by $skiptoken
}

func (p *paged) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/v1.0/") {
		return p.double.RoundTrip(r)
	}
	body := p.bodies[r.URL.Query().Get("$skiptoken")]
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}, nil
}

func pagesOf(n int) *paged {
	p := &paged{bodies: map[string][]byte{}}
	for i := range n {
		link := fmt.Sprintf(`"@odata.nextLink":"%s/v1.0/users/delta?$skiptoken=%d"`, origin, i+1)
		if i == n-1 {
			link = `"@odata.deltaLink":"` + origin + `/v1.0/users/delta?$deltatoken=D"`
		}
		at := fmt.Sprint(i)
		if i == 0 {
			at = ""
		}
		p.bodies[at] = userPage(i, link)
	}
	return p
}

const benchPages = 5

// BenchmarkRound reads a round of 1,000 users through the whole Source.
func BenchmarkRound(b *testing.B) {
	pages := pagesOf(benchPages)
	s := pages.open(b, func(c *msgraph.Config) { c.HTTP = pages })
	b.ReportAllocs()
	for b.Loop() {
		read := 0
		for link := ""; ; {
			page, err := s.DeltaPage(b.Context(), graphsync.Users, selected, link)
			if err != nil {
				b.Fatal(err)
			}
			read += len(page.Changes)
			if link = page.Next; link == "" {
				break
			}
		}
		if read != benchPages*200 {
			b.Fatalf("read %d users", read)
		}
	}
	perSecond(b, benchPages*200, "users/s")
}

// BenchmarkPull is an initial pull: 100,000 users read through the whole Source and committed to
// the state, 64 pages at a time, as reconcile does when reading outruns the disk.
func BenchmarkPull(b *testing.B) {
	const pulled, together = 500, 64
	pages := pagesOf(pulled)
	s := pages.open(b, func(c *msgraph.Config) { c.HTTP = pages })
	for b.Loop() {
		store, err := state.Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		tenant, err := store.Tenant(graphsync.ID{1})
		if err != nil {
			b.Fatal(err)
		}
		ready := make(chan *graphsync.Page, together)
		go func() {
			defer close(ready)
			for link := ""; ; {
				page, err := s.DeltaPage(b.Context(), graphsync.Users, selected, link)
				if err != nil {
					b.Error(err)
					return
				}
				ready <- page
				if link = page.Next; link == "" {
					return
				}
			}
		}()
		err = tenant.Update(func(tx *state.Tx) error {
			if err := tx.Pending("bench").SetEverything(true); err != nil {
				return err
			}
			return tx.Cursors().BeginRound(graphsync.Users, "bench", time.Now())
		})
		for page := range ready {
			batch := []*graphsync.Page{page}
			for len(batch) < together && len(ready) > 0 {
				batch = append(batch, <-ready)
			}
			err = errors.Join(err, tenant.Update(func(tx *state.Tx) error {
				for _, page := range batch {
					if _, err := tx.PutPage(graphsync.Users, page, time.Now(), []string{"bench"}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		if err := errors.Join(err, tenant.Close(), store.Close()); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, pulled*200, "users/s")
}

// BenchmarkTypedRound reads the same pages through the SDK's models, as its documentation
// shows it: what BenchmarkRound is measured against.
func BenchmarkTypedRound(b *testing.B) {
	adapter := typedAdapter(b, pagesOf(benchPages))
	b.ReportAllocs()
	for b.Loop() {
		read, err := typedRound(b.Context(), adapter)
		if err != nil || read != benchPages*200 {
			b.Fatalf("read %d users: %v", read, err)
		}
	}
	perSecond(b, benchPages*200, "users/s")
}

func typedAdapter(t testing.TB, transport http.RoundTripper) *msgraphcore.GraphRequestAdapterBase {
	t.Helper()
	parsers := serialization.NewParseNodeFactoryRegistry()
	parsers.ContentTypeAssociatedFactories["application/json"] = kiotajson.NewJsonParseNodeFactory()
	adapter, err := msgraphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&absauth.AnonymousAuthenticationProvider{}, msgraphcore.GraphClientOptions{}, parsers, nil, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(origin + "/v1.0")
	return adapter
}

func typedRound(ctx context.Context, adapter *msgraphcore.GraphRequestAdapterBase) (int, error) {
	read := 0
	builder := users.NewDeltaRequestBuilderInternal(map[string]string{}, adapter)
	config := &users.DeltaRequestBuilderGetRequestConfiguration{QueryParameters: &users.DeltaRequestBuilderGetQueryParameters{Select: selected}}
	for {
		page, err := builder.GetAsDeltaGetResponse(ctx, config)
		if err != nil {
			return read, err
		}
		read += len(page.GetValue())
		next := page.GetOdataNextLink()
		if next == nil {
			return read, nil
		}
		builder, config = users.NewDeltaRequestBuilder(*next, adapter), nil
	}
}

func perSecond(b *testing.B, each int, unit string) {
	b.ReportMetric(float64(each)*float64(b.N)/b.Elapsed().Seconds(), unit)
}
