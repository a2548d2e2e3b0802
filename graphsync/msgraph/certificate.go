package msgraph

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"software.sslmate.com/src/go-pkcs12"
)

// A Certificate is a file with a certificate and its private key: PEM (unencrypted PKCS #1 or
// PKCS #8), or PFX with an optional password. Chain certificates may follow in either.
type Certificate struct {
	File     string
	Password func() (string, error) // of a PFX; nil for none
}

// A keyPair is what such a file holds; certs[0] belongs to the key.
type keyPair struct {
	certs []*x509.Certificate
	key   crypto.PrivateKey
}

func (c *Certificate) read() (data []byte, password string, err error) {
	if data, err = os.ReadFile(c.File); err != nil {
		return nil, "", fmt.Errorf("read certificate: %w", err)
	}
	if c.Password != nil {
		if password, err = c.Password(); err != nil {
			return nil, "", fmt.Errorf("read certificate password: %w", err)
		}
	}
	return data, password, nil
}

func (c *Certificate) parse(data []byte, password string) (keyPair, error) {
	var pair keyPair
	var err error
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		pair.certs, pair.key, err = azidentity.ParseCertificates(data, nil)
		if err != nil && bytes.Contains(data, []byte("ENCRYPTED")) {
			err = errors.New("the private key is encrypted; decrypt it (openssl pkcs8), or use a PFX file with its password")
		}
	} else {
		var leaf *x509.Certificate
		var chain []*x509.Certificate
		// azidentity reads only PFX files with the old ciphers; openssl 3 no longer writes those.
		pair.key, leaf, chain, err = pkcs12.DecodeChain(data, password)
		pair.certs = append([]*x509.Certificate{leaf}, chain...)
		if errors.Is(err, pkcs12.ErrIncorrectPassword) {
			err = errors.New("the PFX password is wrong")
		}
	}
	if err != nil {
		return keyPair{}, fmt.Errorf("read certificate %s: %w", c.File, err)
	}
	key, ok := pair.key.(*rsa.PrivateKey)
	if !ok {
		return keyPair{}, fmt.Errorf("read certificate %s: the key is not RSA, which Entra requires", c.File)
	}
	for i, cert := range pair.certs {
		if key.PublicKey.Equal(cert.PublicKey) {
			pair.certs[0], pair.certs[i] = pair.certs[i], pair.certs[0]
			return pair, nil
		}
	}
	return keyPair{}, fmt.Errorf("read certificate %s: no certificate in it belongs to its private key", c.File)
}
