package page

import "gorsyncd/replicate"

// progress says how far a batch and the file on its way are.
func (m *maker) progress(f *Flight, b *replicate.BatchStatus) {
}
