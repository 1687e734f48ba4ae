package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/trust"
)

// Sizes of a token, in bytes.
const (
	tokenLeast = 16
	tokenMost  = 4096
)

// howToMake is the remedy for all that is wrong with a token.
const howToMake = "make one with: (umask 077; openssl rand -hex 24 > %s)"

// secret is a token as it is kept: what it is compared with, and what signs tickets.
// The zero value is for no token.
type secret struct {
	sum [sha256.Size]byte
	key [sha256.Size]byte
	set bool
}

func newSecret(token string) secret {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("gorsyncd ticket 1"))
	s := secret{sum: sha256.Sum256([]byte(token)), set: true}
	copy(s.key[:], mac.Sum(nil))
	return s
}

// is tells whether that is the token, in a time that does not tell how much of it is.
func (s secret) is(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return s.set && subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1
}

// readToken reads the token of a file, or of a credential of systemd's.
func readToken(path string, credential bool) (secret, error) {
	check := trust.Secret
	if credential {
		check = trust.Credential
	}
	if err := check(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return secret{}, fmt.Errorf("%w: "+howToMake, err, path)
		}
		return secret{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return secret{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, tokenMost+1))
	if err != nil {
		return secret{}, err
	}
	token := strings.TrimSpace(string(text))
	switch {
	case len(token) < tokenLeast:
		return secret{}, fmt.Errorf("the token in %q has %d bytes, at least %d are needed: "+howToMake, path, len(token), tokenLeast, path)
	case len(text) > tokenMost:
		return secret{}, fmt.Errorf("the token in %q has more than %d bytes: "+howToMake, path, tokenMost, path)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return secret{}, fmt.Errorf("the token in %q holds characters that a header cannot: "+howToMake, path, path)
	}
	return newSecret(token), nil
}
