package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

// ticketLife is how long a login lasts.
const ticketLife = 7 * 24 * time.Hour

// A ticket is what a browser shows instead of the token: a random number and its
// end, signed with a key made of the token.
const (
	ticketID   = 16
	ticketBody = ticketID + 8
	ticketSize = ticketBody + sha256.Size
)

// newTicket makes one that ends at the given time.
func newTicket(s secret, ends time.Time) string {
	raw := make([]byte, ticketBody, ticketSize)
	rand.Read(raw[:ticketID]) // which never fails
	binary.BigEndian.PutUint64(raw[ticketID:], uint64(ends.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(raw, sign(s, raw)...))
}

func sign(s secret, body []byte) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(body)
	return mac.Sum(nil)
}

// readTicket returns the number and the end of a ticket that was signed with s and has
// not ended.
func readTicket(s secret, text string, now time.Time) (id [ticketID]byte, ends time.Time, ok bool) {
	if !s.set || len(text) != base64.RawURLEncoding.EncodedLen(ticketSize) {
		return id, ends, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || !hmac.Equal(raw[ticketBody:], sign(s, raw[:ticketBody])) {
		return id, ends, false
	}
	copy(id[:], raw)
	ends = time.Unix(int64(binary.BigEndian.Uint64(raw[ticketID:ticketBody])), 0)
	return id, ends, now.Before(ends)
}

// maxRevoked bounds the tickets that are remembered because they were given back. Only
// who has the token can fill it; the one that ends first goes then.
const maxRevoked = 10_000

// revoked are tickets that were given back before their end.
type revoked struct {
	mu   sync.Mutex
	ends map[[ticketID]byte]time.Time // guarded by mu
}

func (r *revoked) add(id [ticketID]byte, ends, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends == nil {
		r.ends = map[[ticketID]byte]time.Time{}
	}
	if len(r.ends) >= maxRevoked {
		var first [ticketID]byte
		for id, at := range r.ends {
			if !now.Before(at) {
				delete(r.ends, id)
			} else if best, ok := r.ends[first]; !ok || at.Before(best) {
				first = id
			}
		}
		if len(r.ends) >= maxRevoked {
			delete(r.ends, first)
		}
	}
	r.ends[id] = ends
}

func (r *revoked) has(id [ticketID]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.ends[id]
	return ok
}
