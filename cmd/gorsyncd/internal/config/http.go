package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// HTTP says whether and how the API and the status page are to be had over TCP.
type HTTP struct {
	Listen        string // host:port; "" for the unix socket only
	TokenFile     string // what may act shows what is in it; "" lets nobody act
	CertFile      string // of the server; "" for no TLS
	KeyFile       string
	Hosts         []Item // names that requests may be for, besides those of the address
	AnonymousRead bool   // on loopback, who shows no token may look
	Insecure      bool   // without TLS although others than this machine can connect
	MaxClients    int    // live streams at once
}

// httpFields are the keys of http, in the order of the reference.
var httpFields = []fieldOf[HTTP]{
	httpLeaf("listen", `""`, scalar(listenAddress), func(h *HTTP) *string { return &h.Listen }),
	httpLeaf("token_file", `""`, scalar(credentialOr(tokenFilePath)), func(h *HTTP) *string { return &h.TokenFile }),
	httpLeaf("tls.cert_file", `""`, scalar(credentialOr(absPath)), func(h *HTTP) *string { return &h.CertFile }),
	httpLeaf("tls.key_file", `""`, scalar(credentialOr(absPath)), func(h *HTTP) *string { return &h.KeyFile }),
	httpLeaf("hosts", "[]", items(checkHostName), func(h *HTTP) *[]Item { return &h.Hosts }),
	httpLeaf("anonymous_read", "true", scalar(boolean), func(h *HTTP) *bool { return &h.AnonymousRead }),
	httpLeaf("insecure", "false", scalar(boolean), func(h *HTTP) *bool { return &h.Insecure }),
	httpLeaf("max_clients", "100", integer(1, 10_000), func(h *HTTP) *int { return &h.MaxClients }),
}

var httpTable = newTable(httpFields)

// HTTPKeys lists the keys of http by their dotted names.
func HTTPKeys() []Key {
	keys := httpTable.keys()
	for i := range keys {
		keys[i].Path = "http." + keys[i].Path
	}
	return keys
}

func httpLeaf[T any](path, def string, parse parseFunc[T], at func(*HTTP) *T) fieldOf[HTTP] {
	return fieldAt(path, "http."+path, def, parse, at)
}

func (p *parser) http(n *yaml.Node, lv level) {
	p.mapping(n, "http", httpTable.names, func(key string, _, v *yaml.Node) { httpTable.read(p, lv, key, v) })
}

// http resolves what was written and reports what cannot work or would be unsafe.
func (c *Config) http(lv level, rep *reporter) HTTP {
	var h HTTP
	for _, f := range httpTable.fields {
		st, ok := lv[f.path]
		if !ok {
			st = httpTable.defaults[f.path]
		}
		f.set(&h, st.value)
		c.origins["http."+f.path] = st.pos
	}
	at := func(keys ...string) Pos {
		for _, k := range keys {
			if st, ok := lv[k]; ok {
				return st.pos
			}
		}
		return c.origins["http."+keys[0]]
	}
	if h.Listen == "" {
		for _, f := range httpTable.fields {
			if st, ok := lv[f.path]; ok && f.path != "listen" {
				rep.add(st.pos, "http.%s does nothing without http.listen, such as 127.0.0.1:8384", f.path)
				break
			}
		}
		return h
	}
	switch {
	case h.CertFile != "" && h.KeyFile == "":
		rep.add(at("tls.cert_file"), "http.tls.cert_file needs http.tls.key_file, the key of the certificate")
	case h.KeyFile != "" && h.CertFile == "":
		rep.add(at("tls.key_file"), "http.tls.key_file needs http.tls.cert_file, the certificate of the key")
	}
	if h.Loopback() {
		if h.Insecure {
			rep.add(at("insecure"), "http.insecure is for addresses that others can connect to, %s is not one: take it out", h.Listen)
		}
		return h
	}
	if h.TokenFile == "" {
		rep.add(at("listen"), "http.listen: others than this machine can connect to %s: it needs http.token_file, a file made with: (umask 077; openssl rand -hex 24 > FILE)", h.Listen)
	}
	if h.CertFile == "" && h.KeyFile == "" && !h.Insecure {
		rep.add(at("listen"), "http.listen: others than this machine can connect to %s, and the token would be sent in clear: set http.tls.cert_file and http.tls.key_file, or, behind a proxy that you trust, http.insecure: true", h.Listen)
	}
	if _, ok := lv["anonymous_read"]; ok && h.AnonymousRead {
		rep.add(at("anonymous_read"), "http.anonymous_read is for loopback: at %s everybody needs the token; take it out", h.Listen)
	}
	h.AnonymousRead = false
	return h
}

// Loopback tells whether only this machine can connect.
func (h HTTP) Loopback() bool {
	host, _, err := net.SplitHostPort(h.Listen)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// Same tells whether two configurations do the same.
func (h HTTP) Same(o HTTP) bool {
	a, b := h, o
	a.Hosts, b.Hosts = nil, nil
	return fmt.Sprint(a) == fmt.Sprint(b) && slices.Equal(Texts(h.Hosts), Texts(o.Hosts))
}

// Located returns h with the paths of credentials in dir in place of their names.
func (h HTTP) Located(dir string) HTTP {
	for _, v := range []*string{&h.TokenFile, &h.CertFile, &h.KeyFile} {
		if name, ok := CredentialName(*v); ok {
			*v = filepath.Join(dir, name)
		}
	}
	return h
}

// httpSecrets are the keys of http that may ask for a credential.
func (h HTTP) httpSecrets() map[string]string {
	return map[string]string{"http.token_file": h.TokenFile, "http.tls.cert_file": h.CertFile, "http.tls.key_file": h.KeyFile}
}

// HTTPError is an *Errors about a key of http, such as token_file, where it stands.
func (c *Config) HTTPError(key string, err error) error {
	rep := newReporter(nil)
	rep.put(Error{Pos: c.origins["http."+key], Message: fmt.Sprintf("http.%s: %v", key, err)})
	return rep.err()
}

// listenAddress takes host:port; the host may be left out for all addresses.
func listenAddress(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not an address and a port, such as 127.0.0.1:8384 or [::1]:8384", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%q has no port from 0 to 65535 behind the colon", s)
	}
	if host == "" || host == "localhost" {
		return s, nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fmt.Errorf("%q: %q is not an address of this machine: write one such as 192.168.1.5, 0.0.0.0 for all of them, or localhost", s, host)
	}
	return s, nil
}

// tokenFilePath is absPath, but for the error: what is no path may be the token.
func tokenFilePath(s string) (string, error) {
	if s != "" && checkAbs(s) != nil {
		return "", errors.New("must be the absolute path of a file that holds the token (~ and variables are not expanded), or credential: and the name of one of systemd's")
	}
	return s, nil
}

// checkHostName takes a name or address as it stands in a browser's address line,
// without a port.
func checkHostName(s string) error {
	name := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	const most = 253
	if s == "" || len(s) > most || strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return fmt.Errorf("%q is not a name of a host, such as status.example.com, without a port and without patterns", s)
	}
	return nil
}
