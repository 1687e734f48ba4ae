package replicate

// listing is a path that a batch has, and as what.
type listing struct {
	as   listedAs
	path string
}

type listedAs uint8

const (
	listedPath listedAs = iota
	listedParent
	listedRestamp
	listedWithin
)

// list adds to a list of the batch what is not in it.
func (r *round) list(to *[]string, as listedAs, paths []string) {
	for _, p := range paths {
		if k := (listing{as, p}); !r.listed[k] {
			r.listed[k] = true
			*to = append(*to, p)
			r.names += len(p) + len("./\x00")
		}
	}
}
