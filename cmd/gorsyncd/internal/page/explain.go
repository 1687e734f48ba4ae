package page

import (
	"encoding/base64"
	"net/http"

	"gorsyncd/cmd/gorsyncd/internal/explain"
	"gorsyncd/cmd/gorsyncd/internal/names"
)

// explain serves /explain?path=: as text for the box of the page, or the page
// with the answer in it for a browser that goes there.
func (h *Handler) explain(w http.ResponseWriter, r *http.Request) {
	p := h.paint(w, r)
	if p.Access.MustLogIn {
		h.render(w, http.StatusUnauthorized, "login", p)
		return
	}
	code := http.StatusOK
	p.Asked, p.Answer, code = h.answer(r)
	if r.URL.Query().Get("as") == "text" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(p.Answer))
		return
	}
	h.render(w, code, "explained", p)
}

// answer is what the command line says of a path.
func (h *Handler) answer(r *http.Request) (asked, answer string, code int) {
	q := r.URL.Query()
	path := q.Get("path")
	asked = names.Printable(path)
	if b64 := q.Get("path_b64"); b64 != "" {
		raw, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			return asked, "path_b64 is not base64\n", http.StatusBadRequest
		}
		path = string(raw)
		asked = names.Printable(path)
	}
	if path == "" || h.o.Explain == nil {
		return asked, "", http.StatusOK
	}
	e, err := h.o.Explain(r.Context(), path)
	if err != nil {
		return asked, names.Printable(err.Error()) + "\n", http.StatusNotFound
	}
	return asked, explain.Text(e, h.o.Now()), http.StatusOK
}
