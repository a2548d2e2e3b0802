package graphtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"

	"github.com/golang-jwt/jwt/v5"
)

// newIDKey makes the key of ID tokens: Entra signs them by RS256 only, and clients insist.
func newIDKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("graphtest: make the key of ID tokens: " + err.Error())
	}
	return key
}

func signed(method jwt.SigningMethod, key crypto.Signer, claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = keyID(key)
	text, err := token.SignedString(key)
	if err != nil {
		panic("graphtest: sign token: " + err.Error())
	}
	return text
}

func keyID(key crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic("graphtest: encode key: " + err.Error())
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:20])
}

// signingKeys are the public keys that access tokens (ES256) and ID tokens (RS256) verify with.
func (te tokenEndpoint) signingKeys() *Response {
	point, err := te.call.s.key.PublicKey.Bytes() // 4 || X || Y
	if err != nil {
		panic("graphtest: encode key: " + err.Error())
	}
	encode := base64.RawURLEncoding.EncodeToString
	id := te.call.s.idKey()
	return jsonResponse(http.StatusOK, map[string]any{"keys": []any{
		map[string]any{
			"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": keyID(te.call.s.key),
			"x": encode(point[1:33]), "y": encode(point[33:65]),
		},
		map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID(id),
			"n": encode(id.N.Bytes()), "e": encode(big.NewInt(int64(id.E)).Bytes()),
		},
	}})
}
