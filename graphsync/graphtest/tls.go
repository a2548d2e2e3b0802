package graphtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// An authority is the emulator's own certificate authority, created with each server.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

// The certificates are valid at any time a test may set its clock to.
var (
	validFrom  = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func newAuthority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "entrasync emulator CA"},
		NotBefore:             validFrom,
		NotAfter:              validUntil,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(fmt.Sprintf("graphtest: make the certificate authority: %v", err))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Sprintf("graphtest: read the certificate authority: %v", err))
	}
	return &authority{key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// leaf returns a certificate for the loopback names and host.
func (a *authority) leaf(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "entrasync emulator"},
		NotBefore:    validFrom,
		NotAfter:     validUntil,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if host != "" && host != "localhost" {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}, nil
}

// CAPEM returns the certificate of the authority that clients must trust, as PEM: the content
// of the file that SSL_CERT_FILE names.
func (s *Server) CAPEM() []byte { return append([]byte(nil), s.ca.pem...) }

// CAPool returns a pool that holds the authority's certificate only.
func (s *Server) CAPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	return pool
}

// A Running server listens on a socket until it is closed.
type Running struct {
	URL string // https://host:port, both the authority and Graph (without /v1.0)

	s    *Server
	http *http.Server
	done chan struct{} // closed when serving has ended, with err
	err  error
}

// Start serves on addr, host:port, where port 0 picks a free one and an empty addr is
// 127.0.0.1:0. One server may be started once.
func (s *Server) Start(addr string) (*Running, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("start emulator on %s: %w", addr, err)
	}
	cert, err := s.ca.leaf(host)
	if err != nil {
		return nil, fmt.Errorf("make the emulator's certificate: %w", err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	run := &Running{
		URL: "https://" + listener.Addr().String(),
		s:   s,
		http: &http.Server{
			Handler:           s.Handler(),
			TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          log.New(io.Discard, "", 0), // clients that hang up are part of the job
		},
		done: make(chan struct{}),
	}
	s.mu.Lock()
	s.url = run.URL
	s.mu.Unlock()
	go func() {
		run.err = run.http.ServeTLS(listener, "", "")
		close(run.done)
	}()
	return run, nil
}

// Close ends the server and the requests still being answered.
func (r *Running) Close() error {
	err := r.http.Close()
	<-r.done
	return err
}

// Serve blocks until ctx is done, then closes. It returns nil unless serving failed.
func (r *Running) Serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return r.Close()
	case <-r.done:
		if errors.Is(r.err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve emulator on %s: %w", r.URL, r.err)
	}
}

// CAFile writes the authority's certificate to entrasync-emulator-ca.pem in dir and returns
// the file's path, for SSL_CERT_FILE.
func (r *Running) CAFile(dir string) (string, error) {
	path := filepath.Join(dir, "entrasync-emulator-ca.pem")
	if err := os.WriteFile(path, r.s.ca.pem, 0o644); err != nil {
		return "", fmt.Errorf("write the emulator's CA certificate: %w", err)
	}
	return path, nil
}

// Client returns an HTTP client that trusts the emulator's authority.
func (r *Running) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: r.s.CAPool(), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}
}
