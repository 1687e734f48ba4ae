package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// CA signs certificates for tests.
type CA struct {
	File string // its own certificate

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair is a certificate with its key, two PEM files.
type Pair struct{ Cert, Key string }

// NewCA makes a certificate authority that keeps its files in a directory of the
// test.
func NewCA(tb testing.TB) *CA {
	tb.Helper()
	ca := &CA{dir: tb.TempDir()}
	p := ca.issue(tb, "ca", time.Hour, nil)
	ca.File = p.Cert
	return ca
}

// Issue makes a certificate for names and addresses, valid for a time from now;
// less than nothing is one that has expired.
func (ca *CA) Issue(tb testing.TB, name string, valid time.Duration, hosts ...string) Pair {
	tb.Helper()
	return ca.issue(tb, name, valid, hosts)
}

func (ca *CA) issue(tb testing.TB, name string, valid time.Duration, hosts []string) Pair {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		tb.Fatal(err)
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	parent, signer := ca.cert, ca.key
	if parent == nil {
		t.IsCA, parent, signer = true, t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		tb.Fatal(err)
	}
	if ca.cert == nil {
		if ca.cert, err = x509.ParseCertificate(der); err != nil {
			tb.Fatal(err)
		}
		ca.key = key
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	p := Pair{filepath.Join(ca.dir, name+".pem"), filepath.Join(ca.dir, name+".key")}
	for _, f := range []struct {
		file, kind string
		data       []byte
	}{{p.Cert, "CERTIFICATE", der}, {p.Key, "PRIVATE KEY", raw}} {
		if err := os.WriteFile(f.file, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.data}), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

// Stunnel is a real stunnel on a loopback port that speaks TLS before a server
// that does not.
type Stunnel struct {
	Port int

	tb   testing.TB
	conf string
	proc *Process
}

// RunStunnel starts one for a test, with further lines of its configuration, such
// as "verifyChain = yes".
func RunStunnel(tb testing.TB, pair Pair, to int, more ...string) *Stunnel {
	tb.Helper()
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	text := "foreground = yes\npid =\nsyslog = no\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[rsync]\n" +
		fmt.Sprintf("accept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\ncert = %s\nkey = %s\nTIMEOUTclose = 0\n", port, to, pair.Cert, pair.Key)
	for _, line := range more {
		text += line + "\n"
	}
	s := &Stunnel{Port: port, tb: tb, conf: filepath.Join(tb.TempDir(), "stunnel.conf")}
	if err := os.WriteFile(s.conf, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	s.Start()
	return s
}

// Start starts it again after Stop, on the same port.
func (s *Stunnel) Start() {
	s.tb.Helper()
	bin, err := findTool("stunnel", "stunnel4")
	if err != nil {
		s.tb.Fatal(err)
	}
	if s.proc, err = StartProcess(exec.Command(bin, s.conf)); err != nil {
		s.tb.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port), time.Second)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			s.tb.Fatal("stunnel does not answer: ", err)
		}
	}
}

// Stop kills it with the connections it carries. Idempotent.
func (s *Stunnel) Stop() {
	if s.proc != nil {
		s.proc.Kill()
	}
}

// Target is the address of a module behind it.
func (s *Stunnel) Target(host, module string) string {
	return fmt.Sprintf("rsyncs://%s:%d/%s", host, s.Port, module)
}
