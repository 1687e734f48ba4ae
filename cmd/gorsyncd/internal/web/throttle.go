package web

import (
	"net/netip"
	"sync"
	"time"
)

// What an address may guess.
const (
	guessBurst = 10              // wrong tokens at once
	guessEvery = 2 * time.Second // and then one in this time
	// guessPlaces bounds the addresses that are remembered. When there are more the
	// one that was wrong longest ago is forgotten.
	guessPlaces = 4096
)

// throttle counts wrong tokens by address. The zero value is ready.
type throttle struct {
	mu     sync.Mutex
	places map[netip.Prefix]time.Time // guarded by mu: until when the wrong ones are made up for
}

// placeOf is what is taken for one guesser: an address, of IPv6 the network that one
// subscriber has.
func placeOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil { // of the zero address
		return netip.Prefix{}
	}
	return p
}

// wait is how long the address has to wait before its next token is looked at.
func (t *throttle) wait(a netip.Addr, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known := t.places[placeOf(a)]
	if !known {
		return 0
	}
	return max(0, at.Add(-(guessBurst-1)*guessEvery).Sub(now))
}

// wrong takes in a wrong token. It tells whether the address has been quiet before.
func (t *throttle) wrong(a netip.Addr, now time.Time) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.places == nil {
		t.places = map[netip.Prefix]time.Time{}
	}
	p := placeOf(a)
	at, known := t.places[p]
	if !known && len(t.places) >= guessPlaces {
		t.forget(now)
	}
	first = !at.After(now)
	if first {
		at = now
	}
	t.places[p] = at.Add(guessEvery)
	return first
}

// forget makes room for an address. The caller holds mu.
func (t *throttle) forget(now time.Time) {
	var oldest netip.Prefix
	var least time.Time
	for p, at := range t.places {
		if !at.After(now) {
			delete(t.places, p)
		} else if least.IsZero() || at.Before(least) {
			oldest, least = p, at
		}
	}
	if len(t.places) >= guessPlaces {
		delete(t.places, oldest)
	}
}
