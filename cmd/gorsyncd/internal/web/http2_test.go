package web

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"math"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// TestStreamsOfAConnectionAreBounded: a client of HTTP/2 that takes no answers is not
// given more requests than that.
func TestStreamsOfAConnectionAreBounded(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, t.TempDir(), "first.example")
	r := start(t, func(c *config.HTTP) { c.CertFile, c.KeyFile = cert, key })
	conn, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	noWindow := []byte{0, 4, 0, 0, 0, 0} // SETTINGS_INITIAL_WINDOW_SIZE
	send := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), h2Frame(4, 0, 0, noWindow)...)
	const asked = 2*streamsEach + 1
	for n := range asked {
		send = append(send, h2Frame(1, 5, uint32(2*n+1), h2Head("localhost", "/healthz"))...)
	}
	if _, err := conn.Write(send); err != nil {
		t.Fatal(err)
	}
	answered, refused := 0, 0
	for answered+refused < asked {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			t.Fatalf("after %d answers and %d refusals: %v", answered, refused, err)
		}
		body := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(conn, body); err != nil {
			t.Fatal(err)
		}
		switch head[3] {
		case 1: // HEADERS
			answered++
		case 3: // RST_STREAM
			refused++
		case 7: // GOAWAY
			t.Fatalf("the connection was given up: %x", body)
		}
	}
	if answered > streamsEach {
		t.Errorf("%d requests of one connection under way, at most %d are to be", answered, streamsEach)
	}
}

// TestConnectionsLeaveFilesForTheRest: whatever max_clients is.
func TestConnectionsLeaveFilesForTheRest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wanted int
		files  uint64
		want   int
	}{{356, 1024, 356}, {10_256, 1024, 512}, {356, 256, 128}, {356, 1, 1}, {10_256, math.MaxUint64, 10_256}} {
		if got := connsWithin(c.wanted, c.files); got != c.want {
			t.Errorf("%d connections of %d files: %d, want %d", c.wanted, c.files, got, c.want)
		}
	}
}

func h2Frame(kind, flags byte, stream uint32, body []byte) []byte {
	head := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), body...)
}

// h2Head is the head of a GET, with nothing compressed.
func h2Head(host, path string) (b []byte) {
	for _, kv := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", path}} {
		b = append(b, 0)
		for _, text := range kv {
			b = append(append(b, byte(len(text))), text...)
		}
	}
	return b
}
