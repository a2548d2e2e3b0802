package all

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"entrasync/target"
)

// Dated are options whose credentials say when they end.
type Dated interface {
	// Ends returns what ends when. Files are read for it; what does not say when it ends is left out. An error says which one
	// could not be read.
	Ends() ([]target.End, error)
}

// Ends implements [Dated]: a bearer token that is a JWT, and the client certificate.
func (o *SCIM) Ends() (ends []target.End, err error) {
	if o.Auth.BearerToken != "" || o.Auth.BearerTokenFile != "" {
		token, failed := secret(o.Auth.BearerToken, o.Auth.BearerTokenFile)()
		if failed != nil {
			err = failed
		} else if at := tokenEnds(token); !at.IsZero() {
			ends = append(ends, target.End{What: "bearer token", At: at})
		}
	}
	if o.ClientCertificateFile != "" {
		at, failed := certificateEnds(o.ClientCertificateFile)
		if err = errors.Join(err, failed); failed == nil {
			ends = append(ends, target.End{What: "client certificate", At: at})
		}
	}
	return ends, err
}

// Ends implements [Dated]: the client certificate.
func (o *Webhook) Ends() ([]target.End, error) { return o.asSCIM().Ends() }

// tokenEnds returns the claim exp of a JWT (RFC 7519, section 4.1.4), zero for a token that is none or has none. Its signature
// is of no interest: the application verifies it.
func tokenEnds(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp *float64 `json:"exp"` // seconds, and may have a fraction
	}
	const latest = 253402300799 // the end of the year 9999
	if json.Unmarshal(text, &claims) != nil || claims.Exp == nil || *claims.Exp < 0 || *claims.Exp > latest {
		return time.Time{}
	}
	return time.Unix(int64(*claims.Exp), 0).UTC()
}

// certificateEnds returns when the first certificate of a PEM file ends, which is the one that is shown.
func certificateEnds(file string) (time.Time, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}, err
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return time.Time{}, fmt.Errorf("%s holds no certificate", file)
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, fmt.Errorf("read the certificate in %s: %w", file, err)
		}
		return certificate.NotAfter.UTC(), nil
	}
}
