package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"entrasync/target"
)

// The length of a signing secret in bytes (Standard Webhooks, "Signature scheme").
const (
	shortestSecret = 24
	longestSecret  = 64
)

// signatures signs a message with each of the secrets: during a rotation there are two, and the receiver accepts
// either.
func signatures(secret target.Secret, id string, timestamp int64, body []byte) (string, error) {
	text, err := secret()
	if err != nil {
		return "", &target.Error{Code: target.Unauthorized, Err: err, Message: "the signing secret cannot be read", Hint: "see that the file exists and may be read"}
	}
	keys, err := signingKeys(text)
	if err != nil {
		return "", err
	}
	var signed []string
	for _, key := range keys {
		signed = append(signed, sign(key, id, timestamp, body))
	}
	return strings.Join(signed, " "), nil
}

// Sign returns the header Webhook-Signature of a message, by each of one or two signing secrets in the form
// whsec_BASE64, each on a line (Standard Webhooks). at is the header Webhook-Timestamp, in Unix seconds.
func Sign(secret target.Secret, id string, at int64, body []byte) (string, error) {
	return signatures(secret, id, at, body)
}

// sign is the signature of a message by one key, of version 1 of Standard Webhooks.
func sign(key []byte, id string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signingKeys reads one or two secrets in the form whsec_BASE64, each on a line. Errors do not hold them.
func signingKeys(text string) (keys [][]byte, err error) {
	fault := func(what string) error {
		return &target.Error{Code: target.Unauthorized, Message: "the signing secret " + what, Hint: `make one: printf 'whsec_%s\n' "$(openssl rand -base64 32)"`}
	}
	for _, line := range strings.Fields(text) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "whsec_"))
		switch {
		case err != nil:
			return nil, fault("is not base64 behind whsec_")
		case len(key) < shortestSecret || len(key) > longestSecret:
			return nil, fault(fmt.Sprintf("has %d bytes; it must have %d to %d", len(key), shortestSecret, longestSecret))
		}
		keys = append(keys, key)
	}
	switch {
	case len(keys) == 0:
		return nil, fault("is empty")
	case len(keys) > 2:
		return nil, fault("holds more than two lines: the present one, and during a rotation the next one")
	}
	return keys, nil
}
