package web

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/trust"
)

// certEvery is how often the files of a certificate are looked at, at most.
const certEvery = time.Second

// certs is a certificate that is read again when its files change. One that cannot be
// used leaves the one before in place.
type certs struct {
	cert, key  string
	credential bool        // the key is one of systemd's
	failed     func(error) // told when the files have changed and cannot be used

	mu     sync.Mutex
	now    *tls.Certificate
	stamp  string
	looked time.Time
}

// read reads the certificate anew.
func (c *certs) read() error {
	check := trust.Secret
	if c.credential {
		check = trust.Credential
	}
	if err := check(c.key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.now = &pair
	return nil
}

// open reads the certificate for the first time.
func (c *certs) open(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamp, c.looked = c.mark(), now
	return c.read()
}

// mark is another text whenever the files are others.
func (c *certs) mark() string {
	text := ""
	for _, path := range []string{c.cert, c.key} {
		fi, err := os.Stat(path)
		if err != nil {
			text += err.Error()
			continue
		}
		text += markOf(fi)
	}
	return text
}

func markOf(fi fs.FileInfo) string {
	return fmt.Sprintf("%d %d %v;", fi.Size(), fi.ModTime().UnixNano(), fi.Sys())
}

// get is for tls.Config.GetCertificate.
func (c *certs) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= certEvery {
		c.looked = now
		if m := c.mark(); m != c.stamp {
			c.stamp = m
			if err := c.read(); err != nil {
				c.failed(err)
			}
		}
	}
	return c.now, nil
}
