package watch

import "context"

// lookWhereItWas looks at the other paths of a directory that is about to be
// scanned for the first time: it may have been moved here. The event that says
// so waits for its time, and readers of the journal must not take what is in the
// directory for new only because the old path is told to be gone later.
func (t *Tree) lookWhereItWas(ctx context.Context, sc scan) error {
	var list []look
	for _, p := range t.placesBefore(sc) {
		list = append(list, look{path: p, hints: hintName})
	}
	return t.lookAt(ctx, list)
}

// placesBefore are the other paths of a directory that is about to be scanned for
// the first time.
func (t *Tree) placesBefore(sc scan) (list []string) {
	nodes := t.w.byKey[sc.key]
	if len(nodes) == 0 {
		return nil
	}
	if n := t.w.find(sc.rel); n != nil && n.key == sc.key {
		return nil
	}
	for _, n := range nodes {
		if p := n.path(); p != sc.rel {
			list = append(list, p)
		}
	}
	return list
}
