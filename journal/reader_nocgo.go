//go:build !cgo

package journal

import (
	"context"
	"iter"
)

func (r Reader) records(ctx context.Context, m match) records { return r.journalctl(ctx, m) }

func (r Reader) edges(ctx context.Context, edges ...edge) ([]mark, error) {
	return r.journalctlEdges(ctx, edges)
}

func (r Reader) skim(ctx context.Context, unit string, id ID, _ func([]byte, func() int) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { r.skimAll(ctx, unit, id, yield) }
}
