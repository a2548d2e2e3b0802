package all

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func jwt(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]int64{
		jwt(`{"exp":1803859200}`): 1803859200, jwt(`{"exp":1803859200.5,"sub":"x"}`): 1803859200,
		jwt(`{"sub":"x"}`): 0, jwt(`{"exp":"soon"}`): 0, jwt(`{"exp":1e30}`): 0, jwt(`{"exp":-1}`): 0, jwt(`[]`): 0,
		"opaque": 0, "a.b": 0, "a.!!.c": 0, "": 0,
	} {
		got := tokenEnds(token)
		if want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%s ends at %v, want %d", token, got, want)
		}
	}
}

func TestEndsOfATarget(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: at}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "certificate")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS"}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Dated{
		&SCIM{Auth: SCIMAuth{BearerToken: jwt(`{"exp":1803859200}`)}, ClientCertificateFile: file}, &Webhook{ClientCertificateFile: file},
	} {
		ends, err := o.Ends()
		if err != nil || len(ends) == 0 {
			t.Fatal(ends, err)
		}
		if last := ends[len(ends)-1]; last.What != "client certificate" || !last.At.Equal(at) {
			t.Errorf("%+v", ends)
		}
		if _, scim := o.(*SCIM); scim && (len(ends) != 2 || ends[0].What != "bearer token") {
			t.Errorf("%+v", ends)
		}
	}
	if _, err := (&SCIM{ClientCertificateFile: filepath.Join(t.TempDir(), "none")}).Ends(); err == nil {
		t.Error("a certificate that is not there ends some day")
	}
}
