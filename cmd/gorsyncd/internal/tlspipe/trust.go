package tlspipe

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"
)

// trust is whom to believe, and what to show.
type trust struct {
	name   string
	roots  *x509.CertPool      // nil for those of the system
	listed []*x509.Certificate // what the CA file has
	own    []tls.Certificate
}

// certError says why a certificate is not believed.
type certError struct{ err error }

func (e *certError) Error() string { return e.err.Error() }

// trust reads the files.
func (o *Options) trust() (*trust, error) {
	t := &trust{name: o.name()}
	if o.CAFile != "" {
		if err := t.addRoots(o.CAFile); err != nil {
			return nil, err
		}
	}
	if o.CertFile == "" && o.KeyFile == "" {
		return t, nil
	}
	if o.CertFile == "" || o.KeyFile == "" {
		return nil, fmt.Errorf("a certificate and its key are needed, one of them is missing")
	}
	fi, err := os.Stat(o.KeyFile)
	if err != nil {
		return nil, err
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it", o.KeyFile)
	}
	pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", o.CertFile, o.KeyFile, err)
	}
	t.own = []tls.Certificate{pair}
	return t, nil
}

func (t *trust) addRoots(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	t.roots = x509.NewCertPool()
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		t.roots.AddCert(c)
		t.listed = append(t.listed, c)
	}
	if len(t.listed) == 0 {
		return fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return nil
}

func (t *trust) config() *tls.Config {
	return &tls.Config{
		ServerName:   t.name,
		Certificates: t.own,
		MinVersion:   tls.VersionTLS12,
		// verify does what this leaves out.
		InsecureSkipVerify: true,
		VerifyConnection:   t.verify,
	}
}

// verify is the usual one, of chain, dates and name, but for a certificate that is
// listed itself, such as one that signed itself: those that stunnel's guides make
// have no name that counts. Of them the dates are checked.
func (t *trust) verify(cs tls.ConnectionState) error {
	leaf := cs.PeerCertificates[0]
	for _, c := range t.listed {
		if bytes.Equal(c.Raw, leaf.Raw) {
			if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
				return &certError{fmt.Errorf("it is valid from %s to %s", leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339))}
			}
			return nil
		}
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: t.name, Roots: t.roots, Intermediates: between}); err != nil {
		return &certError{err}
	}
	return nil
}
