//go:build !cgo

package journal

import (
	"context"
	"iter"
)

func (r Reader) edges(ctx context.Context, edges ...edge) ([]mark, error) {
	return r.journalctlEdges(ctx, edges...)
}

func (r Reader) entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { r.printed(ctx, unit, id, yield, r.printedEntries) }
}

func (r Reader) skim(ctx context.Context, unit string, id ID, _ func([]byte, func() int) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { r.printed(ctx, unit, id, yield, r.printedLines) }
}
