package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hostKind is what the name is that a request is for.
type hostKind int

const (
	hostStrange  hostKind = iota // none of this server's
	hostLoopback                 // a name or address that leads to the client's own machine
	hostOwn                      // an address of this server, or one of http.hosts
)

// judgeHost tells whether a request is for this server. Where another site's name leads
// here, that name is in it. An address cannot be made to lead elsewhere: that of the
// connection is as good as one that is configured.
func judgeHost(r *http.Request, allowed map[string]bool) hostKind {
	name := hostName(r.Host)
	if name == "" {
		return hostStrange
	}
	if name == "localhost" {
		return hostLoopback
	}
	addr, err := netip.ParseAddr(name)
	if err == nil {
		addr = addr.Unmap()
	}
	switch {
	case err == nil && addr.IsLoopback():
		return hostLoopback
	case allowed[name]:
		return hostOwn
	case err == nil && addr == localAddr(r):
		return hostOwn
	}
	return hostStrange
}

// hostName is a Host header without its port, in the spelling that names are
// compared in; "" when it is none.
func hostName(host string) string {
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || end+1 < len(host) && host[end+1] != ':' {
			return ""
		}
		return plainHost(host[1:end])
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if strings.IndexByte(host[i+1:], ':') >= 0 {
			return "" // an address of IPv6 has to stand in brackets
		}
		host = host[:i]
	}
	return plainHost(host)
}

func plainHost(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.WithZone("").Unmap().String()
	}
	return name
}

// hostSet is the names of http.hosts, as hostName spells them.
func hostSet(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[plainHost(strings.TrimSuffix(strings.TrimPrefix(n, "["), "]"))] = true
	}
	return out
}

// localAddr is the address that the connection of a request was made to.
func localAddr(r *http.Request) netip.Addr {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	return addrOf(a.String())
}

// remoteAddr is the address that the connection of a request came from.
func remoteAddr(r *http.Request) netip.Addr { return addrOf(r.RemoteAddr) }

func addrOf(hostport string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().WithZone("").Unmap()
}

// passedOn tells whether a request says that a proxy has passed it on: then whoever is
// behind it need not be on this machine. No browser speaks HTTP/1.0, but nginx does to
// what it passes requests on to, and says nothing else unless it is told to.
func passedOn(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}
