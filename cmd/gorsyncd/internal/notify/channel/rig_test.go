package channel

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

const token = "SECRET-TOKEN-12345"

// posted is a request that came.
type posted struct {
	path  string
	query url.Values
	head  http.Header
	body  string
}

// server answers the same to everything, and notes what came.
func server(t *testing.T, code int, answer string, header ...string) (address string, got *posted) {
	t.Helper()
	got = &posted{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*got = posted{r.URL.Path, r.URL.Query(), r.Header, string(b)}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/hook/" + token, got
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(f, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// trouble is a message with many names in it that are not meant well.
func trouble(n int) *notify.Message {
	var items []notify.Item
	for range n {
		items = append(items, notify.Item{Key: notify.Key{Subject: "www/nas", Aspect: notify.AspectState}, Event: notify.Began, Lasted: time.Hour,
			Condition: notify.Condition{Kind: notify.Failing, ID: "E-AUTH", Text: `目录/<at user_id="all">全体</at> <!channel> & "x"` + "\r\nBcc: evil@example.com", Since: time.Unix(1_800_000_000, 0)}})
	}
	m := notify.NewMessage("web1", "ops", notify.English, time.Unix(1_800_000_000, 0), items)
	return &m
}

func send(t *testing.T, c notify.Channel, m *notify.Message) (notify.Answer, *notify.Failure) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	a, f := c.Send(ctx, m)
	shown := c.String() + a.Text + a.Warning
	if f != nil {
		shown += f.Message + f.Hint
	}
	if strings.Contains(shown, token) || strings.Contains(shown, "hunter2") {
		t.Errorf("a secret is shown: %s", shown)
	}
	return a, f
}

// certificates are an authority's and one of it for 127.0.0.1.
func certificates(t *testing.T) (caFile string, pair tls.Certificate) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(err)
		return k
	}
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	check(err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	check(err)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	check(os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o644))
	return caFile, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
}
