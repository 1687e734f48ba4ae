package web

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	var th throttle
	now := time.Unix(1_800_000_000, 0)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	guess := func(a netip.Addr) bool {
		if th.wait(a, now) > 0 {
			return false
		}
		th.wrong(a, now)
		return true
	}
	for i := range guessBurst {
		if !guess(a) {
			t.Fatalf("throttled after %d", i)
		}
	}
	if guess(a) || !guess(b) {
		t.Error("the wrong one is throttled")
	}
	if th.wait(netip.MustParseAddr("::ffff:192.0.2.1"), now) == 0 {
		t.Error("another spelling of an address is another one")
	}
	if wait := th.wait(a, now); wait > guessEvery {
		t.Errorf("it has to wait %s", wait)
	}
	guesses := 0
	for range 600 { // ten minutes
		now = now.Add(time.Second)
		for guess(a) {
			guesses++
		}
	}
	if guesses < 295 || guesses > 305 {
		t.Errorf("%d guesses in ten minutes", guesses)
	}
	// A subscriber of IPv6 has more addresses than can be counted.
	for i := range guessBurst {
		guess(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)))
	}
	if guess(netip.MustParseAddr("2001:db8::ffff")) || !guess(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("addresses of IPv6 are counted one by one")
	}
	for i := range guessPlaces + 100 {
		guess(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(th.places) > guessPlaces {
		t.Errorf("%d addresses are remembered", len(th.places))
	}
}

func TestTickets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s, other := newSecret(token), newSecret(token+"x")
	text := newTicket(s, now.Add(time.Hour))
	id, ends, ok := readTicket(s, text, now)
	if !ok || !ends.Equal(now.Add(time.Hour)) {
		t.Fatalf("%v %v", ends, ok)
	}
	if strings.ContainsAny(text, "; ,\"\\") {
		t.Errorf("%s does not fit into a cookie", text)
	}
	for name, good := range map[string]bool{
		"of another token": second(readTicket(other, text, now)), "of none": second(readTicket(secret{}, text, now)),
		"at its end": second(readTicket(s, text, now.Add(time.Hour))), "cut": second(readTicket(s, text[1:], now)), "empty": second(readTicket(s, "", now)),
		"longer": second(readTicket(s, text+"A", now)), "of no token": second(readTicket(secret{}, newTicket(secret{}, now.Add(time.Hour)), now)),
	} {
		if good {
			t.Errorf("a ticket %s is good", name)
		}
	}
	for i := range text {
		for _, c := range "A_" {
			changed := text[:i] + string(c) + text[i+1:]
			if second(readTicket(s, changed, now)) && changed != text {
				t.Errorf("with %c at %d it is good", c, i)
			}
		}
	}
	var r revoked
	r.add(id, ends, now)
	if !r.has(id) || r.has([ticketID]byte{1}) {
		t.Error("the wrong one is revoked")
	}
	for i := range maxRevoked + 100 {
		r.add([ticketID]byte{2, byte(i >> 16), byte(i >> 8), byte(i)}, now.Add(time.Duration(i)*time.Second), now)
	}
	if len(r.ends) > maxRevoked {
		t.Errorf("%d are remembered", len(r.ends))
	}
}

func second[T, U any](_ T, _ U, ok bool) bool { return ok }

func TestHostNames(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"": "", "A.example": "a.example", "a.example.:80": "a.example", "[::1]:80": "::1", "[::1]": "::1", "::1": "", "[::1": "", "[::1]a": "",
		"[fe80::1%eth0]:1": "fe80::1", "127.0.0.1:1": "127.0.0.1", "[::ffff:127.0.0.1]": "127.0.0.1", "a:b:c": "", ":80": ""} {
		if got := hostName(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}
