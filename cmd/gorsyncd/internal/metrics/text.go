package metrics

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/common/expfmt"

	"gorsyncd/cmd/gorsyncd/internal/control"
)

// Metrics serves the text format of Prometheus, version 0.0.4, compressed for who
// wants that. Without a status it answers 503.
func (m *Metrics) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.snapshot(r.Context())
		if err != nil {
			answer(w, http.StatusServiceUnavailable, control.ErrorDocument{Error: control.Classify(err)})
			return
		}
		buf := texts.Get().(*bytes.Buffer)
		defer texts.Put(buf)
		buf.Reset()
		if err := m.text(s, buf); err != nil {
			answer(w, http.StatusInternalServerError, control.ErrorDocument{Error: control.Classify(err)})
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Accept-Encoding")
		if !takesGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Length", strconv.Itoa(buf.Len()))
			_, _ = w.Write(buf.Bytes()) // whoever is gone does not read an error either
			return
		}
		h.Set("Content-Encoding", "gzip")
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return // not for a level that there is
		}
		_, _ = z.Write(buf.Bytes())
		_ = z.Close()
	})
}

// takesGzip reads an Accept-Encoding.
func takesGzip(accepted string) bool {
	for _, one := range strings.Split(accepted, ",") {
		coding, q, _ := strings.Cut(one, ";")
		if strings.TrimSpace(coding) == "gzip" {
			weight, _ := strings.CutPrefix(strings.TrimSpace(q), "q=")
			return strings.Trim(weight, "0.") != "" || weight == ""
		}
	}
	return false
}

// texts are buffers of answers: of hundreds of remotes they are megabytes.
var texts = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// text writes everything.
func (m *Metrics) text(s *snapshot, buf *bytes.Buffer) error {
	own, err := m.process.Gather()
	if err != nil {
		return fmt.Errorf("look at the process: %w", err)
	}
	for _, f := range own {
		if _, err := expfmt.MetricFamilyToText(buf, f); err != nil {
			return fmt.Errorf("write %s: %w", f.GetName(), err)
		}
	}
	w := printer{b: buf.AvailableBuffer(), buf: buf}
	s.write(&w)
	w.flush()
	return nil
}

// printer is a writer of text.
type printer struct {
	buf  *bytes.Buffer
	b    []byte  // not in buf yet
	of   *family // the present one
	head bool    // its first lines are written
}

func (p *printer) begin(f *family) {
	p.flush()
	p.of, p.head = f, false
}

func (p *printer) flush() {
	p.buf.Write(p.b)
	p.b = p.buf.AvailableBuffer()
}

func (p *printer) line(suffix string, s *series, more string, v float64) {
	if !p.head {
		p.head = true
		p.b = append(p.b, "# HELP "+prefix+p.of.name+" "+p.of.help+"\n# TYPE "+prefix+p.of.name+" "+strings.ToLower(p.of.kind.String())+"\n"...)
	}
	p.b = append(p.b, prefix...)
	p.b = append(p.b, p.of.name...)
	p.b = append(p.b, suffix...)
	if s.text != "" || more != "" {
		p.b = append(append(p.b, '{'), s.text...)
		if s.text != "" && more != "" {
			p.b = append(p.b, ',')
		}
		p.b = append(append(p.b, more...), '}')
	}
	p.b = append(appendValue(append(p.b, ' '), v), '\n')
}

func (p *printer) add(s *series, more *label, v float64) {
	if more == nil {
		p.line("", s, "", v)
		return
	}
	p.line("", s, more.text, v)
}

func (p *printer) histogram(s *series, t *tally) {
	n := uint64(0)
	for i := range t.counts {
		n += t.counts[i].Load()
		p.line("_bucket", s, t.texts[i], float64(n))
	}
	p.line("_sum", s, "", t.sum())
	p.line("_count", s, "", float64(n))
}

// appendValue writes whole numbers, which most are, without an exponent.
func appendValue(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}
