package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// certificate writes one of its own for a name and returns its files.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, made, made, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestTLS: the cookie is for TLS only, nothing is served in clear, and a certificate
// that was renewed is used without a reload.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir, "first.example")
	r := start(t, func(c *config.HTTP) { c.CertFile, c.KeyFile, c.AnonymousRead = cert, key, false })
	subject := func() string {
		conn, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, ForceAttemptHTTP2: true}}
	resp, err := client.Post("https://"+r.addr+"/login", "application/json", strings.NewReader(`{"token":"`+token+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Set-Cookie"); resp.StatusCode != http.StatusOK || !strings.Contains(got, "Secure") || !strings.Contains(got, "HttpOnly") {
		t.Errorf("%s %s", resp.Status, got)
	}
	if a := r.ask("GET", "/api/v1/status", "", "Authorization", "Bearer "+token); a.code != http.StatusBadRequest {
		t.Errorf("in clear: %d %s", a.code, a.body)
	}
	if _, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("an old version of TLS is spoken")
	}
	if got := subject(); got != "first.example" {
		t.Fatalf("it is %s", got)
	}
	certificate(t, dir, "second.example")
	for end := time.Now().Add(10 * time.Second); subject() != "second.example"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not used")
		}
	}
	// One that cannot be used leaves the one before.
	if err := os.WriteFile(key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * certEvery); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got := subject(); got != "second.example" {
			t.Fatalf("it is %q", got)
		}
	}
}

// TestAnAddressInUseIsTriedAgain: and what is wrong is in the status until it is not.
func TestAnAddressInUseIsTriedAgain(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r := start(t, nil)
	conf := config.HTTP{Listen: other.Addr().String(), TokenFile: tokenFile(t, token), AnonymousRead: true, MaxClients: 20}
	r.web.Set(conf)
	if st := r.until(status.HTTPFailing); st.ErrorID != idListen || !strings.Contains(st.Error, "in use") || st.NextRetry == nil {
		t.Errorf("%+v", st)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if r.addr = r.until(status.HTTPListening).Address; r.addr != conf.Listen {
		t.Errorf("served at %s", r.addr)
	}
	r.sound(0)
	r.web.Set(config.HTTP{})
	for end := time.Now().Add(10 * time.Second); r.web.Status() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v although nothing is to be served", r.web.Status())
		}
	}
	if conn, err := net.Dial("tcp", r.addr); err == nil {
		conn.Close()
		t.Error("it is still served")
	}
}

// TestCheck: what cannot be used is found, with its key and a remedy, and no secret.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir, "x.example")
	good := tokenFile(t, token)
	open := tokenFile(t, token)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	loose := filepath.Join(dir, "loose.pem")
	if b, err := os.ReadFile(key); err != nil || os.WriteFile(loose, b, 0o600) != nil || os.Chmod(loose, 0o640) != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name             string
		token, cert, key string
		id, has          string
	}{
		{"good", good, cert, key, "", ""},
		{"nothing", "", "", "", "", ""},
		{"missing", filepath.Join(dir, "none"), "", "", idToken, "openssl rand -hex 24"},
		{"open", open, "", "", idToken, "chmod 600"},
		{"short", tokenFile(t, "hunter2"), "", "", idToken, "7 bytes"},
		{"empty", tokenFile(t, ""), "", "", idToken, "0 bytes"},
		{"two lines", tokenFile(t, token+"\n"+token), "", "", idToken, "characters"},
		{"huge", tokenFile(t, strings.Repeat("hunter2", 1000)), "", "", idToken, "more than"},
		{"a directory", dir, "", "", idToken, "regular file"},
		{"no certificate", good, filepath.Join(dir, "none"), key, idTLS, "none"},
		{"no key", good, cert, filepath.Join(dir, "none"), idTLS, "none"},
		{"a loose key", good, cert, loose, idTLS, "chmod 600"},
		{"the wrong way round", good, key, cert, idTLS, ""},
	} {
		err := Check(config.HTTP{Listen: "127.0.0.1:1", TokenFile: c.token, CertFile: c.cert, KeyFile: c.key}, "")
		var bad *Error
		switch {
		case c.id == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.id != "" && (!errors.As(err, &bad) || bad.ID != c.id || !strings.Contains(err.Error(), c.has) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := Check(config.HTTP{TokenFile: "/nowhere"}, ""); err != nil {
		t.Errorf("nothing is to be served: %v", err)
	}
}
